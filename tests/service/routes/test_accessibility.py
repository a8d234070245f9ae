"""Pages for everybody: axe-core on every page in dark and light, sizes of targets, motion, and how fast they are.

The times are those that Lighthouse takes, with its "good" bounds, on a machine that runs tests: the best of three tries
counts. Shifts of the layout do not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import browsing
import live_server
import service_fakes
from browsing import DESKTOP, PHONE, draw, drawn, path_of, violations, visit
from nonet.service.server import app_of

LCP_MS, INP_MS, CLS = 2500, 200, 0.1
TARGET = 24
ADMIN = {"username": "admin", "password": "open sesame"}
OBSERVE = """
window.seen = { lcp: 0, shift: 0, delay: 0, interactions: 0 };
const watch = (type, act, more) => new PerformanceObserver((list) => list.getEntries().forEach(act))
  .observe({ type, buffered: true, ...more });
watch("largest-contentful-paint", (one) => { seen.lcp = one.startTime; });
watch("layout-shift", (one) => { if (!one.hadRecentInput) seen.shift += one.value; });
watch("event", (one) => {
  if (!one.interactionId) return;
  seen.interactions += 1;
  seen.delay = Math.max(seen.delay, one.duration);
}, { durationThreshold: 16 });
"""
# Links in running text may be lower: their line is.
SMALL_TARGETS = """(least) => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .filter((one) => !one.closest(".skip"))
  .filter((one) => [null, one.textContent.trim()].includes(one.closest("p")?.textContent.trim() ?? null))
  .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < least || box.height < least))
  .map(([html, box]) => `${html} ${box.width}x${box.height}`)"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pages")
    with (
        service_fakes.running(folder, admin_token=ADMIN["password"]) as site,
        live_server.served(app_of(site)) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.chromium() as browser:
        yield browser


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param(DESKTOP, "light", id="desktop-light"),
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param(DESKTOP, "dark", id="desktop-dark", marks=pytest.mark.slow),
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_on_any_page(
    browser: Browser, site: str, size: dict[str, int], scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    with visit(browser, site, size=size, color_scheme=scheme, http_credentials=ADMIN) as (page, context):

        def look(name: str) -> None:
            problems = violations(page) + page.evaluate(SMALL_TARGETS, TARGET)
            if problems:
                found[name] = problems

        path = draw(page, "a cat pause=0.2")
        page.wait_for_selector("#pans a")
        look("while it is drawn")
        drawn(page)
        look("drawn")
        page.locator("#pans a").first.click()
        look("enlarged")
        page.keyboard.press("Escape")
        page.click("text=Put in the gallery")
        page.wait_for_load_state()
        look("published")
        pages = [
            "/",
            "/mine",
            "/gallery",
            "/gallery?q=nothing",
            "/about",
            "/verify",
            "/docs",
            "/no-such-page",
        ]
        for where in [*pages, f"{path}/report", f"{path}/meme/0", f"{path}/delete"]:
            page.goto(where)
            look(where)
        context.request.post(f"{path}/report")
        page.goto("/admin")
        assert "a cat" in page.content()
        look("/admin")
        page.goto("/")
        page.click("summary")
        page.fill("#prompt", "a bloody beheading")
        page.click("text=Draw nine")
        page.wait_for_selector("#tin.calm")
        look("refused")
        draw(page, "raise")
        page.wait_for_selector("#tin.failed")
        look("failed")
    assert not found


def test_axe_finds_what_is_wrong(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, _):
        page.goto("/about")
        page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<img src=\"/favicon.ico\"><button></button>')"
        )
        assert len(violations(page)) >= 2
        page.evaluate(
            "document.querySelector('main').insertAdjacentHTML('beforeend', '<div><a href=/>.</a></div>')"
        )
        assert page.evaluate(SMALL_TARGETS, TARGET)


def test_nothing_moves_for_those_who_do_not_want_it(browser: Browser, site: str) -> None:
    running = "document.getAnimations().length"
    with visit(browser, site) as (page, _):
        page.goto("/")
        assert page.evaluate(running) > 0
    with visit(browser, site, reduced_motion="reduce") as (page, _):
        page.goto("/")
        assert page.evaluate(running) == 0


def measured(page: Page) -> dict[str, Any]:
    """What the observers have seen, after the browser has had time to tell them."""
    page.wait_for_timeout(300)
    seen: dict[str, Any] = page.evaluate("seen")
    return seen


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_drawing_page_is_fast_and_nothing_jumps(
    browser: Browser, site: str, size: dict[str, int]
) -> None:
    tries = []
    for _ in range(3):
        with visit(browser, site, size=size) as (page, context):
            context.add_init_script(OBSERVE)
            page.goto("/")
            page.wait_for_load_state("networkidle")
            first = measured(page)
            page.click("text=Surprise me")
            page.click("#prompt")
            page.keyboard.press("Control+A")
            page.keyboard.type("a cat pause=0.1")
            page.click("text=Draw nine")
            drawn(page)
            page.locator("#pans a").nth(4).click()
            page.keyboard.press("ArrowRight")
            page.keyboard.press("Escape")
            seen = measured(page)
            assert seen["interactions"] > 5
            path = path_of(page)
            page.goto(path)
            page.wait_for_load_state("networkidle")
            again = measured(page)
        assert first["lcp"] > 0
        assert seen["shift"] <= CLS
        assert again["shift"] <= CLS
        tries.append((max(first["lcp"], again["lcp"]), seen["delay"]))
        if tries[-1][0] <= LCP_MS and tries[-1][1] <= INP_MS:
            return
    pytest.fail(f"largest paint and slowest interaction in ms: {tries}")


def test_a_shift_is_seen_when_there_is_one(browser: Browser, site: str) -> None:
    with visit(browser, site) as (page, context):
        context.add_init_script(OBSERVE)
        page.goto("/")
        page.wait_for_timeout(600)
        page.evaluate("document.querySelector('main').style.setProperty('padding-top', '400px')")
        assert measured(page)["shift"] > CLS
