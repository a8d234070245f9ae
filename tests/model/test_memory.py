"""The picture memory: what is found, and where it is laid."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from torch import Tensor

from nonet.model.memory import (
    SLOTS,
    PictureMemory,
    Remembered,
    evened,
    lay,
    pick,
    sample_without_replacement,
)

EMPTY = 99


def memory() -> PictureMemory:
    """Four pictures: 0 and 1 are called by wording 0, 2 by wording 1, 3 by wordings 1 and 2."""
    keys = torch.tensor([[127, 0, 0], [0, 127, 0], [0, 90, 90]], dtype=torch.int8)
    full = torch.arange(4)[:, None].expand(4, 256).contiguous()
    small = (10 + torch.arange(4))[:, None].expand(4, 81).contiguous()
    colours = torch.zeros(4, 11, dtype=torch.uint8)
    colours[1, 4] = 255
    return PictureMemory(
        keys, torch.tensor([0, 2, 4, 5]), torch.tensor([0, 1, 2, 3, 3]), full, small, colours
    )


def test_the_nearest_wording_s_pictures_come_first_and_far_ones_not_at_all() -> None:
    found = memory().nearest(torch.tensor([0.0, 1.0, 0.0]))
    assert [picture for picture, _ in found] == [2, 3]
    assert found[0][1] == pytest.approx(1.0, abs=0.01)


def test_what_was_asked_for_is_kept_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nonet.model.memory.ASKED_KEPT", 3)
    one = memory()
    queries = torch.nn.functional.normalize(torch.randn(8, 3, generator=torch.manual_seed(0)))
    first = [one.nearest(query) for query in queries]
    assert one.nearest(queries[7]) is first[7]
    assert [one.nearest(query.clone()) for query in queries] == first
    assert one.nearest(queries[0], count=1) == first[0][:1]
    assert len(one._asked) <= 3
    one.forget()
    assert not one._asked


def test_a_colour_draws_its_pictures() -> None:
    query = torch.tensor([1.0, 0.0, 0.0])
    first = Counter(memory().recall(query, 1, random.Random(s), colour="blue")[0] for s in range(50))
    plain = Counter(memory().recall(query, 1, random.Random(s))[0] for s in range(50))
    assert first[1] >= 48
    assert 10 < plain[1] < 40


def test_what_must_not_be_chosen_is_not() -> None:
    query = torch.tensor([1.0, 0.0, 0.0])
    assert memory().recall(query, 2, random.Random(0), without=frozenset({1})) == [0]
    assert memory().recall(query, 2, random.Random(0), without=frozenset({0, 1})) == []


def test_two_recalled_pictures_are_two() -> None:
    found = memory().recall(torch.tensor([1.0, 0.0, 0.0]), 2, random.Random(1))
    assert sorted(found) == [0, 1]


def rows_of(slot_T: Tensor) -> Tensor:
    return slot_T.view(16, 16)


def test_pictures_lie_where_they_are_laid() -> None:
    items = [Remembered(2, 0), Remembered(3, 1, 9, 7, 2)]
    slots = lay(items, [memory().tokens(item) for item in items], EMPTY)
    assert slots.shape == (SLOTS, 256)
    assert bool((slots[0] == 2).all())
    inside = rows_of(slots[1])[7:16, 2:11]
    assert bool((inside == 13).all())
    assert int((slots[1] != EMPTY).sum()) == 81
    assert bool((slots[2:] == EMPTY).all())


def test_sampling_follows_the_chances() -> None:
    items, chances = [0, 1, 2], [0.001, 0.01, 1.0]
    drawn = Counter(sample_without_replacement(items, chances, 1, random.Random(s))[0] for s in range(300))
    assert drawn[2] > 290
    assert sorted(sample_without_replacement(items, chances, 3, random.Random(0))) == [0, 1, 2]


def test_evenly_spread_numbers_pick_by_share() -> None:
    found = Counter(pick([7, 8, 9], [1.0, 2.0, 1.0], (n + 0.5) / 8) for n in range(8))
    assert found == {7: 2, 8: 4, 9: 2}
    assert pick([7], [0.0], 0.5) == 7


def test_no_picture_has_more_than_half_where_there_are_others() -> None:
    chances = evened([1.0, 0.05, 0.05, 0.05])
    assert max(chances) / sum(chances) == pytest.approx(0.5, abs=0.05)
    assert evened([3.0])[0] > 0


def test_a_crowd_is_remembered_less() -> None:
    of = memory()
    crowded = PictureMemory(
        torch.tensor([[127, 0, 0], [0, 127, 0], [0, 90, 90]], dtype=torch.int8),
        torch.tensor(of.offsets),
        torch.tensor(of.members),
        of.full_NT,
        of.small_NT,
        torch.zeros(4, 11, dtype=torch.uint8),
        weights_N=torch.tensor([10, 250, 250, 250], dtype=torch.uint8),
    )
    query = torch.tensor([1.0, 0.0, 0.0])
    found = Counter(crowded.recall(query, 1, random.Random(0), at=(n + 0.5) / 20)[0] for n in range(20))
    assert found[1] > found[0] > 0


def styled() -> PictureMemory:
    """Four pictures of one wording: an emoji, a line drawing, pixel art, and a place."""
    of = memory()
    return PictureMemory(
        torch.tensor([[127, 0, 0]], dtype=torch.int8),
        torch.tensor([0, 4]),
        torch.arange(4),
        of.full_NT,
        of.small_NT,
        torch.zeros(4, 11, dtype=torch.uint8),
        styles_N=torch.tensor([0, 3, 4, 5], dtype=torch.uint8),
        scenery_N=torch.tensor([0, 0, 0, 1], dtype=torch.uint8),
    )


def often(**wanted: object) -> int:
    """The picture that is recalled most often."""
    query = torch.tensor([1.0, 0.0, 0.0])
    found = Counter(
        styled().recall(query, 1, random.Random(0), at=(n + 0.5) / 40, **wanted)[0]  # type: ignore[arg-type]
        for n in range(40)
    )
    picture, times = found.most_common(1)[0]
    assert times > 25
    return picture


def test_styles_and_places_are_heeded() -> None:
    assert often() == 0
    assert often(style="line drawing") == 1
    assert often(style="pixel art") == 2
    assert often(behind=True) == 3
