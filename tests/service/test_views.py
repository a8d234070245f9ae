"""How drawings stand, in words, and what templates see of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import jinja2
import pytest

from nonet.engine.request import DrawRequest
from nonet.service import views
from nonet.service.records import Job, JobPicture, Place

JOB = Job(
    id="a" * 22,
    state="queued",
    request=DrawRequest(prompt="a cat", seed=1),
    caller="ip:1",
    api="page",
    priority="normal",
    created=datetime.now(UTC),
)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Place(1, 12.2, 3), ("Next in line", "about 13 seconds until yours is drawn")),
        (Place(4, None, 9), ("Number 4 in line", "")),
        (Place(250, 900.0, 400), ("Number 250 in line", "about 15 minutes until yours is drawn")),
        (None, ("Next in line", "")),
    ],
)
def test_a_place_in_line(place: Place | None, said: tuple[str, str]) -> None:
    assert views.standing(JOB, place) == said


def test_every_state_has_words_and_a_face() -> None:
    pictures = [JobPicture(index, "key", 1 + index) for index in range(9)]
    error = ("model_failed", "It broke.", "Try it again.")
    for job, words, mood in (
        (replace(JOB, state="drawing"), ("Drawing", "about a second left"), "drawing working"),
        (replace(JOB, state="drawn", pictures=pictures), ("All nine are drawn.", ""), "drawn"),
        (replace(JOB, state="drawn", pictures=pictures[:1]), ("Here it is.", ""), "drawn"),
        (replace(JOB, state="failed", error=error), ("It broke.", "Try it again."), "failed"),
        (replace(JOB, state="cancelled"), ("It was stopped.", ""), "failed"),
        (replace(JOB, state="expired"), ("It waited too long and was not drawn.", ""), "failed"),
    ):
        assert views.standing(job, Place(0, 0.4, 0)) == words
        assert views.face(job) == mood
    assert views.face(None) == "idle"


def test_a_page_without_script_looks_again_sooner_near_the_end() -> None:
    def refresh(eta: float | None) -> int:
        return views.drawing_view(JOB, "", place=Place(1, eta, 1)).refresh

    assert [refresh(eta) for eta in (None, 0.1, 20, 3000)] == [4, 3, 10, 30]


def test_titles_are_one_short_line() -> None:
    assert views.title_of(" a\n cat ") == "a cat"
    long = views.title_of("word " * 100)
    assert len(long) <= views.TITLE_LENGTH + 1
    assert long.endswith("word…")
    assert views.title_of("x" * 500) == "x" * views.TITLE_LENGTH + "…"


def test_links_to_other_sites_carry_the_prompt_as_a_value() -> None:
    view = views.drawing_view(
        replace(JOB, request=DrawRequest(prompt="a&b=c #d", seed=1)), "https://n.example"
    )
    assert view.x_url.endswith(
        "text=a%26b%3Dc+%23d+%28AI-generated%29&url=https%3A%2F%2Fn.example%2Fd%2F" + "a" * 22
    )
    assert "title=a%26b%3Dc+%23d" in view.reddit_url


def test_pictures_are_there_when_all_are() -> None:
    job = replace(JOB, pictures=[JobPicture(1, "k", 2), JobPicture(0, "k", 1)])
    assert views.drawing_view(job, "").pictures == []
    drawn = views.drawing_view(replace(job, state="drawn"), "")
    assert [picture.number for picture in drawn.pictures] == [1, 2]
    assert drawn.pictures[0].alt == "a cat, picture 1 of 9, AI-generated, may not be true"


def test_templates_escape_and_miss_nothing() -> None:
    text = views.render(
        "message.html", here="/", heading="<b>", text="'\"", back="", back_name="", mood="idle"
    )
    assert "<h1>&lt;b&gt;</h1>" in text
    with pytest.raises(jinja2.UndefinedError):
        views.render("message.html", here="/")
