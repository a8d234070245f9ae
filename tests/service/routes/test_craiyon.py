"""Craiyon's APIs, asked by craiyon-py as it is published and by hand."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import craiyon_client
from api_site import LiveSite, live_site
from nonet.errors import NonetError
from nonet.safety.provenance.reading import read_metadata
from nonet.service.routes.craiyon import ImagePath

PATH = re.compile(r"\d{4}-\d\d-\d\d/[0-9a-f]{36}\.webp")
# The image host is written into craiyon-py; a person who points it here changes these two.
HOSTS = """
import sys
import craiyon.templates
from craiyon import Craiyon
host, folder = sys.argv[1:]
client = Craiyon()
client.BASE_URL = host
def here(images):
    images.images = [url.replace("https://img.craiyon.com", host) for url in images.images]
    return images
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with live_site(tmp_path_factory.mktemp("craiyon")) as live:
        yield live


@pytest.fixture(scope="module")
def v3(live: LiveSite) -> dict[str, Any]:
    """A drawing as version 3 answers it."""
    asked = {"prompt": "a cat on the moon", "negative_prompt": "", "model": "art", "token": None}
    found: dict[str, Any] = live.post("/v3", {**asked, "version": "c4ue22fb7kb6wlac"}).json()
    return found


@pytest.fixture
def package(request: pytest.FixtureRequest) -> Path:
    return craiyon_client.installed(request.config.cache.mkdir("craiyon-py"))


def opened(live: LiveSite, path: str) -> Image.Image:
    answer = live.get(f"/{path}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/webp"
    return Image.open(io.BytesIO(answer.body))


def test_craiyon_py_draws_and_saves(live: LiveSite, package: Path, tmp_path: Path) -> None:
    script = HOSTS + "images = here(client.generate('a cat on the moon', 'a dog', 'art'))\n"
    script += "images.save_images(folder)\nprint(images.description)\n"
    said = craiyon_client.run(package, script, live.url, str(tmp_path))
    assert said.strip()
    files = sorted(tmp_path.glob("*.webp"))
    assert len(files) == 9
    assert {Image.open(io.BytesIO(file.read_bytes())).format for file in files} == {"WEBP"}


def test_craiyon_py_draws_asynchronously(live: LiveSite, package: Path, tmp_path: Path) -> None:
    script = HOSTS + "import asyncio\nfrom craiyon.craiyon_utils import async_encode_base64\n"
    script += "images = here(asyncio.run(client.async_generate('a cat')))\n"
    script += "print(len(asyncio.run(async_encode_base64(images.images))))\n"
    assert craiyon_client.run(package, script, live.url, str(tmp_path)).strip() == "9"


def test_version_two(live: LiveSite) -> None:
    answer = live.post("/draw", {"prompt": "a cat", "token": None, "version": "35s5hfwn9n78gb06"})
    assert answer.status == 200
    assert set(answer.json()) == {"images"}
    assert len({*answer.json()["images"]}) == 9
    for path in answer.json()["images"]:
        assert PATH.fullmatch(path)
        assert opened(live, path).format == "WEBP"


def test_version_three(live: LiveSite, v3: dict[str, Any]) -> None:
    assert set(v3) == {"images", "ids", "next_prompt"}
    assert len(v3["images"]) == len(v3["ids"]) == 9
    assert v3["next_prompt"]
    assert v3["next_prompt"] != "a cat on the moon"


def test_version_four(live: LiveSite) -> None:
    asked = {"prompt": "a cat", "token": "turbis", "model": "auto", "negative_prompt": "", "size": "256x256"}
    answer = live.post("/v4", asked)
    assert answer.status == 200
    assert opened(live, answer.json()["images"][8]).size == (64, 64)
    assert live.post("/v4", {**asked, "size": "1024x1024"}).json()["code"] == "setting_invalid"


@pytest.mark.parametrize(
    "before", ["", "img.craiyon.com/", "https://img.craiyon.com/", "http://127.0.0.1:7777/"]
)
def test_upscaling(live: LiveSite, v3: dict[str, Any], before: str) -> None:
    path = v3["images"][3]
    asked = {"image_id": before + path, "prompt": "a cat", "version": "x", "token": None, "model": "art"}
    told = live.post("/upscale", {**asked, "negative_prompt": ""}).json()
    assert set(told) == {"images", "ids"}
    assert told["ids"] == [v3["ids"][3]]
    larger, small = opened(live, told["images"][0]), opened(live, path)
    assert larger.size == (128, 128)
    assert small.size == (64, 64)


def test_an_upscaled_picture_is_the_stored_one_interpolated_and_says_so(
    live: LiveSite, v3: dict[str, Any]
) -> None:
    told = live.post("/upscale", {"image_id": v3["ids"][0]}).json()
    data = live.get(f"/{told['images'][0]}").body
    record = read_metadata(data).record
    assert record is not None
    assert record["upscaled"] == {"times": 2, "by": "Lanczos"}
    assert record["prompt"] == "a cat on the moon"
    job, index = v3["ids"][0].split(".")
    stored = Image.open(io.BytesIO(live.get(f"/api/drawings/{job}/pictures/{index}.png").body)).convert("RGB")
    wanted = stored.resize((128, 128), Image.Resampling.LANCZOS)
    found = Image.open(io.BytesIO(data)).convert("RGB")
    # WebP loses a little.
    differences = [abs(a - b) for a, b in zip(wanted.tobytes(), found.tobytes(), strict=True)]
    assert sum(differences) / len(differences) < 4


@pytest.mark.parametrize(
    "image_id",
    [
        "",
        "x",
        "../../etc/passwd",
        "2026-11-25/" + "0" * 36 + ".webp",
        "A" * 22 + ".0",
        "\u0662" * 22,
        "a" * 5_000,
    ],
    ids=lambda value: value[:20],
)
def test_only_pictures_that_are_there_are_upscaled(live: LiveSite, image_id: str) -> None:
    answer = live.post("/upscale", {"image_id": image_id})
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


def test_a_path_that_was_not_answered_leads_nowhere(live: LiveSite, v3: dict[str, Any]) -> None:
    day, name = v3["images"][0].split("/")
    for path in (
        f"2001-01-01/{name}",
        f"{day}/{name[:-9]}ff01.webp",
        f"{day}/{name[:-9]}0003.webp",
        f"{day}/{name.upper()}",
        f"{day}/%2e%2e.webp",
        f"{day}/x.webp",
        f"{day}/{name[:-5]}.png",
    ):
        answer = live.get(f"/{path}")
        assert (answer.status, answer.json()["code"]) == (404, "not_found"), path


def test_hidden_pictures_are_gone_here_too(live: LiveSite, v3: dict[str, Any]) -> None:
    job, index = v3["ids"][8].split(".")
    live.site.services.jobs.hide(job, int(index))
    assert live.get(f"/{v3['images'][8]}").status == 404
    assert live.post("/upscale", {"image_id": v3["ids"][8]}).status == 404


@pytest.mark.parametrize("path", ["/draw", "/v3", "/v4"])
def test_refusals_are_plain(live: LiveSite, path: str) -> None:
    told = live.post(path, {"prompt": "a bloody massacre of children"})
    assert told.status == 400
    assert told.json()["code"] == "prompt_refused"
    assert isinstance(told.json()["error"], str)
    assert live.post(path, {"prompt": "x", "negative_prompt": 5, "token": 5}).status == 422


def test_paths_hold_job_index_and_size() -> None:
    path = ImagePath("uYA4jqIGTBif5uxD21-WYA", 7, 2)
    text = path.text("2026-11-25")
    assert PATH.fullmatch(text)
    assert ImagePath.parse(text[11:-5]) == path
    with pytest.raises(NonetError):
        ImagePath.parse("0" * 35)
