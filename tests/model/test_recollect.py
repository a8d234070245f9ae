"""From a prompt to what is remembered of it."""

from __future__ import annotations

import torch
from torch import Tensor

from nonet.model.memory import SLOTS, PictureMemory
from nonet.model.phrases import thing
from nonet.model.recollect import blended, query_text, recollect

EMPTY = 50
WORDS = ("cat", "dog", "moon", "armchair", "avocado")


def embed(texts: list[str]) -> Tensor:
    """Each known word is an axis of its own; a phrase is the mean of its words."""
    rows = torch.tensor([[float(word in text.split()) for word in WORDS] for text in texts]) + 1e-6
    return torch.nn.functional.normalize(rows, dim=-1)


def memory() -> PictureMemory:
    """Two pictures of each word: of word w the numbers 2w and 2w + 1, their tokens too."""
    count = 2 * len(WORDS)
    keys = (127 * torch.eye(len(WORDS))).to(torch.int8)
    numbers = torch.arange(count)
    return PictureMemory(
        keys,
        torch.arange(0, count + 1, 2),
        numbers,
        numbers[:, None].expand(count, 256).contiguous(),
        numbers[:, None].expand(count, 81).contiguous(),
        torch.zeros(count, 11, dtype=torch.uint8),
    )


def named(pictures: list[int]) -> list[str]:
    return sorted({WORDS[p // 2] for p in pictures})


def test_one_thing_fills_the_canvas_and_nothing_else_is_remembered() -> None:
    slots, pictures = recollect(memory(), "a cat", range(20), embed, EMPTY, twice=0.5)
    assert slots.shape == (20, SLOTS, 256)
    assert all(named(found) == ["cat"] for found in pictures)
    assert {len(found) for found in pictures} == {1, 2}
    used = [{int(v) for v in grid.unique() if v != EMPTY} for grid in slots]
    assert used == [set(found) for found in pictures]


def test_two_things_have_a_slot_each() -> None:
    _, pictures = recollect(memory(), "a cat to the left of a dog", range(9), embed, EMPTY)
    assert all(named(found) == ["cat", "dog"] for found in pictures)


def test_a_seed_remembers_the_same_alone_and_among_others() -> None:
    together, found = recollect(memory(), "a cat and a dog", [4, 5, 6], embed, EMPTY)
    alone, single = recollect(memory(), "a cat and a dog", [5], embed, EMPTY)
    assert torch.equal(together[1], alone[0])
    assert found[1] == single[0]


def test_a_blend_remembers_both_halves() -> None:
    _, pictures = recollect(memory(), "an avocado armchair", range(9), embed, EMPTY)
    assert all(named(found) == ["armchair", "avocado"] for found in pictures)


def test_nine_successive_seeds_remember_many_pictures() -> None:
    keys = torch.tensor([[127, 0, 0, 0, 0]], dtype=torch.int8)
    numbers = torch.arange(12)
    tokens_N1 = numbers[:, None]
    many = PictureMemory(
        keys,
        torch.tensor([0, 12]),
        numbers,
        tokens_N1.expand(12, 256).contiguous(),
        tokens_N1.expand(12, 81).contiguous(),
        torch.zeros(12, 11, dtype=torch.uint8),
    )
    for start in (0, 7, 123_456_789):
        _, pictures = recollect(many, "a cat", range(start, start + 9), embed, EMPTY)
        assert len({found[0] for found in pictures}) >= 8


class NotedFancy:
    """Adds 20 to repainted tokens; a plain canvas is all 40."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def repaint(self, tokens_T: Tensor, colour: str) -> Tensor:
        self.asked.append(colour)
        return tokens_T + 20

    def plain(self, colour: str) -> Tensor:
        self.asked.append(f"plain {colour}")
        return torch.full((256,), 40)

    def before(self, slots_ST: Tensor) -> Tensor:
        self.asked.append("before")
        return slots_ST


def test_what_lacks_the_asked_colour_is_imagined_in_it() -> None:
    fancy = NotedFancy()
    slots, pictures = recollect(memory(), "a blue cat", range(4), embed, EMPTY, fancy=fancy)
    assert fancy.asked == ["blue"] * 4
    assert [int(grid[1, 0]) for grid in slots] == [found[0] + 20 for found in pictures]
    plain, _ = recollect(memory(), "a cat", range(4), embed, EMPTY, fancy=fancy)
    assert len(fancy.asked) == 4
    assert int(plain[0, 1, 0]) < 20


def test_a_background_of_one_colour_is_imagined() -> None:
    fancy = NotedFancy()
    slots, _ = recollect(memory(), "a cat on a purple background", range(2), embed, EMPTY, fancy=fancy)
    assert fancy.asked == ["plain purple", "before"] * 2
    assert bool((slots[:, 0] == 40).all())
    plain, _ = recollect(memory(), "a cat", range(2), embed, EMPTY, fancy=fancy)
    assert bool((plain[:, 0] == EMPTY).all())


def test_colours_are_looked_for_by_eye() -> None:
    assert query_text(thing("red cat")) == "cat"
    assert blended(thing("big cat")) == ()


def test_words_nobody_drew_remember_the_nearest_there_are() -> None:
    _, pictures = recollect(memory(), "a zzyzx", [1], embed, EMPTY)
    assert len(pictures[0]) >= 1


def test_what_stands_on_something_touches_it() -> None:
    flat = PictureMemory(
        (127 * torch.eye(len(WORDS))).to(torch.int8),
        torch.arange(len(WORDS) + 1),
        torch.arange(len(WORDS)),
        torch.arange(len(WORDS))[:, None].expand(-1, 256).contiguous(),
        torch.arange(len(WORDS))[:, None].expand(-1, 81).contiguous(),
        torch.zeros(len(WORDS), 11, dtype=torch.uint8),
        # The armchair is low: only the lower half of its picture is visible.
        extents_N2=torch.tensor([[0, 255], [0, 255], [0, 255], [128, 255], [0, 255]], dtype=torch.uint8),
    )

    def feet(slots_ST: Tensor, tokens: set[int]) -> int:
        rows = [
            row for row in range(16) if tokens & set(slots_ST.view(SLOTS, 16, 16)[:, row].flatten().tolist())
        ]
        return max(rows)

    for seed in range(6):
        high, _ = recollect(memory(), "a cat on an armchair", [seed], embed, EMPTY)
        low, _ = recollect(flat, "a cat on an armchair", [seed], embed, EMPTY)
        assert feet(low[0], {0}) > feet(high[0], {0, 1})
