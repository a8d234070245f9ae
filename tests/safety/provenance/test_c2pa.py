"""Manifests are signed, and what was done to a picture afterwards is said truthfully."""

from __future__ import annotations

import dataclasses
import datetime
import os
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nonet.errors import NonetError
from nonet.safety.provenance import c2pa
from nonet.safety.provenance.metadata import FORMATS, PictureMeta, encode
from nonet.safety.provenance.reading import read_metadata

pytest.importorskip("c2pa")

META = PictureMeta(prompt="a secret cat", model="doodle", model_version="3", created="2026-08-02T10:00:00Z")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> c2pa.Certificate:
    return c2pa.local_certificate(tmp_path_factory.mktemp("config"))


def picture(format: str, shade: float = 0.5) -> bytes:
    return encode(np.full((32, 32, 3), shade), META, format=format)


@pytest.mark.parametrize("format", FORMATS)
def test_a_signed_picture_says_who_and_what(format: str, certificate: c2pa.Certificate) -> None:
    signed = c2pa.sign(picture(format), format, META, certificate)
    found = c2pa.read_signature(signed, format)
    assert found is not None
    assert (found.state, found.local, found.trusted) == ("valid", True, False)
    assert found.says_generated
    assert found.generator.startswith("nonet ")
    assert found.time == "2026-08-02T10:00:00Z"
    assert read_metadata(signed).record == read_metadata(picture(format)).record
    assert len(signed) - len(picture(format)) < 8_000


def test_no_manifest_is_none() -> None:
    assert c2pa.read_signature(picture("png"), "png") is None


def test_the_prompt_is_in_the_manifest_only_if_wanted(certificate: c2pa.Certificate) -> None:
    plain = encode(np.zeros((8, 8, 3)))
    assert b"a secret cat" not in c2pa.sign(plain, "png", META, certificate)
    assert b"a secret cat" in c2pa.sign(plain, "png", META, certificate, with_prompt=True)


@pytest.mark.parametrize("format", FORMATS)
def test_a_changed_picture_is_altered(format: str, certificate: c2pa.Certificate) -> None:
    signed = bytearray(c2pa.sign(picture(format), format, META, certificate))
    whole = c2pa.read_signature(bytes(signed), format)
    signed[-20] ^= 1
    found = c2pa.read_signature(bytes(signed), format)
    assert whole is not None
    assert found is not None
    assert (whole.state, found.state) == ("valid", "altered")


def test_a_manifest_copied_to_another_picture_is_altered(certificate: c2pa.Certificate) -> None:
    signed = c2pa.sign(picture("png", 0.5), "png", META, certificate)
    other = picture("png", 0.9)
    start = signed.index(b"caBX") - 4
    chunk = signed[start : start + 12 + int.from_bytes(signed[start : start + 4], "big")]
    found = c2pa.read_signature(other[:33] + chunk + other[33:], "png")
    assert found is not None
    assert found.state == "altered"


def test_a_cut_picture_is_unreadable(certificate: c2pa.Certificate) -> None:
    signed = c2pa.sign(picture("png"), "png", META, certificate)
    found = c2pa.read_signature(signed[: len(signed) // 2], "png")
    assert found is not None
    assert found.state == "unreadable"


def test_an_expired_certificate_is_named(
    certificate: c2pa.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(c2pa, "_LIFE", datetime.timedelta(hours=2))
    expired = c2pa._make_local()
    with pytest.raises(NonetError) as caught:
        c2pa.sign(picture("png"), "png", META, expired)
    assert caught.value.code == "setting_invalid"


def test_a_certificate_that_ran_out_since_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # It began a day ago; it ends in three seconds.
    monkeypatch.setattr(c2pa, "_LIFE", datetime.timedelta(days=1, seconds=3))
    signed = c2pa.sign(picture("png"), "png", META, c2pa._make_local())
    deadline = time.monotonic() + 30
    while True:
        found = c2pa.read_signature(signed, "png")
        assert found is not None
        if found.state != "valid" or time.monotonic() > deadline:
            break
        time.sleep(0.25)
    assert (found.state, found.trusted) == ("expired", False)


def test_the_local_certificate_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = c2pa.local_certificate(tmp_path / "config")
    assert c2pa.local_certificate(tmp_path / "config") == first
    (path,) = (tmp_path / "config").rglob("*.pem")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert c2pa.local_certificate(tmp_path / "other") != first


def test_a_damaged_local_certificate_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    c2pa.local_certificate(tmp_path)
    (path,) = tmp_path.rglob("*.pem")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(NonetError, match="damaged") as caught:
        c2pa.local_certificate(tmp_path)
    assert "Delete" in caught.value.hint


@pytest.mark.parametrize("change", [{"key": b"x"}, {"chain": b"x"}, {"algorithm": "rot13"}])
def test_a_certificate_that_cannot_sign_is_an_error(
    certificate: c2pa.Certificate, change: dict[str, bytes]
) -> None:
    wrong = dataclasses.replace(certificate, **change)  # type: ignore[arg-type]
    with pytest.raises(NonetError, match="cannot be signed") as caught:
        c2pa.sign(picture("png"), "png", META, wrong)
    assert caught.value.code == "setting_invalid"


def test_a_certificate_by_setting(tmp_path: Path, certificate: c2pa.Certificate) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(certificate.chain)
    key.write_bytes(certificate.key)
    assert c2pa.read_certificate(chain, key) == certificate
    with pytest.raises(NonetError) as caught:
        c2pa.read_certificate(tmp_path / "missing.pem", key)
    assert caught.value.code == "file_unreadable"


@pytest.fixture
def named(tmp_path: Path, certificate: c2pa.Certificate, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with chain.pem and key.pem, which the environment names."""
    for name, content in (("", certificate.chain), ("_KEY", certificate.key)):
        path = tmp_path / f"{name or 'chain'}.pem"
        path.write_bytes(content)
        monkeypatch.setenv(f"NONET_CERTIFICATE{name}", os.fspath(path))
    return tmp_path


def test_the_environment_names_a_certificate(
    named: Path, certificate: c2pa.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert c2pa.certificate_of_user() == (certificate, "")
    monkeypatch.setenv("NONET_TIME_AUTHORITY", "http://127.0.0.1:1/")
    found, _ = c2pa.certificate_of_user()
    assert found is not None
    assert found.time_authority == "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NONET_CERTIFICATE_KEY", ""),
        ("NONET_CERTIFICATE_KEY", "missing.pem"),
        ("NONET_CERTIFICATE_ALGORITHM", "rot13"),
    ],
)
def test_a_named_certificate_that_cannot_sign_is_an_error_before_anything_is_drawn(
    named: Path, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(NonetError) as caught:
        c2pa.certificate_of_user()
    assert caught.value.code in ("setting_invalid", "file_unreadable")


def test_without_a_named_one_it_is_the_local_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NONET_CONFIG", os.fspath(tmp_path))
    assert c2pa.certificate_of_user() == (c2pa.local_certificate(tmp_path), "")
    monkeypatch.setattr(c2pa, "available", lambda: False)
    assert c2pa.certificate_of_user() == (None, "")


def test_the_settings_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NONET_CONFIG", os.fspath(tmp_path))
    assert c2pa.config_folder() == tmp_path
    monkeypatch.delenv("NONET_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", os.fspath(tmp_path))
    if sys.platform.startswith("linux"):
        assert c2pa.config_folder() == tmp_path / "nonet"


def test_without_the_extra_signing_is_an_error(
    certificate: c2pa.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(c2pa, "available", lambda: False)
    with pytest.raises(NonetError, match=r"nonet\[provenance\]"):
        c2pa.sign(picture("png"), "png", META, certificate)
