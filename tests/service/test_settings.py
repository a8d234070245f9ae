"""Settings: where they come from, and that their table is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import documents
from nonet.cli import main
from nonet.errors import NonetError
from nonet.service.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NONET_CONFIG_FILE", raising=False)


def test_options_before_environment_before_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nonet.toml").write_text('port = 1\nqueue_max = 2\nmodel = "mini"\n', encoding="utf-8")
    monkeypatch.setenv("NONET_QUEUE_MAX", "3")
    monkeypatch.setenv("NONET_PORT", "4")
    settings = read_settings(port=5, host=None)
    assert (settings.port, settings.queue_max, settings.model) == (5, 3, "mini")
    assert settings.host == "127.0.0.1"


def test_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text('trusted_proxies = ["10.0.0.0/8"]\n', encoding="utf-8")
    monkeypatch.setenv("NONET_CONFIG_FILE", str(tmp_path / "other.toml"))
    assert read_settings().trusted_proxies == ["10.0.0.0/8"]
    monkeypatch.setenv("NONET_API_KEYS", '["ann:secret"]')
    assert read_settings().api_keys[0].get_secret_value() == "ann:secret"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("port = 99999", "port"),
        ("prot = 1", "prot"),
        ('rate_anonymous = "often"', "rate_anonymous"),
        ("port = [", "cannot be read"),
        ("queue_max = 0", "queue_max"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "nonet.toml").write_text(text, encoding="utf-8")
    with pytest.raises(NonetError) as caught:
        read_settings()
    assert caught.value.code == "config_invalid"
    assert named in caught.value.message


def test_an_environment_value_that_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NONET_API_KEYS", "not json")
    with pytest.raises(NonetError) as caught:
        read_settings()
    assert caught.value.code == "config_invalid"


def test_print_config_shows_everything_but_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NONET_ADMIN_TOKEN", "hush")
    monkeypatch.setenv("NONET_API_KEYS", '["ann:whisper"]')
    assert main(["serve", "--print-config", "--port", "0", "--data", "elsewhere"]) == 0
    text = capsys.readouterr().out
    shown = json.loads(text)
    assert set(shown) == set(Settings.model_fields)
    assert (shown["port"], shown["data"]) == (0, "elsewhere")
    assert "hush" not in text
    assert "whisper" not in text


def test_the_table_of_settings_is_true() -> None:
    rows = {row[0].strip("`"): row for row in documents.table("docs/operate.md", "## Settings")}
    assert set(rows) == set(Settings.model_fields) - {"engine"}
    for name, field in Settings.model_fields.items():
        if name == "engine":
            continue
        default = field.get_default()
        shown = rows[name][1].strip("`")
        plain = default.get_secret_value() if hasattr(default, "get_secret_value") else default
        empty = {"": "empty", None: "none"}
        expected = (
            json.dumps(plain)
            if isinstance(plain, bool | list)
            else f"{plain:g}"
            if isinstance(plain, float)
            else empty.get(plain, str(plain))
        )
        assert shown == expected, name
        assert rows[name][2], f"{name} is not explained"
