"""The pages' own files: small, complete, cached by what is in them."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files

import pytest

from nonet.service.assets import assets

SCRIPT_BYTES = 50_000


def test_all_script_together_is_small() -> None:
    scripts = {name: len(file.body) for name, file in assets().files.items() if name.endswith(".js")}
    assert len(scripts) > 5
    assert sum(scripts.values()) < SCRIPT_BYTES, scripts


def test_every_file_that_a_page_or_script_names_is_there() -> None:
    named: set[str] = set()
    for template in (files("nonet.service") / "templates").iterdir():
        named |= set(re.findall(r"static\('([^']+)'\)", template.read_text(encoding="utf-8")))
    for name, file in assets().files.items():
        if name.endswith(".js"):
            named |= set(re.findall(r'from "\./([^"]+)"', file.body.decode()))
    assert named <= set(assets().files), named - set(assets().files)
    assert "draw.js" in named


def test_nothing_in_a_page_needs_an_exception_from_the_strict_policy() -> None:
    for template in (files("nonet.service") / "templates").iterdir():
        if template.name == "admin.html":
            continue
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), template.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), template.name


def test_addresses_name_the_version_and_only_files_that_there_are() -> None:
    assert re.fullmatch(r"/static/[0-9a-f]{12}/draw\.js", assets().address("draw.js"))
    with pytest.raises(KeyError):
        assets().address("../settings.py")


def test_packed_files_are_the_same_files() -> None:
    for file in assets().files.values():
        assert not file.packed or gzip.decompress(file.packed) == file.body
