from __future__ import annotations

import torch
from torch.nn import functional as F

from nonet.engine.drafts import Drafts

EMPTY = 99
# Two pictures of three rows of three places; two slots, from back to front. The last row holds nothing.
BACK = torch.tensor([[EMPTY, 11, 12, EMPTY, EMPTY, 15], [20, EMPTY, EMPTY, 23, EMPTY, EMPTY]])
FRONT = torch.tensor([[EMPTY, EMPTY, 32, 33, EMPTY, EMPTY], [EMPTY, EMPTY, EMPTY, 43, EMPTY, EMPTY]])
HELD = F.pad(torch.stack([BACK, FRONT], 2), (0, 0, 0, 3), value=EMPTY)
BOTH = slice(None)


def test_what_is_in_front_is_guessed_and_around_it_the_background() -> None:
    drafts = Drafts(HELD, EMPTY)
    tokens = torch.tensor([[5, 0, 0, 0, 0, 0, 0, 0, 0], [20, 6, 0, 0, 0, 0, 0, 0, 0]])
    assert drafts.guess(tokens, BOTH, 1, 6)[0].tolist() == [11, 32, 33, 5, 15]
    assert drafts.guess(tokens, BOTH, 2, 6)[1].tolist() == [6, 43, 6, 6]
    assert drafts.guess(tokens, slice(1, 2), 2, 4).tolist() == [[6, 43]]


def test_the_background_is_the_one_drawn_last_but_not_beside_a_thing() -> None:
    drafts = Drafts(HELD, EMPTY)
    tokens = torch.tensor([[5, 11, 32, 33, 8, 0, 0, 0, 0], [20, 6, 7, 43, 9, 0, 0, 0, 0]])
    # In the first picture every place is beside a thing, in the second one all but the last column.
    assert drafts.guess(tokens, BOTH, 5, 7).tolist() == [[15, 8], [7, 7]]
    # What a remembered place was drawn as, if it was not copied, says nothing of the background.
    tokens[0, 3] = 77
    assert drafts.guess(tokens, BOTH, 4, 6)[0].tolist() == [5, 15]


def test_nothing_is_known_of_a_background_before_it_is_drawn() -> None:
    drafts = Drafts(HELD, EMPTY)
    tokens = torch.zeros(2, 9, dtype=torch.int64)
    assert drafts.guess(tokens, BOTH, 0, 2)[1].tolist()[0] == 20
    assert drafts.guess(tokens, BOTH, 0, 2).shape == (2, 2)


def test_misses_are_counted_as_guessing_again_after_each_would_have_made_them() -> None:
    drafts = Drafts(HELD, EMPTY)
    #                       miss, background changes: one miss
    tokens = torch.tensor([[5, 11, 32, 33, 8, 15, 8, 8, 8], [20, 6, 7, 43, 7, 7, 7, 7, 7]])
    assert drafts.missed(tokens, 1, 6) == [1, 2]
    assert drafts.missed(tokens, 4, 6) == [1, 0]
    tokens[0, 1] = 12
    assert drafts.missed(tokens, 1, 6) == [2, 2]
