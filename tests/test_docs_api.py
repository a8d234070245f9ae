"""docs/api.md: its examples run against a site, its tables are what the code does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import browsing
import documents
from api_site import LiveSite, live_site
from nonet.errors import CODES
from nonet.service.errors import status_of
from nonet.service.hub import FINAL
from nonet.service.openai_schemas import ImagesAsked
from nonet.service.schemas import DrawingAsked
from nonet.service.shapes import openai_status
from service_fakes import until

PAGE = "docs/api.md"
SHOWN = "http://127.0.0.1:7777"
TEXT = (documents.ROOT / PAGE).read_text(encoding="utf-8")
# Of the command and of training alone: no request brings them about.
NOT_OF_THE_SITE = {"data_missing", "data_corrupt", "fetch_failed", "offline", "config_invalid"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with live_site(tmp_path_factory.mktemp("docs")) as live:
        yield live


def blocks(language: str) -> list[documents.Block]:
    return [block for block in documents.blocks(language) if block.document == PAGE]


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_documented_python_runs(
    block: documents.Block, live: LiveSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert SHOWN in block.text
    exec(compile(block.text.replace(SHOWN, live.url), str(block), "exec"), {})
    for file in tmp_path.iterdir():
        assert file.stat().st_size > 100


def test_every_api_has_a_python_example_that_saves_pictures() -> None:
    saving = [block.text for block in blocks("python") if ".write(" in block.text]
    for address in ("/api/drawings", "images.generate(", "stream=True", "/generate"):
        assert any(address in text for text in saving), address


@pytest.mark.parametrize("block", blocks("js"), ids=str)
def test_documented_javascript_runs_in_a_browser(block: documents.Block, live: LiveSite) -> None:
    with browsing.chromium() as browser, browsing.visit(browser, live.url) as (page, _):
        page.goto("/about")
        page.evaluate("document.body.replaceChildren(...Array.from({ length: 9 }, () => new Image()))")
        page.evaluate(f"async () => {{ {block.text} }}")
        shown = "[...document.images].every((one) => one.src.endsWith('.png') && one.naturalWidth)"
        until(lambda: page.evaluate(shown))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("block", [block for block in blocks("sh") if "curl" in block.text], ids=str)
def test_documented_shell_commands_run(block: documents.Block, live: LiveSite) -> None:
    command = block.text.replace(SHOWN, live.url).replace("curl ", "curl --fail ")
    done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_the_shown_answer_has_the_fields_of_a_real_one(live: LiveSite) -> None:
    shown = next(json.loads(block.text) for block in blocks("json") if '"eta_seconds"' in block.text)
    real = live.post("/api/drawings", {"prompt": shown["prompt"], "seed": shown["seed"]}).json()
    assert list(shown) == list(real)
    for name in ("prompt", "negative_prompt", "count", "seed", "guidance", "candidates", "pictures"):
        assert shown[name] == real[name]


def test_the_error_table_is_every_code_with_its_statuses() -> None:
    rows = documents.table(PAGE, "## Errors")
    documented = {row[0].strip("`"): row for row in rows}
    assert set(documented) == CODES - NOT_OF_THE_SITE
    for code, (_, native, openai, when) in documented.items():
        assert int(native[:3]) == status_of(code), code
        assert openai == "the same" or int(openai) == openai_status(code), code
        assert when


def test_the_event_table_is_what_happens(live: LiveSite) -> None:
    rows = documents.table(PAGE, "### Events")
    documented = {
        kind: re.findall(r"`(\w+)`", row[1]) for row in rows for kind in re.findall(r"`(\w+)`", row[0])
    }
    assert set(documented) >= FINAL
    told = live.post("/api/drawings", {"prompt": "quarters pause=0.1", "count": 2}).json()
    failed = live.post("/api/drawings", {"prompt": "nan", "count": 1}).json()
    for drawing in (told, failed):
        text = live.get(drawing["events"]).body.decode()
        for kind, data in re.findall(r"event: (\w+)\ndata: (.*)", text):
            assert sorted(json.loads(data)) == sorted(documented[kind]), kind


def test_every_field_of_the_requests_is_documented() -> None:
    native = TEXT.split("## Nonet's own API", 1)[1].split("### Events", 1)[0]
    assert all(f"`{name}`" in native for name in DrawingAsked.model_fields)
    rows = documents.table(PAGE, "## OpenAI's Images API")
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(ImagesAsked.model_fields)


def test_every_documented_address_is_there(live: LiveSite) -> None:
    described: dict[str, Any] = live.get("/openapi.json").json()["paths"]
    patterns = [re.sub(r"\\{\w+\\}", r"[^/]+", re.escape(path)) for path in described]
    for method, path in re.findall(r"`(GET|POST|DELETE) (/[^\s`]*)`?", TEXT):
        if path != "/":
            assert any(re.fullmatch(pattern, path.replace("...", "x")) for pattern in patterns), (
                f"{method} {path}"
            )


def test_the_headers_are_there(live: LiveSite) -> None:
    rows = documents.table(PAGE, "## Headers")
    named = {name.lower() for row in rows for name in re.findall(r"`([\w-]+)`", row[0])}
    told = live.post("/api/drawings", {"prompt": "a cat"}).headers
    openai = live.post("/v1/images/generations", {"prompt": "a cat", "model": "x"}).headers
    picture = live.get(live.drawn(count=1)["pictures"][0]["png"]).headers
    found = {name.lower() for headers in (told, openai, picture) for name in headers}
    # A full line is looked at in the tests of the APIs.
    assert named - found == {"retry-after"}
