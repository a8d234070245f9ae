"""Pictures and sheets as files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from api_site import LiveSite, live_site
from nonet.safety.provenance.reading import read_metadata


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with live_site(tmp_path_factory.mktemp("pictures")) as live:
        yield live


@pytest.fixture(scope="module")
def drawn(live: LiveSite) -> dict[str, Any]:
    return live.drawn("a cat on the moon", count=4, seed=5)


@pytest.mark.parametrize("format", ["png", "webp", "jpg"])
def test_every_format_says_what_it_is(live: LiveSite, drawn: dict[str, Any], format: str) -> None:
    for path, seed in ((f"{drawn['url']}/pictures/2.{format}", 7), (f"{drawn['url']}/sheet.{format}", 5)):
        found = read_metadata(live.get(path).body)
        assert found.says_generated
        assert found.record is not None
        assert (found.record["prompt"], found.record["seed"]) == ("a cat on the moon", seed)
        assert found.format == {"jpg": "jpeg"}.get(format, format)


def test_who_has_a_picture_need_not_fetch_it_again(live: LiveSite, drawn: dict[str, Any]) -> None:
    first = live.get(drawn["pictures"][0]["webp"])
    assert "max-age" in first.headers["cache-control"]
    again = live.get(drawn["pictures"][0]["webp"], If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = live.get(drawn["pictures"][1]["webp"], If_None_Match=first.headers["etag"])
    assert other.status == 200


def test_a_file_has_a_name_and_is_never_taken_for_something_else(
    live: LiveSite, drawn: dict[str, Any]
) -> None:
    answer = live.get(drawn["pictures"][1]["jpg"])
    assert answer.headers["content-disposition"] == f'inline; filename="{drawn["id"]}-1.jpg"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    saved = live.get(drawn["sheet"] + "?download=true")
    assert saved.headers["content-disposition"] == f'attachment; filename="{drawn["id"]}.png"'


def test_the_head_of_a_file_can_be_had_alone(live: LiveSite, drawn: dict[str, Any]) -> None:
    for path in (drawn["pictures"][0]["png"], drawn["sheet"]):
        whole, head = live.get(path), live.ask("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.body))
        assert head.headers["etag"] == whole.headers["etag"]


def test_quality(live: LiveSite, drawn: dict[str, Any]) -> None:
    sizes = [len(live.get(f"{drawn['pictures'][0]['jpg']}?quality={quality}").body) for quality in (5, 95)]
    assert sizes[0] < sizes[1]
    for wrong in ("0", "101", "x", ""):
        answer = live.get(f"{drawn['pictures'][0]['jpg']}?quality={wrong}")
        assert (answer.status, answer.json()["error"]["code"]) == (422, "setting_invalid")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "4.png",
            "-1.png",
            "0.gif",
            "0.PNG",
            "00000.png",
            "0",
            "0.",
            ".png",
            "0.png.png",
            "1e0.png",
            "+1.png",
        ),
        *("..%2f..%2f0.png", "%2e%2e/0.png", "0.png%00", "0%00.png", "%D9%A1.png", "9" * 4000 + ".png"),
    ],
    ids=lambda value: value[:20],
)
def test_there_are_no_other_names(live: LiveSite, drawn: dict[str, Any], name: str) -> None:
    answer = live.get(f"{drawn['url']}/pictures/{name}")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "name", ["sheet.gif", "sheet", "sheet.", "sheet.PNG", "sheet.png/..", "sheet.png%00"]
)
def test_there_are_no_other_sheets(live: LiveSite, drawn: dict[str, Any], name: str) -> None:
    assert live.get(f"{drawn['url']}/{name}").status == 404


def test_what_is_not_drawn_yet_says_so(live: LiveSite) -> None:
    told = live.post("/api/drawings", {"prompt": "pause=2", "count": 2}).json()
    for path in ("pictures/1.png", "sheet.png"):
        answer = live.get(f"{told['url']}/{path}")
        assert answer.status == 404
        assert "yet" in answer.json()["error"]["message"]


def test_a_sheet_without_a_hidden_picture(live: LiveSite) -> None:
    told = live.drawn("a cat", count=4)
    before = Image.open(io.BytesIO(live.get(told["sheet"]).body)).convert("RGB")
    live.site.services.jobs.hide(told["id"], 0)
    after = Image.open(io.BytesIO(live.get(told["sheet"]).body)).convert("RGB")
    assert after.tobytes() != before.tobytes()
