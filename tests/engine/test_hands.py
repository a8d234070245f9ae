from __future__ import annotations

import threading

import pytest
import torch

from nonet.engine.hands import Hands, wait_for_any


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_order(count: int) -> None:
    hands = Hands(count)
    assert hands.each(lambda item: item * item, range(7)) == [0, 1, 4, 9, 16, 25, 36]
    hands.close()


def test_two_hands_work_at_the_same_time_without_gradients() -> None:
    hands = Hands(2)
    both = threading.Barrier(2, timeout=20)

    def work(item: int) -> tuple[bool, int]:
        both.wait()
        return torch.is_inference_mode_enabled(), torch.get_num_threads()

    assert hands.each(work, [1, 2]) == [(True, 1), (True, 1)]
    hands.close()


def test_an_error_reaches_who_asked() -> None:
    hands = Hands(2)
    with pytest.raises(ZeroDivisionError):
        hands.each(lambda item: 1 // item, [1, 0])
    hands.close()


@pytest.mark.parametrize(
    ("count", "things", "shares"),
    [
        (1, range(4), [range(4)]),
        (2, range(9), [range(5), range(5, 9)]),
        (4, range(2), [range(1), range(1, 2)]),
        (3, range(12, 16), [range(12, 14), range(14, 16)]),
        (2, range(0), []),
    ],
)
def test_shares(count: int, things: range, shares: list[range]) -> None:
    assert Hands(count).shares(things) == shares


def test_work_is_handed_out_and_waited_for() -> None:
    hands = Hands(2)
    go = threading.Event()
    pending = hands.start(lambda item: (go.wait(20), item * item), [2, 3])
    assert not pending.done
    wait_for_any([pending], 0.01)
    # Who needs something at once does it without the hands that are busy.
    here = threading.current_thread().name
    assert hands.each(lambda _: threading.current_thread().name, [1, 2]) == [here, here]
    go.set()
    assert pending.results() == [(True, 4), (True, 9)]
    assert pending.done
    assert here not in hands.each(lambda _: threading.current_thread().name, [1, 2])
    hands.close()


def test_one_hand_has_done_it_when_it_is_handed_out() -> None:
    pending = Hands().start(lambda item: 1 // item, [1, 0])
    assert pending.done
    with pytest.raises(ZeroDivisionError):
        pending.results()


def test_hands_that_do_not_work_beside_are_waited_for() -> None:
    hands = Hands(2, beside=False)
    here = threading.current_thread().name
    pending = hands.start(lambda _: threading.current_thread().name, [1, 2, 3])
    assert pending.done
    assert here not in pending.results()
    # A single thing is done faster by who has all cores.
    assert hands.start(lambda _: threading.current_thread().name, [1]).results() == [here]
    failing = hands.start(lambda item: 1 // item, [1, 0])
    assert failing.done
    with pytest.raises(ZeroDivisionError):
        failing.results()
    hands.close()


def test_cores_are_shared_out_among_the_threads_that_draw() -> None:
    sharing = [1]
    hands = Hands(4, sharing=lambda: sharing[0])
    here = threading.current_thread().name
    counts = []
    for sharing[0] in (0, 1, 2, 3, 4, 9):
        counts.append(hands.count)
        names = hands.start(lambda _: threading.current_thread().name, [1, 2]).results()
        # Who has one core does the work itself; a hand on the same core would only be in the way.
        assert (names == [here, here]) == (hands.count == 1)
    assert counts == [4, 4, 2, 1, 1, 1]
    assert hands.shares(range(4)) == [range(4)]
    hands.close()
