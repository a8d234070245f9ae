from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from client_clock import Clock
from nonet.engine import painting
from nonet.engine.drawing_step import draw_step
from tiny_model import SIDE


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """The tests' networks are so small that a second thread costs more than it brings."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    unfinished, finished = painting.Painter.unfinished, painting.Painter.finished

    def drawing(decoder, blocks, columns):  # type: ignore[no-untyped-def]
        stretches = [stretch for block in blocks for stretch in block.stretches()]
        clock.now += sum(len(stretch.fed_X) for stretch in stretches)
        draw_step(decoder, blocks, columns)

    def painting_part(self, block):  # type: ignore[no-untyped-def]
        clock.now += 2 * len(block.pictures) * (block.done // SIDE)
        return unfinished(self, block)

    def painting_whole(self, tokens_BT):  # type: ignore[no-untyped-def]
        clock.now += 2 * len(tokens_BT) * SIDE
        return finished(self, tokens_BT)

    monkeypatch.setattr("nonet.engine.batcher.draw_step", drawing)
    monkeypatch.setattr(painting.Painter, "unfinished", painting_part)
    monkeypatch.setattr(painting.Painter, "finished", painting_whole)
    monkeypatch.setattr("time.perf_counter", clock.perf_counter)
    return clock
