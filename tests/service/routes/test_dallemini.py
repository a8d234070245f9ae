"""DALL-E Mini's API, asked as its old Gradio and Streamlit pages asked."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from starlette.requests import Request

import craiyon_client
from api_site import LiveSite, live_site
from nonet import __version__
from nonet.service.routes.dallemini import wants_json

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with live_site(tmp_path_factory.mktemp("dallemini")) as live:
        yield live


def pictures_for(address: str, prompt: str) -> tuple[list[Image.Image], str]:
    """As the old pages did it: no timeout, nothing but the status looked at."""
    answer = requests.post(address, json={"prompt": prompt})
    if answer.status_code != 200:
        raise RuntimeError(f"Service unavailable, status: {answer.status_code}")
    told = answer.json()
    pictures: list[Image.Image] = [Image.open(io.BytesIO(base64.b64decode(text))) for text in told["images"]]
    return pictures, str(told.get("version", "unknown"))


def test_a_client_of_2022_gets_nine_jpegs(live: LiveSite) -> None:
    pictures, version = pictures_for(f"{live.url}/generate", "an avocado armchair")
    assert [picture.format for picture in pictures] == ["JPEG"] * 9
    assert version == f"doodle-{__version__}"


def test_it_asks_the_address_itself_for_the_version(live: LiveSite) -> None:
    answer = requests.get(live.url)
    assert answer.status_code == 200
    assert answer.json() == {"version": f"doodle-{__version__}"}
    assert "Accept" in answer.headers["vary"]
    page = requests.get(live.url, headers={"Accept": "text/html,*/*;q=0.8", "User-Agent": BROWSER})
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("prompt", "status"),
    [("", 400), ("x" * 2001, 400), ("a bloody massacre of children", 400), ("nan", 500), ("a\x00b", 422)],
    ids=lambda value: str(value)[:20],
)
def test_what_is_not_drawn_has_another_status(live: LiveSite, prompt: str, status: int) -> None:
    with pytest.raises(RuntimeError, match=f"status: {status}"):
        pictures_for(f"{live.url}/generate", prompt)
    told = live.post("/generate", {"prompt": prompt}).json()
    assert set(told) == {"error", "code", "hint"}


def test_unknown_fields_are_ignored(live: LiveSite) -> None:
    assert live.post("/generate", {"prompt": "a cat", "num_images": 3}).status == 200


def test_craiyon_pys_first_version_works(
    live: LiveSite, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = craiyon_client.installed(request.config.cache.mkdir("craiyon-py"))
    script = """
import sys
from craiyon import CraiyonV1
client = CraiyonV1()
client.BASE_URL = sys.argv[1]
client.generate("a cat").save_images(sys.argv[2])
"""
    craiyon_client.run(folder, script, live.url, str(tmp_path))
    files = sorted(tmp_path.glob("*.jpg"))
    assert len(files) == 9
    assert {Image.open(io.BytesIO(file.read_bytes())).format for file in files} == {"JPEG"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_shell_script_with_curl_works(live: LiveSite) -> None:
    command = [
        "curl",
        "--silent",
        "--fail",
        f"{live.url}/generate",
        "-H",
        "Content-Type: application/json",
        "-d",
        '{"prompt": "a cat"}',
    ]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert len(json.loads(done.stdout)["images"]) == 9


@pytest.mark.parametrize(
    ("accept", "agent", "json"),
    [
        ("application/json", BROWSER, True),
        ("application/json, text/plain, */*", "axios/1.7.2", True),
        ("*/*", "python-requests/2.32.3", True),
        ("*/*", "Python/3.12 aiohttp/3.10.5", True),
        ("*/*", "python-httpx/0.28", True),
        (None, "Python-urllib/3.12", True),
        ("*/*", "node", False),
        ("*/*", "curl/8.5.0", False),
        ("*/*", "Twitterbot/1.0", False),
        ("*/*", "facebookexternalhit/1.1", False),
        ("*/*", "somebot python-requests/2.32", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", BROWSER, False),
        ("text/html, application/json", "python-requests/2.32.3", False),
        ("image/png", "python-requests/2.32.3", False),
    ],
)
def test_who_gets_the_version_and_who_the_page(accept: str | None, agent: str, json: bool) -> None:
    headers: list[Any] = [(b"user-agent", agent.encode())]
    if accept is not None:
        headers.append((b"accept", accept.encode()))
    assert wants_json(Request({"type": "http", "headers": headers})) is json


def test_a_site_that_allows_less_draws_less(tmp_path_factory: pytest.TempPathFactory) -> None:
    with live_site(tmp_path_factory.mktemp("few"), pictures_max=4) as few:
        assert len(few.post("/generate", {"prompt": "a cat"}).json()["images"]) == 4
