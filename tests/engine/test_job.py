from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonet.engine.events import Done, Drawn, Event, Failed
from nonet.engine.job import BLOCK_PICTURES, Job
from nonet.engine.needs import settled
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream

PIXELS = np.zeros((2, 2, 3), np.uint8)


def job_of(**fields: object) -> Job:
    request = DrawRequest(**({"prompt": "a cat", "guidance": 2.0} | fields))  # type: ignore[arg-type]
    return Job(settled(request, {}), DrawStream(request))


def events_of(job: Job) -> list[Event]:
    return list(job.stream)


def test_what_the_request_leaves_open_is_the_models() -> None:
    request = DrawRequest(prompt="a cat", temperature=0.5)
    filled = settled(request, {"guidance": 4.0, "top_k": 64})
    assert (filled.guidance, filled.temperature, filled.top_k, filled.top_p) == (4.0, 0.5, 64, 1.0)
    assert filled.seed == request.seed


@given(
    count=st.integers(1, 64),
    candidates=st.none() | st.integers(64, 256),
    guidance=st.sampled_from([1.0, 3.0]),
    rows=st.integers(2, 200),
)
def test_blocks_cover_all_pictures_once(
    count: int, candidates: int | None, guidance: float, rows: int
) -> None:
    job = job_of(count=count, candidates=candidates, guidance=guidance)
    blocks = []
    while pictures := job.next_block(rows):
        job.started = pictures.stop
        blocks.append(pictures)
    assert [picture for block in blocks for picture in block] == list(range(job.request.pictures))
    sizes = [len(block) for block in blocks]
    most = max(1, min(BLOCK_PICTURES, rows // (1 if guidance == 1 else 2)))
    assert max(sizes) <= most
    # No more blocks than needed, and none much smaller than another.
    assert len(blocks) == -(-job.request.pictures // most)
    assert max(sizes) - min(sizes) <= 1


def test_finished_pictures_are_said_at_once_in_any_order() -> None:
    job = job_of(count=3, seed=10)
    job.sources = {0: [{"title": "one"}], 1: [{"title": "two"}], 2: [{"title": "three"}]}
    for picture in (2, 0, 1):
        job.finished(picture, PIXELS, 0.1 * picture)
    *drawn, done = events_of(job)
    assert isinstance(done, Done)
    assert [(d.picture, d.seed, d.score, d.sources) for d in drawn if isinstance(d, Drawn)] == [
        (2, 12, 0.2, [{"title": "three"}]),
        (0, 10, 0.0, [{"title": "one"}]),
        (1, 11, 0.1, [{"title": "two"}]),
    ]


def test_of_candidates_the_best_are_said_at_the_end() -> None:
    job = job_of(count=2, candidates=4, seed=10)
    for picture, score in enumerate((0.1, 0.4, -0.2, 0.4)):
        assert not job.stream._events
        job.finished(picture, PIXELS, score)
    first, second, done = events_of(job)
    assert isinstance(first, Drawn)
    assert isinstance(second, Drawn)
    assert isinstance(done, Done)
    assert [(d.picture, d.seed, d.score) for d in (first, second)] == [(0, 11, 0.4), (1, 13, 0.4)]


def test_of_candidates_no_more_pictures_are_held_than_will_be_kept() -> None:
    job = job_of(count=2, candidates=100)
    for picture in range(99):
        job.finished(picture, PIXELS, float(picture % 7))
        assert len(job._kept) <= 2


def test_failing_ends_it() -> None:
    job = job_of(count=2)
    job.fail("model_failed", "No.", "Try again.")
    assert job.left == 0
    assert events_of(job) == [Failed("model_failed", "No.", "Try again.")]


@pytest.mark.parametrize(("guidance", "guided"), [(1.0, False), (0.0, True), (1.01, True)])
def test_only_guidance_of_one_needs_no_second_row(guidance: float, guided: bool) -> None:
    assert job_of(guidance=guidance).guided is guided
