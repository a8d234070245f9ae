"""What rounding changes of what is drawn: `python benchmarks/rounding.py [--model doodle]`.

For float16, bfloat16, weights in float16 that are computed with in float32 (`half weights`), and int8, against float32,
the codec in float32 as always:

- `next`: share of places where the likeliest next token is the same after the same tokens (those that float32 takes)
- `greedy`: share of the same tokens when each type draws on after its own, and where they part; every prompt is drawn
  at temperature 0 with the model's condition scale
- `r_precision`: share of drawings whose caption the judge ranks first among 100, one drawing with the same seed for
  each of the captions; and its standard error. Only for a model with a judge

`doodle`'s weights are stored as integers of eight bits, so int8 would round only what is multiplied with them. Here
each is moved by chance within its step, for float32 as for the others.

With weights of chance (`--model FOLDER` of `benchmarks/mini_cpu.py --folder`) logits lie closer together than those of
trained weights, so that more tokens change.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from ordinary_prompts import ANIMALS, THINGS
from torch import Tensor

from nonet.checkpoints import Model, load
from nonet.checkpoints.loader import DTYPES
from nonet.engine import Drawn, DrawRequest, Engine, Failed, painting
from nonet.model.layers import Projection
from nonet.model.packing import Kind
from nonet.model.seq2seq import ImageDecoder
from nonet.training.evaluate import precision

ROUNDED: dict[str, Kind] = {"half weights": "float16", "int8": "int8"}
PROMPTS = ("a red apple on a table", "a cat on the moon", "a blue car", "a penguin with a guitar")
CAPTIONS = [f"a {thing}" for thing in (*ANIMALS, *THINGS)]


@contextmanager
def tokens_kept() -> Iterator[list[Tensor]]:
    """The tokens of finished pictures, in the order in which they are painted."""
    kept: list[Tensor] = []
    finished = painting.Painter.finished

    def recording(self: painting.Painter, tokens_BT: Tensor) -> Any:
        kept.extend(tokens_BT.clone())
        return finished(self, tokens_BT)

    painting.Painter.finished = recording  # type: ignore[method-assign]
    try:
        yield kept
    finally:
        painting.Painter.finished = finished  # type: ignore[method-assign]


def greedy(engine: Engine, prompts: Sequence[str]) -> Tensor:
    """(prompts, tokens): what is drawn when the likeliest token is always taken."""
    with tokens_kept() as kept:
        for prompt in prompts:
            for event in engine.submit(
                DrawRequest(prompt=prompt, count=1, seed=1, temperature=0), partials=False
            ):
                if isinstance(event, Failed):
                    raise SystemExit(event.message)
    return torch.stack(kept)


def likeliest(model: Model, prompts: Sequence[str], tokens_PT: Tensor) -> Tensor:
    """(prompts, tokens): the likeliest token at every place after the given ones, without guidance and memory."""
    found = []
    with torch.inference_mode():
        for prompt, tokens_T in zip(prompts, tokens_PT, strict=True):
            text = model.encode_text([prompt])
            fed_1T = torch.cat([torch.tensor([model.start_token]), tokens_T[:-1]])[None]
            states_1SD = text.states_BSD.to(model.dtype)
            logits_1TV = model.decoder(fed_1T, states_1SD, text.mask_BS)[:, :, : model.codebook_size]
            found.append(logits_1TV.float().argmax(-1)[0])
    return torch.stack(found)


def drawn(engine: Engine, captions: Sequence[str]) -> Tensor:
    """One picture of every caption (captions, H, W, 3), floats in [0, 1]."""
    pictures = []
    for seed, caption in enumerate(captions):
        for event in engine.submit(DrawRequest(prompt=caption, count=1, seed=seed), partials=False):
            if isinstance(event, Drawn):
                pictures.append(torch.from_numpy(event.pixels.copy()))
    return torch.stack(pictures).float() / 255


def spread(decoder: ImageDecoder) -> None:
    """Move every weight by less than half of a step of an integer of eight bits, always in the same way."""
    chance = torch.Generator().manual_seed(1)
    for part in decoder.modules():
        if isinstance(part, Projection):
            step_N1 = part.weight.data.abs().amax(1, keepdim=True) / 127
            part.weight.data += (torch.rand(part.weight.shape, generator=chance) - 0.5) * step_N1


def measured(name: str, dtype: str, reference: dict[str, Tensor], captions: Sequence[str]) -> dict[str, Any]:
    model = load(name, device="cpu", dtype="float32")
    spread(model.decoder)
    if dtype in ROUNDED:
        model.decoder.weights_as = ROUNDED[dtype]
    else:
        model.seq2seq.to(DTYPES[dtype])
    result: dict[str, Any] = {}
    with Engine(model) as engine:
        tokens_PT = greedy(engine, PROMPTS)
        if not reference:
            reference["tokens"] = tokens_PT
            reference["next"] = likeliest(model, PROMPTS, tokens_PT)
        else:
            same_PT = tokens_PT == reference["tokens"]
            next_PT = likeliest(model, PROMPTS, reference["tokens"]) == reference["next"]
            until = [
                int((~same_T).int().argmax()) if not bool(same_T.all()) else len(same_T) for same_T in same_PT
            ]
            result = {"next": float(next_PT.float().mean()), "greedy": float(same_PT.float().mean())}
            result["same_until"] = until
        if model.judge is not None and captions:
            share = precision(model, drawn(engine, captions), captions, CAPTIONS)
            result |= {"r_precision": share, "standard_error": (share * (1 - share) / len(captions)) ** 0.5}
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What rounding changes of what is drawn.")
    parser.add_argument("--model", default="doodle")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--captions", type=int, default=len(CAPTIONS), help="drawings for R-precision")
    parser.add_argument(
        "--kinds",
        default="float16,bfloat16,half weights,int8",
        help="what is measured against float32; the first two are slow where the processor has no half precision",
    )
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    reference: dict[str, Tensor] = {}
    captions = CAPTIONS[: options.captions]
    kinds = options.kinds.split(",")
    result = {kind: measured(options.model, kind, reference, captions) for kind in ("float32", *kinds)}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
