"""The image and the Space folder fit the package."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from nonet.service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space")
    subprocess.run(["bash", str(ROOT / "deploy" / "space" / "make"), str(folder)], check=True)
    return folder


def environment(dockerfile: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in re.findall(r"^ENV (.*)$", dockerfile, re.MULTILINE):
        for name, quoted, plain in re.findall(r"(NONET_\w+)=(?:'([^']*)'|(\S+))", line):
            found[name] = quoted or plain
    return found


def check(dockerfile: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    values = environment(dockerfile)
    assert {name.removeprefix("NONET_").lower() for name in values} <= set(Settings.model_fields)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.host == "0.0.0.0"
    assert f"EXPOSE {settings.port}" in dockerfile
    assert f"VOLUME {settings.data}" in dockerfile
    assert 'CMD ["nonet", "serve"]' in dockerfile
    assert "USER nonet" in dockerfile
    return settings


def extras(dockerfile: str) -> set[str]:
    found = re.search(r'"/src\[([\w,]+)\]"', dockerfile)
    assert found is not None
    return set(found[1].split(","))


def test_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    check(text, monkeypatch)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras(text) <= set(project["optional-dependencies"])
    assert "serve" in extras(text)


def test_the_space_runs_the_same_app(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = (space / "README.md").read_text(encoding="utf-8")
    front = dict(line.split(": ", 1) for line in card.split("---")[1].strip().splitlines())
    assert front["sdk"] == "docker"
    settings = check((space / "Dockerfile").read_text(encoding="utf-8"), monkeypatch)
    assert settings.port == int(front["app_port"])
    assert len(front["short_description"]) <= 60, "the Hub takes no more"
    assert settings.frame_ancestors == ["https://huggingface.co"]


def test_the_space_can_be_installed(space: Path) -> None:
    project = tomllib.loads((space / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (space / project["readme"]).is_file()
    assert all((space / name).is_file() for name in project["license-files"])
    assert (space / "src" / "nonet" / "service" / "app.py").is_file()
    assert (space / "src" / "nonet" / "service" / "migrations" / "env.py").is_file()
    assert (space / "constraints.txt").is_file()
    assert not (space / ".git").exists()
