"""The pages as they go over the wire: statuses, headers, text that stays text, what preview bots read."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import service_fakes
from nonet.service.assets import assets
from nonet.service.records import Caller
from page_site import Visitors, visited

PAGES = ("/", "/mine", "/gallery", "/about", "/verify", "/docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitors]:
    with visited(tmp_path_factory.mktemp("pages"), public_url="https://nonet.example") as site:
        yield site


def test_every_page_has_the_strict_policy_and_one_status_region(site: Visitors) -> None:
    browser = site.browser()
    path = site.drawn(browser, "a cat")
    for where in (*PAGES, path, f"{path}/report", f"{path}/meme/0", f"{path}/delete", "/nothing-here"):
        answer = browser.get(where)
        assert answer.status_code == (404 if where == "/nothing-here" else 200), where
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.text.count('role="status"') == 1, where
        assert answer.text.count("<h1") == 1, where
        assert "{{" not in answer.text


def test_only_named_sites_may_frame_the_pages(site: Visitors, tmp_path: Path) -> None:
    assert "frame-ancestors 'none'" in site.browser().get("/").headers["content-security-policy"]
    with visited(tmp_path, frame_ancestors=["https://host.example"]) as framed:
        policy = framed.browser().get("/").headers["content-security-policy"]
        assert "frame-ancestors https://host.example" in policy


def test_other_sites_cannot_hand_lines_in(site: Visitors) -> None:
    answer = site.browser().post("/d", data={"prompt": "a cat"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "Not yours" in answer.text


def test_a_form_leads_to_the_drawings_own_address(site: Visitors) -> None:
    browser = site.browser()
    answer = browser.post(
        "/d", data={"prompt": "  a cat\r\n on the moon ", "seed": "7", "negative_prompt": "dogs"}
    )
    assert answer.status_code == 303
    job = site.site.services.jobs.get(answer.headers["location"].removeprefix("/d/"))
    assert (job.request.prompt, job.request.seed, job.request.negative_prompt) == (
        "a cat on the moon",
        7,
        "dogs",
    )
    assert (job.api, job.request.count) == ("page", 9)


def test_the_pages_script_is_answered_with_json(site: Visitors) -> None:
    browser = site.browser(Accept="application/json")
    answer = browser.post("/d", data={"prompt": "a cat"}, headers={"Idempotency-Key": "once"})
    again = browser.post("/d", data={"prompt": "a cat"}, headers={"Idempotency-Key": "once"})
    assert answer.status_code == 202
    assert answer.json() == again.json()
    assert answer.json()["page"] == f"/d/{answer.json()['id']}"
    refused = browser.post("/d", data={"prompt": "a bloody beheading"})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "prompt_refused"


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({}, 400, "The prompt is empty"),
        ({"prompt": "x" * 2001}, 400, "2,001 characters"),
        ({"prompt": "a cat", "seed": "seven"}, 422, "whole number"),
        ({"prompt": "a cat", "seed": "9" * 16}, 422, "seed"),
        ({"prompt": "a\0cat"}, 422, "control characters"),
        ({"prompt": "a bloody beheading"}, 400, "Not drawn, because"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_the_line_is_kept(
    site: Visitors, fields: dict[str, str], status: int, said: str
) -> None:
    answer = site.browser().post("/d", data=fields)
    assert answer.status_code == status
    assert said in html.unescape(answer.text)
    assert fields.get("prompt", "")[:2000] in html.unescape(answer.text)


def test_where_help_is_needed_no_jokes_are_made(site: Visitors) -> None:
    text = site.browser().post("/d", data={"prompt": "suicide by hanging"}).text
    assert "findahelpline.com" in text
    assert "Or try" not in text
    assert 'class="tin box calm"' in text
    assert text.count("suicide by hanging") == 1  # in the box alone
    assert "Or try" in site.browser().post("/d", data={"prompt": "a bloody beheading"}).text


def test_a_full_line_says_when_to_come_again(tmp_path: Path) -> None:
    with visited(tmp_path, queue_max=1, drawings_together=1) as full:
        browser = full.browser()
        browser.post("/d", data={"prompt": "a slow cat 0"})
        service_fakes.until(lambda: full.site.services.jobs.queued() == 0)  # it is being drawn
        answers = [browser.post("/d", data={"prompt": f"a slow cat {number}"}) for number in range(1, 4)]
        assert "Next in line" in browser.get(answers[0].headers["location"]).text
        last = answers[-1]
        assert last.status_code == 503
        assert int(last.headers["retry-after"]) >= 1
        assert "your line is still there" in last.text
        assert "a slow cat 3" in last.text


def test_while_it_is_drawn_a_page_without_script_looks_again(site: Visitors) -> None:
    browser = site.browser()
    path = browser.post("/d", data={"prompt": "a slow cat"}).headers["location"]
    text = browser.get(path).text
    assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', text)
    assert text.count('<li class="pan">') == 9
    assert f'action="{path}/cancel"' in text
    assert f'action="{path}/cancel"' not in site.browser().get(path).text
    assert site.browser().post(f"{path}/cancel").status_code == 403
    assert browser.post(f"{path}/cancel").status_code == 303
    text = browser.get(path).text
    assert "http-equiv" not in text
    assert "The drawing was cancelled." in text


def test_links_to_a_drawing_have_a_preview(site: Visitors) -> None:
    browser = site.browser()
    path = site.drawn(browser, 'a "quoted" cat & <dog>')
    text = browser.get(path).text
    found = dict(re.findall(r'<meta property="(og:[\w:]+)" content="([^"]*)">', text))
    assert found["og:image"] == f"https://nonet.example{path}/card.jpg"
    assert (found["og:image:width"], found["og:image:height"]) == ("1200", "630")
    assert "AI-generated" in found["og:image:alt"]
    assert html.unescape(found["og:title"]) == 'a "quoted" cat & <dog>'
    assert "may not be true" in found["og:description"]
    # Who has the link sees it; search engines are asked not to show what nobody published.
    assert '<meta name="robots" content="noindex">' in text
    browser.post(f"{path}/publish")
    assert '<meta name="robots" content="noindex">' not in browser.get(path).text
    assert "https://x.com/intent/post?" in text
    assert "https://www.reddit.com/submit?" in text


def test_unknown_and_hidden_drawings_are_not_there(site: Visitors) -> None:
    browser = site.browser()
    path = site.drawn(browser, "a cat")
    site.site.services.jobs.hide(path[3:])
    for where in (path, "/d/unknown", "/d/..%2f..%2fetc%2fpasswd", f"/d/{'x' * 5000}"):
        for below in (
            "",
            "/sheet.png",
            "/card.jpg",
            "/small.webp",
            "/all.zip",
            "/meme/0",
            "/report",
            "/delete",
        ):
            assert browser.get(where + below).status_code == 404, where + below
    assert "Nothing here" in browser.get(path).text


def test_a_picture_that_was_hidden_is_withheld(site: Visitors) -> None:
    browser = site.browser()
    path = site.drawn(browser, "a cat")
    site.site.services.jobs.hide(path[3:], 4)
    text = browser.get(path).text
    assert text.count("<img src=") == 8
    assert "Withheld" in text
    assert browser.get(f"{path}/meme/4").status_code == 404
    assert browser.get(f"{path}/sheet.png").status_code == 200


def test_programs_get_the_version_and_people_the_page(site: Visitors) -> None:
    assert set(site.browser(Accept="application/json").get("/").json()) == {"version"}
    assert site.browser().get("/").text.startswith("<!doctype html>")
    preview = site.browser(**{"Accept": "*/*", "User-Agent": "Twitterbot/1.0"})
    assert preview.get("/").text.startswith("<!doctype html>")


def test_surprises_and_links_fill_the_box(site: Visitors) -> None:
    browser = site.browser()
    there = browser.get("/surprise").headers["location"]
    assert there.startswith("/?prompt=")
    assert re.search(r">[a-z ]{6,}</textarea>", browser.get(there).text)
    assert "&lt;script&gt;" in browser.get("/?prompt=<script>").text


def test_the_about_page_has_the_cards_own_limits(site: Visitors) -> None:
    # The fake engine has no card, so the setting's model is the embedded one.
    assert site.site.settings.model == "doodle"
    text = html.unescape(re.sub(r"\s+", " ", site.browser().get("/about").text))
    assert "It does not draw photographs, real people, lettering" in text
    assert "<td>near copies</td>" in text


def test_the_apis_are_described_for_people(site: Visitors) -> None:
    text = site.browser().get("/docs").text
    for path in ("/api/drawings", "/v1/images/generations", "/generate", "/api/verify"):
        assert path in text
    assert "cdn" not in text


def test_files_are_kept_for_ever_by_their_version_and_packed(site: Visitors) -> None:
    browser = site.browser()
    address = assets().address("draw.js")
    answer = browser.get(address)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"
    assert (
        browser.get(address, headers={"Accept-Encoding": "identity"}).content
        == assets().files["draw.js"].body
    )
    old = browser.get("/static/000000000000/draw.js")
    assert "immutable" not in old.headers["cache-control"]
    for name in ("nothing.js", "../settings.py", "%2e%2e%2fsettings.py"):
        assert browser.get(f"/static/{assets().version}/{name}").status_code == 404
    assert browser.get("/favicon.ico").headers["content-type"] == "image/x-icon"
    assert "Disallow: /api/" in browser.get("/robots.txt").text


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_any_form_gets_an_answer_and_nothing_in_it_becomes_markup(
    site: Visitors, prompt: str, negative: str, seed: str
) -> None:
    fields = {"prompt": f"<q>{prompt}", "negative_prompt": f"<q>{negative}", "seed": seed}
    sendable = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}
    answer = site.browser().post("/d", data=sendable)
    assert answer.status_code < 500
    assert "<q>" not in answer.text
    if answer.status_code == 303:
        page = site.browser().get(answer.headers["location"])
        assert page.status_code == 200
        assert "<q>" not in page.text
        site.site.services.jobs.cancel(answer.headers["location"][3:], Caller("admin", "admin"))
