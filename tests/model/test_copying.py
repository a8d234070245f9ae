"""Copying remembered tokens."""

from __future__ import annotations

import torch

from nonet.model.copying import CopyGates

EMPTY = 6


def gates(slots: int = 2) -> CopyGates:
    made = CopyGates(4, slots)
    torch.nn.init.zeros_(made.gate.weight)
    with torch.no_grad():
        made.bias.copy_(torch.tensor([3.0, 1.0]))
    return made


def test_held_tokens_are_raised_and_empty_slots_raise_nothing() -> None:
    logits, states = torch.zeros(2, 6), torch.zeros(2, 4)
    raised = gates()(logits, states, torch.tensor([[5, EMPTY], [2, 2]]), EMPTY)
    assert raised.tolist() == [[0, 0, 0, 0, 0, 3.0], [0, 0, 1.0, 0, 0, 0]]


def test_what_stands_in_front_covers_what_is_behind() -> None:
    raised = gates()(torch.zeros(2, 6), torch.zeros(2, 4), torch.tensor([[3, 4], [3, EMPTY]]), EMPTY)
    assert raised.tolist() == [[0, 0, 0, 0, 1.0, 0], [0, 0, 0, 3.0, 0, 0]]


def test_guidance_multiplies_copies() -> None:
    raised = gates()(torch.zeros(1, 6), torch.zeros(1, 4), torch.tensor([[1, EMPTY]]), EMPTY, 2.5)
    assert raised.tolist() == [[0, 7.5, 0, 0, 0, 0]]


def test_gates_learn_from_the_state_where_to_copy() -> None:
    torch.manual_seed(0)
    copies = CopyGates(4, 2)
    torch.nn.init.zeros_(copies.gate.weight)
    states, held = torch.randn(64, 4), torch.full((64, 2), 1)
    # Copy where the state is positive, say another token where it is not.
    wanted = torch.where(states[:, 0] > 0, 1, 2)
    logits = torch.zeros(64, 6)
    logits[:, 2] = 2.0
    optimizer = torch.optim.Adam(copies.parameters(), lr=0.1)
    for _ in range(200):
        raised = copies(logits, states, held, EMPTY)
        loss = torch.nn.functional.cross_entropy(raised, wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float((raised.argmax(1) == wanted).float().mean()) > 0.95
