"""The gallery: only what its makers put in, searched as text, and taken out again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nonet.safety.policy import Policy
from page_site import Visitors, visited


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitors]:
    with visited(tmp_path_factory.mktemp("gallery"), api_keys=["shop:secret-key"]) as site:
        yield site


def test_nothing_is_shown_that_nobody_put_in(site: Visitors) -> None:
    maker, other = site.browser(), site.browser()
    path = site.drawn(maker, "a secret cat")
    assert path not in other.get("/gallery").text
    assert maker.post(f"{path}/publish").headers["location"] == path
    assert path in other.get("/gallery").text
    assert "Take out of the gallery" in maker.get(path).text
    assert "Take out of the gallery" not in other.get(path).text
    assert maker.post(f"{path}/unpublish").status_code == 303
    assert path not in other.get("/gallery").text


def test_only_who_made_it_can_publish_unpublish_or_delete(site: Visitors) -> None:
    maker, neighbour = site.browser(), site.browser()  # the same address, another browser
    path = site.drawn(maker, "a cat")
    maker.post(f"{path}/publish")
    for what in ("publish", "unpublish", "delete", "cancel"):
        assert neighbour.post(f"{path}/{what}").status_code == 403, what
    assert neighbour.get(f"{path}/delete").status_code == 403
    assert path in neighbour.get("/gallery").text
    # The maker on the train: another address, the same browser.
    moved = site.browser("198.51.100.9")
    moved.cookies = maker.cookies
    assert "Delete this drawing?" in moved.get(f"{path}/delete").text
    assert "Deleted" in moved.post(f"{path}/delete").text
    assert moved.get(path).status_code == 404
    assert moved.get(f"/api/drawings/{path[3:]}/pictures/0.png").status_code == 404
    assert path not in neighbour.get("/gallery").text


def test_a_program_publishes_with_its_key(site: Visitors) -> None:
    program = site.browser(Authorization="Bearer secret-key", Accept="application/json")
    asked = program.post("/api/drawings", json={"prompt": "a cat by a program"}).json()
    job = site.site.services.jobs
    while not job.get(asked["id"]).over:
        pass
    assert site.browser().post(f"/d/{asked['id']}/publish").status_code == 403
    assert program.post(f"/d/{asked['id']}/publish").status_code == 303
    assert job.get(asked["id"]).published


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_sites_page_cannot_act_for_the_maker(site: Visitors, headers: dict[str, str]) -> None:
    maker = site.browser()
    path = site.drawn(maker, "a cat")
    for what in ("publish", "unpublish", "delete", "cancel", "report"):
        assert maker.post(f"{path}/{what}", headers=headers).status_code == 403, what
    assert maker.post(f"{path}/publish", headers={"Origin": "http://testserver"}).status_code == 303


def test_the_policy_is_asked_again_before_publication(
    site: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = site.browser()
    path = site.drawn(maker, "a zeppelin")

    def grown(self: Policy, prompt: str, **rest: object) -> None:
        assert rest["level"] == "strict"
        original(self, prompt.replace("zeppelin", "bloody beheading"), **rest)  # type: ignore[arg-type]

    original = Policy.require
    monkeypatch.setattr(Policy, "require", grown)
    answer = maker.post(f"{path}/publish")
    assert answer.status_code == 400
    assert "Not shown, because" in answer.text
    assert not site.site.services.jobs.get(path[3:]).published


def test_what_was_withheld_is_not_published(site: Visitors) -> None:
    maker = site.browser()
    path = site.drawn(maker, "a cat")
    site.site.services.jobs.hide(path[3:], 0)
    assert maker.post(f"{path}/publish").status_code == 403


def test_search_takes_words_as_text(site: Visitors) -> None:
    maker = site.browser()
    for prompt in ("a purple walrus", "100% wool", "under_score"):
        maker.post(f"{site.drawn(maker, prompt)}/publish")

    def found(words: str) -> list[str]:
        text = maker.get("/gallery", params={"q": words}).text
        return [name for name in ("a purple walrus", "100% wool", "under_score") if f">{name}</span>" in text]

    assert found("WALRUS purple") == ["a purple walrus"]
    assert found("100%") == ["100% wool"]
    assert found("%") == ["100% wool"]
    assert found("_") == ["under_score"]
    for hostile in ("' OR 1=1 --", '"; DROP TABLE drawings', "<script>", "x" * 5000, "%' UNION SELECT"):
        answer = maker.get("/gallery", params={"q": hostile})
        assert answer.status_code == 200
        assert "<script>" not in answer.text.replace("<script type", "")
        assert not found(hostile)
    assert len(found("\0")) == 3


def test_older_ones_are_on_the_next_page(site: Visitors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nonet.service.routes.gallery.PAGE", 2)
    maker = site.browser()
    paths = [site.drawn(maker, f"a numbered kiwi {number}") for number in range(5)]
    for path in paths:
        maker.post(f"{path}/publish")
    seen: list[str] = []
    where = "/gallery?q=kiwi"
    while where:
        text = maker.get(where).text
        seen += [path for path in reversed(paths) if f'href="{path}"' in text]
        where = (
            text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
            if 'rel="next"' in text
            else ""
        )
    assert seen == paths[::-1]
    assert maker.get("/gallery?after=unknown").status_code == 200
