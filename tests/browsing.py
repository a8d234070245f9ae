"""A real browser for tests of the pages: Chromium, and everything that it complains of."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE = 60_000
"""Milliseconds until something must have happened; machines that run tests are busy."""
AXE = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; tests are skipped where there is none.

    One at a time and closed before other tests run: Playwright keeps an event loop running in this thread.
    """
    found = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Complaints(list[str]):
    """What a browser said that it never should: errors, broken rules of the content security policy, alert boxes."""

    def watch(self, page: Page) -> None:
        """Listen to a page."""
        page.on("pageerror", lambda error: self.append(f"error: {error}"))
        page.on("console", lambda said: self._console(said.type, said.text))
        page.on("dialog", self._dialog)

    def _dialog(self, dialog: Dialog) -> None:
        self.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, kind: str, text: str) -> None:
        # An answer with an error status is written to the console, too; which ones come is for the tests to say.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.append(f"{kind}: {text}")


@contextmanager
def visit(
    browser: Browser, base: str, *, size: dict[str, int] | None = None, **options: Any
) -> Iterator[tuple[Page, BrowserContext]]:
    """A page in a fresh browser profile; it fails the test if the browser complained."""
    context = browser.new_context(base_url=base, viewport=size or DESKTOP, **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    complaints = Complaints()
    context.on("page", complaints.watch)
    page = context.new_page()
    try:
        yield page, context
    finally:
        context.close()
    assert not complaints, list(complaints)


def draw(page: Page, prompt: str) -> str:
    """Ask for a drawing on the start page and return its path, from the first second on."""
    page.goto("/")
    page.fill("#prompt", prompt)
    page.click("text=Draw nine")
    page.wait_for_url("**/d/*")
    return path_of(page)


def path_of(page: Page) -> str:
    """The path of the page's address."""
    path: str = page.evaluate("location.pathname")
    return path


def drawn(page: Page) -> None:
    """Wait until all pictures are there."""
    page.wait_for_selector("#after .deeds")


def eventually(page: Page, expression: str, argument: Any = None) -> None:
    """Wait for a JavaScript expression to become true.

    Playwright's own `wait_for_function` needs `eval`, which the pages' content security policy forbids.
    """
    ends = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression, argument):
        assert time.monotonic() < ends, f"it did not become true: {expression}"
        page.wait_for_timeout(50)


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page, in a line each."""
    found = Axe().run(page, options=AXE).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found
    ]


def downloaded(page: Page, selector: str) -> Path:
    """Click on something and return the file that came."""
    with page.expect_download() as waiting:
        page.click(selector)
    return Path(waiting.value.path())
