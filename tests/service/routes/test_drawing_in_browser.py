"""The page as people use it: in a real browser, against a running site whose engine draws plain pictures."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

import browsing
import live_server
import service_fakes
from browsing import PHONE, draw, drawn, eventually, path_of, visit
from nonet.service.server import app_of


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        service_fakes.running(tmp_path_factory.mktemp("pages")) as site,
        live_server.served(app_of(site)) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.chromium() as browser:
        yield browser


def status(page: Page) -> str:
    return page.inner_text("#status")


def test_one_line_becomes_nine_pictures(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        page.goto("/")
        assert page.locator("#pans > li").count() == 9
        assert page.locator("[role=status]").count() == 1
        page.fill("#prompt", "a cat pause=0.1")
        page.click("text=Draw nine")
        page.wait_for_url(re.compile(r"/d/[\w-]{22}$"))
        # The address is there before the first picture is, and nothing was loaded anew.
        assert page.locator("#pans a").count() < 9
        drawn(page)
        assert status(page) == "All nine are drawn."
        pictures = page.locator("#pans img")
        assert pictures.count() == 9
        assert (
            pictures.nth(2).get_attribute("alt")
            == "a cat pause=0.1, picture 3 of 9, AI-generated, may not be true"
        )
        loaded = "pictures => pictures.every(one => one.complete && one.naturalWidth > 0)"
        assert pictures.evaluate_all(loaded)
        assert page.title().startswith("a cat pause=0.1")
        # What the pictures were drawn after came with the end.
        page.locator("#pans a").first.click()
        expect(page.locator("#viewer-sources")).to_contain_text("picture 0 (Fake Set, CC0-1.0)")


def test_pictures_are_seen_while_they_are_drawn(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        draw(page, "a cat pause=0.3")
        page.wait_for_selector("#pans img.partial")
        assert str(page.get_attribute("#pans img.partial", "src")).startswith("data:image/webp")
        expect(page.locator("#status")).to_contain_text(re.compile(r"\d of 9 drawn"))
        drawn(page)
        assert page.locator("#pans img.partial").count() == 0


def test_a_drawing_survives_reload_and_is_on_every_device(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        path = draw(page, "a cat pause=0.4")
        page.wait_for_selector("#pans a")
        page.reload()
        assert path_of(page) == path
        assert page.locator("#pans > li").count() == 9
        with visit(browser, site, size=PHONE) as (other, _):
            other.goto(path)
            drawn(other)
            assert other.locator("#pans img").count() == 9
            alt = "a cat pause=0.4, picture 9 of 9, AI-generated, may not be true"
            assert other.locator("#pans img").last.get_attribute("alt") == alt
            # It is not theirs: they cannot delete or publish it.
            assert other.locator("text=Delete").count() == 0
        drawn(page)
        alts = page.locator("#pans img").evaluate_all("all => all.map(one => one.alt)")
        assert alts == [
            f"a cat pause=0.4, picture {number} of 9, AI-generated, may not be true"
            for number in range(1, 10)
        ]
        assert page.locator("text=Delete").count() == 1


def test_a_drawing_survives_sleep(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, context):
        draw(page, "a dog pause=0.3")
        page.wait_for_selector("#pans a")
        context.set_offline(True)
        page.wait_for_timeout(1500)
        context.set_offline(False)
        drawn(page)
        assert page.locator("#pans img").count() == 9


def test_everything_works_without_script(browser: Browser, site: str) -> None:
    with visit(browser, site, java_script_enabled=False) as (page, _):
        page.goto("/")
        page.click("text=Surprise me")
        assert len(page.input_value("#prompt")) > 5
        page.fill("#prompt", "a cat pause=0.3")
        page.click("text=Draw nine")
        page.wait_for_url(re.compile(r"/d/[\w-]{22}$"))
        assert page.locator("noscript").count() > 0
        page.wait_for_selector("#after .deeds")  # the page looked again by itself
        assert page.locator("#pans img").count() == 9
        picture = page.request.get(str(page.locator("#pans a").nth(8).get_attribute("href")))
        assert picture.headers["content-type"] == "image/webp"
        page.click("text=Put in the gallery")
        page.goto("/gallery")
        assert page.locator(".piece").count() >= 1


def test_the_keyboard_is_enough(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        page.goto("/")
        page.focus("#prompt")
        page.keyboard.type("a cat on the keyboard")
        page.keyboard.press("Enter")
        drawn(page)
        page.focus("#pans li:nth-child(1) a")
        for key, number in (("ArrowRight", 2), ("ArrowDown", 5), ("ArrowLeft", 4), ("ArrowUp", 1)):
            page.keyboard.press(key)
            index = page.evaluate("document.activeElement.dataset.picture")
            assert int(index) + 1 == number, key
        page.keyboard.press("Enter")
        expect(page.locator("#viewer")).to_be_visible()
        assert page.inner_text("#viewer-count") == "Picture 1 of 9"
        page.keyboard.press("ArrowDown")
        assert page.inner_text("#viewer-count") == "Picture 4 of 9"
        assert "picture 4 of 9" in str(page.get_attribute("#viewer-picture", "alt"))
        page.keyboard.press("Escape")
        expect(page.locator("#viewer")).to_be_hidden()
        # Back where one was: on the picture that was seen last.
        eventually(page, "document.activeElement.dataset.picture === '3'")


def test_pictures_can_be_taken_along(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        draw(page, "a very small cat")
        drawn(page)
        sheet = browsing.downloaded(page, "text=The sheet")
        assert sheet.read_bytes().startswith(b"\x89PNG")
        with zipfile.ZipFile(browsing.downloaded(page, "text=All 9, zipped")) as archive:
            assert archive.testzip() is None
            numbers = [*(f"{number}.png" for number in range(1, 10)), "sheet.png"]
            assert archive.namelist() == [f"a-very-small-cat/{name}" for name in numbers]
        page.locator("#pans a").nth(4).click()
        one = browsing.downloaded(page, "#viewer-download")
        assert one.read_bytes().startswith(b"\x89PNG")


def test_a_meme_is_made_in_the_browser(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        path = draw(page, "a cat for a meme")
        drawn(page)
        page.goto(f"{path}/meme/4")
        eventually(
            page, "document.getElementById('canvas').getContext('2d').getImageData(9, 300, 1, 1).data[3] > 0"
        )
        before = page.evaluate("document.getElementById('canvas').toDataURL()")
        page.fill("#top", "when you ask")
        page.fill("#bottom", "for a hamster Godzilla in a sombrero " * 4)
        after = page.evaluate("document.getElementById('canvas').toDataURL()")
        assert before != after
        assert "when you ask" in str(page.get_attribute("#canvas", "aria-label"))
        made = browsing.downloaded(page, "#download").read_bytes()
        assert made.startswith(b"\x89PNG")
        assert int.from_bytes(made[16:20], "big") == 768


def test_sharing_by_the_system_and_by_the_clipboard(browser: Browser, site: str) -> None:
    stub = """
      window.shared = [];
      navigator.canShare = (what) => what.files.every((one) => one.type === "image/png");
      navigator.share = async (what) => { shared.push([what.url, what.files.map((one) => one.size > 1000)]); };
    """
    with visit(browser, site, permissions=["clipboard-read", "clipboard-write"]) as (page, context):
        context.add_init_script(stub)
        path = draw(page, "a cat to share")
        drawn(page)
        page.click("[data-share=native]")
        eventually(page, "shared.length === 1")
        assert page.evaluate("shared") == [[f"{site}{path}", [True]]]
        page.click("[data-share=copy]")
        expect(page.locator("#status")).to_contain_text("The address is copied.")
        assert page.evaluate("navigator.clipboard.readText()") == f"{site}{path}"
        links = page.locator("#share a").evaluate_all("links => links.map(one => one.hostname)")
        assert links == ["x.com", "www.reddit.com"]


def test_the_browser_complains_where_the_policy_is_broken(browser: Browser, site: str) -> None:
    # Otherwise the other tests would prove nothing.
    def styled() -> None:
        with visit(browser, site) as (page, _):
            page.goto("/about")
            page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
            page.wait_for_timeout(200)

    with pytest.raises(AssertionError, match="Content Security Policy"):
        styled()


def test_what_was_drawn_on_this_device_is_remembered_here_alone(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        first, second = (draw(page, f"{what} <b>bold</b>") for what in ("a cat", "a dog"))
        drawn(page)
        page.goto("/mine")
        links = page.locator("#mine .piece > a")
        assert links.evaluate_all("links => links.map(one => one.getAttribute('href'))") == [second, first]
        assert "a dog <b>bold</b>" in page.inner_text("#mine")
        page.locator("#mine button").first.click()
        page.reload()
        assert links.count() == 1
        page.click("text=Forget this list")
        page.reload()
        assert links.count() == 0
    with visit(browser, site) as (page, _):
        page.goto("/mine")
        assert "Nothing yet" in status(page)


def test_draw_again_and_more_like_this(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        path = draw(page, "a hamster wearing a crown")
        drawn(page)
        number = page.inner_text("#plate")
        page.click("text=Draw it again")
        eventually(page, "path => location.pathname !== path", path)
        drawn(page)
        assert page.inner_text("#plate") != number
        again = path_of(page)
        line = page.locator("#after .chips button").nth(1).inner_text()
        page.locator("#after .chips button").nth(1).click()
        eventually(page, "path => location.pathname !== path", again)
        drawn(page)
        assert page.input_value("#prompt") == line
        page.go_back()
        page.wait_for_selector("#after .deeds")
        assert page.inner_text("#title") == "a hamster wearing a crown"


def test_seed_and_negative_prompt(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        sources = []
        for _round in range(2):
            page.goto("/")
            page.click("summary")
            page.fill("#negative", "a dog")
            page.fill("#seed", "77")
            page.fill("#prompt", "a cat")
            page.click("text=Draw nine")
            drawn(page)
            assert page.inner_text("#plate") == "no. 77"
            assert "a dog" in page.inner_text("#after")
            picture = page.request.get(f"/api/drawings/{path_of(page)[3:]}/pictures/0.png")
            sources.append(picture.body())
        assert sources[0] == sources[1]


def test_a_refused_line_is_answered_not_drawn(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        for prompt, ideas in (("a bloody beheading", 4), ("suicide by hanging", 0)):
            page.goto("/")
            page.fill("#prompt", prompt)
            page.click("text=Draw nine")
            expect(page.locator("#status")).to_contain_text("Not drawn, because")
            assert path_of(page) == "/"
            assert page.input_value("#prompt") == prompt
            # It is not said again in large letters, and no jokes follow where help is what is needed.
            assert page.inner_text("#title") == "Not this one."
            assert page.locator("#tin.calm").count() == 1
            assert page.locator("#after .chips button").count() == ideas
        assert "findahelpline.com" in status(page)


def test_a_failed_drawing_says_why_and_offers_another_try(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        draw(page, "raise a cat")
        page.wait_for_selector("#tin.failed")
        assert len(status(page)) > 10
        page.reload()
        assert page.locator("#tin.failed").count() == 1
        assert page.locator("text=↻ raise a cat").count() == 1


def test_a_drawing_can_be_stopped(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        draw(page, "a slow cat")
        page.click("text=Stop drawing")
        expect(page.locator("#status")).to_contain_text("cancelled")


def test_markup_in_a_line_is_text_everywhere(browser: Browser, site: str) -> None:
    line = "\"><img src=x onerror=alert(1)><script>alert(2)</script> '; DROP TABLE drawings; --"
    with visit(browser, site) as (page, _):
        path = draw(page, line)
        drawn(page)
        for where in (path, f"{path}/meme/0", f"{path}/report", "/mine", f"{path}/delete"):
            page.goto(where)
            assert "DROP TABLE" in page.content()
            assert page.locator("img[src=x], main script").count() == 0
        page.goto(path)
        assert page.inner_text("#title") == line
        assert page.input_value("#prompt") == line


def test_a_full_line_is_a_place_to_wait_that_tries_again_by_itself(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("full")
    with (
        service_fakes.running(folder, queue_max=1, drawings_together=1) as full,
        live_server.served(app_of(full)) as url,
        visit(browser, url, size=PHONE) as (page, context),
    ):
        for prompt in ("a cat pause=1.4", "a dog pause=0.1"):
            answer = context.request.post("/api/drawings", data={"prompt": prompt})
            assert answer.status == 202
            if prompt.startswith("a cat"):
                service_fakes.until(lambda: full.services.jobs.queued() == 0)
        page.goto(answer.json()["page"])
        expect(page.locator("#status")).to_contain_text("Next in line")
        page.goto("/")
        page.fill("#prompt", "a fish")
        with page.expect_response(lambda seen: seen.url.endswith("/d") and seen.status == 503) as refused:
            page.click("text=Draw nine")
        assert int(refused.value.headers["retry-after"]) >= 1
        expect(page.locator("#status")).to_contain_text("Every brush is busy")
        expect(page.locator("#status")).to_contain_text(re.compile(r"try 2 in \d+ s"))
        # No hand touches it from here on.
        page.wait_for_url("**/d/*")
        drawn(page)
