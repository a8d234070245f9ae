"""What of a drawing people take along."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import pytest
from PIL import Image

from nonet.safety.provenance.reading import read_metadata
from page_site import Visitors, visited


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitors]:
    with visited(tmp_path_factory.mktemp("keeping")) as site:
        yield site


def test_sheet_card_and_small_picture_say_what_they_are(site: Visitors) -> None:
    browser = site.browser()
    path = site.drawn(browser, "a very small cat")
    for name, format, size in (
        ("sheet.png", "PNG", None),
        ("sheet.jpg", "JPEG", None),
        ("sheet.webp", "WEBP", None),
        ("card.jpg", "JPEG", (1200, 630)),
        ("small.webp", "WEBP", (288, 288)),
    ):
        answer = browser.get(f"{path}/{name}")
        image = Image.open(io.BytesIO(answer.content))
        assert image.format == format
        assert answer.headers["content-type"] == Image.MIME[format]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert size is None or image.size == size
        metadata = read_metadata(answer.content)
        assert metadata.says_generated
        assert metadata.record is not None
        assert metadata.record["prompt"] == "a very small cat"
        assert (
            browser.get(f"{path}/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code
            == 304
        )
    assert browser.head(f"{path}/card.jpg").status_code == 200
    assert browser.get(f"{path}/sheet.gif").status_code == 404


def test_the_archive_has_all_pictures_but_those_withheld(site: Visitors) -> None:
    browser = site.browser()
    path = site.drawn(browser, "../../a cat")
    site.site.services.jobs.hide(path[3:], 0)
    answer = browser.get(f"{path}/all.zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="a-cat.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [*(f"a-cat/{number}.png" for number in range(2, 10)), "a-cat/sheet.png"]
        picture = browser.get(f"/api/drawings/{path[3:]}/pictures/1.png")
        assert archive.read("a-cat/2.png") == picture.content


def test_a_hidden_picture_leaves_what_was_made_before(site: Visitors) -> None:
    browser = site.browser()
    path = site.drawn(browser, "a cat")
    before = browser.get(f"{path}/small.webp").content
    site.site.services.jobs.hide(path[3:], 3)
    assert browser.get(f"{path}/small.webp").content != before


def test_nothing_of_what_is_not_drawn(site: Visitors) -> None:
    browser = site.browser()
    path = browser.post("/d", data={"prompt": "a slow cat"}).headers["location"]
    for name in ("sheet.png", "card.jpg", "small.webp", "all.zip", "meme/0", "report"):
        assert browser.get(f"{path}/{name}").status_code == 404, name
    browser.post(f"{path}/cancel")


def test_the_meme_maker_knows_its_pictures(site: Visitors) -> None:
    browser = site.browser()
    path = site.drawn(browser, "a cat")
    assert (
        'aria-label="a cat, picture 9 of 9, AI-generated, may not be true"'
        in browser.get(f"{path}/meme/8").text
    )
    for index in ("9", "-1", "x", "00", "0x0"):
        assert browser.get(f"{path}/meme/{index}").status_code == 404
