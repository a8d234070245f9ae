"""How long it takes: learned from what it took."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nonet.service.eta import Running, Speed


def taught(pairs: Sequence[tuple[float, float]]) -> Speed:
    speed = Speed()
    for crowd, seconds in pairs:
        speed.observe(seconds, crowd)
    return speed


def test_nothing_is_promised_before_anything_was_measured() -> None:
    speed = Speed()
    assert not speed.known
    assert speed.finish_times([], [("a", 9)], 1) == {}
    speed.observe(0.0, 9)
    speed.observe(1.0, 0)
    assert not speed.known


def test_it_learns_what_a_crowd_costs() -> None:
    # 3 s and 0.2 s for each picture, as measured with 9, 36 and 72 pictures together.
    speed = taught([(crowd, 3 + 0.2 * crowd) for crowd in (9, 36, 72)] * 4)
    assert speed.seconds(9) == pytest.approx(4.8, rel=0.05)
    assert speed.seconds(144) == pytest.approx(31.8, rel=0.05)


def test_from_one_kind_of_crowd_it_guesses_the_others() -> None:
    speed = taught([(9, 6.0)] * 5)
    assert speed.seconds(9) == pytest.approx(6.0)
    assert 6.0 < speed.seconds(18) < 12.0


def test_it_follows_a_machine_that_becomes_slower() -> None:
    speed = taught([(9, 5.0)] * 30 + [(9, 10.0)] * 30)
    assert speed.seconds(9) == pytest.approx(10.0, rel=0.12)


def test_odd_measurements_never_make_it_negative() -> None:
    speed = taught([(9, 30.0), (72, 1.0), (9, 25.0), (80, 0.5)])
    for crowd in (1, 9, 72, 500):
        assert speed.seconds(crowd) > 0
    assert speed.seconds(72) >= speed.seconds(9)


def test_one_after_the_other() -> None:
    speed = taught([(9, 10.0)] * 5)
    ends = speed.finish_times([Running("a", 9, 0.5)], [("b", 9), ("c", 9)], 1)
    assert ends == pytest.approx({"a": 5.0, "b": 15.0, "c": 25.0})


def test_side_by_side() -> None:
    speed = taught([(crowd, 2 + 0.2 * crowd) for crowd in (10, 20, 30)] * 4)
    ends = speed.finish_times([], [("a", 10), ("b", 10), ("c", 10)], 2)
    # a and b together: 2 + 4; then c alone: 2 + 2.
    assert ends == pytest.approx({"a": 6.0, "b": 6.0, "c": 10.0}, rel=0.05)


def test_a_long_line_is_played_through_quickly() -> None:
    import time

    speed = taught([(9, 5.0)] * 5)
    began = time.perf_counter()
    ends = speed.finish_times([], [(str(n), 9) for n in range(2000)], 8)
    assert time.perf_counter() - began < 1
    assert len(ends) == 2000
