from __future__ import annotations

import threading

import pytest
import torch

from nonet.engine.hands import Hands


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
