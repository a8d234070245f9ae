"""The reference implementation's numbers, through the engine with its cache of keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nonet.checkpoints import Model, TextContext, load
from nonet.engine import Drawn, DrawRequest, Engine

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "dalle-mini-small"


class GivenIds:
    """The golden token ids in the place of a tokenizer: row 0 is the prompt, row 1 the empty one."""

    def __init__(self, model: Model, ids_BS: Tensor, mask_BS: Tensor) -> None:
        self.encoder = model.text
        self.ids_BS, self.mask_BS = ids_BS, mask_BS

    def encode(self, prompts: Sequence[str]) -> TextContext:
        rows = [1 if prompt == "" else 0 for prompt in prompts]
        mask_BS = self.mask_BS[rows].bool()
        return TextContext(self.states(self.ids_BS[rows], mask_BS), mask_BS, [0] * len(rows))

    def states(self, ids_BS: Tensor, mask_BS: Tensor) -> Tensor:
        return self.encoder.states(ids_BS, mask_BS)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        raise NotImplementedError


NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
@pytest.mark.parametrize("others", [0, 2])
def test_all_greedy_tokens_with_super_conditioning(
    others: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nonet.engine import painting

    expected = np.load(GOLDEN / "expected.npz")
    model = load(GOLDEN / "dalle", codec=GOLDEN / "vqgan", device=device)
    ids_BS, mask_BS = (
        torch.from_numpy(expected[key]).long().to(device) for key in ("input_ids", "attention_mask")
    )
    model.text = GivenIds(model, ids_BS, mask_BS)
    drawn: list[Tensor] = []
    finished = painting.Painter.finished

    def record(self: Any, tokens_BT: Tensor) -> Any:
        drawn.extend(tokens_BT)
        return finished(self, tokens_BT)

    monkeypatch.setattr(painting.Painter, "finished", record)
    request = DrawRequest(prompt="row 0", count=1, guidance=10.0, temperature=0.0)
    with Engine(model) as engine:
        for _ in range(others):
            engine.submit(DrawRequest(prompt="row 0", count=3, seed=1, guidance=4.0), partials=False)
        picture = next(event for event in engine.submit(request) if isinstance(event, Drawn))
    wanted = expected["greedy_tokens_scale10"].tolist()
    assert sum(tokens_T.tolist() == wanted for tokens_T in drawn) == 1
    decoded = model.codec.decode(torch.tensor([wanted], device=device)).detach().clamp(0, 1)[0].cpu()
    assert np.abs(picture.pixels / 255 - decoded.numpy()).max() < 0.51 / 255
