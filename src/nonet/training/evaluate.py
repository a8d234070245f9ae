"""Measuring a model: codec, judge, drawings, and how near they come to what they remember."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import torch
from PIL import Image
from torch import Tensor

from nonet.checkpoints.model import Model
from nonet.data.composer import Composer
from nonet.data.plan import Mixture
from nonet.data.sprites import Sprites
from nonet.engine.engine import Engine
from nonet.engine.events import Drawn, Failed
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.model.judge import Judge
from nonet.model.repaint import CodecFancy
from nonet.training.remember import on_white
from nonet.training.sheets import grid_sheet

RIVALS = 99
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Measures:
    """What `evaluate` measured.

    `codec_psnr`: decibels, mean over held-out pictures on white. `judge_real`, `precision_one`, `precision_best`: share
    of pictures whose own caption the judge puts first among 100, for real held-out pictures, single drawings, and
    the best of `candidates`. `nearest`: median distance (RMS of pixels at 64x64, 0 to 1) of a drawing to the
    nearest picture that it remembered; `apart`: the same between two remembered pictures of one thing.
    `copies`: share of drawings nearer than a tenth of `apart`.
    """

    codec_pictures: int
    codec_psnr: float
    captions: int
    judge_real: float
    precision_one: float
    precision_best: float | None
    candidates: int
    candidate_captions: int
    nearest: float
    apart: float
    copies: float

    def to_dict(self) -> dict[str, float | int | None]:
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


@torch.inference_mode()
def codec_quality(model: Model, sprites: Sprites, limit: int = 400) -> tuple[list[float], Image.Image]:
    """PSNR of every held-out picture through the codec, and a sheet: pictures above, rebuilt ones below."""
    heldout = [i for i, r in enumerate(sprites.collection.records) if r.split == "heldout"][:limit]
    if not heldout:
        raise NonetError("data_missing", "The collection has no held-out pictures.", "Build it again.")
    values: list[float] = []
    shown: list[Tensor] = []
    for start in range(0, len(heldout), 16):
        pixels = on_white(sprites.pixels_NHW4[heldout[start : start + 16]].float() / 255, 256)
        rebuilt = model.codec.decode(model.codec.encode(pixels)).clamp(0, 1)
        errors = (pixels - rebuilt).square().mean((1, 2, 3))
        values += (-10 * errors.clamp_min(1e-10).log10()).tolist()
        if not shown:
            shown = [pixels[:8], rebuilt[:8]]
    return values, grid_sheet(torch.cat(shown), columns=len(shown[0]))


def heldout_scenes(sprites: Sprites, count: int) -> tuple[Tensor, list[str]]:
    """Held-out pictures with captions, all captions different."""
    mixture = Mixture(single=0.7, pair=0.3, many=0.0, background=0.0, styled=0.1)
    composer = Composer(sprites, split="heldout", mixture=mixture)
    generator = torch.Generator().manual_seed(11)
    chosen: dict[str, Tensor] = {}
    for _ in range(40):
        batch = composer.batch(32, generator)
        for caption, pixels in zip(batch.captions, batch.pixels_BHWC, strict=True):
            if len(chosen) < count:
                chosen.setdefault(caption, pixels)
        if len(chosen) == count:
            break
    return torch.stack(list(chosen.values())), list(chosen)


@torch.inference_mode()
def precision(model: Model, pixels_BHWC: Tensor, captions: Sequence[str], pool: Sequence[str]) -> float:
    """R-precision: how often a picture's own caption is first among itself and 99 others of the pool."""
    judge = model.judge
    if not isinstance(judge, Judge):
        raise NonetError("data_missing", f"The model {model.name} has no judge.")
    texts = list(dict.fromkeys([*pool, *captions]))
    read = torch.cat([judge.read(model.text.sentences(texts[i : i + 64])) for i in range(0, len(texts), 64)])
    place = {text: index for index, text in enumerate(texts)}
    rng = random.Random(5)
    hits = 0
    for start in range(0, len(captions), 32):
        scores_BC = judge.see(pixels_BHWC[start : start + 32]) @ read.T
        for row, caption in zip(scores_BC, captions[start : start + 32], strict=True):
            rivals = rng.sample([t for t in pool if t != caption], min(RIVALS, len(pool) - 1))
            own = row[place[caption]]
            hits += int(bool((row[[place[t] for t in rivals]] < own).all()))
    return hits / len(captions)


def draw_all(
    engine: Engine,
    prompts: Sequence[str],
    *,
    candidates: int = 0,
    together: int = 16,
    report: Report | None = None,
) -> list[Drawn]:
    """One picture of each prompt, the judge's best of `candidates` where that is more than one.

    Raises:
        NonetError: the code of the first drawing that failed.
    """
    drawn: list[Drawn] = []
    for start in range(0, len(prompts), together):
        requests = [
            DrawRequest(prompt=p, count=1, seed=1000, candidates=candidates or None)
            for p in prompts[start : start + together]
        ]
        streams = [engine.submit(request, partials=False) for request in requests]
        drawn += [_only(stream) for stream in streams]
        if report is not None:
            report("drawing", len(drawn), len(prompts))
    return drawn


def _only(events: Iterable[object]) -> Drawn:
    found: Drawn | None = None
    for event in events:
        if isinstance(event, Failed):
            raise NonetError(event.code, event.message)
        if isinstance(event, Drawn):
            found = event
    if found is None:
        raise NonetError("model_failed", "A drawing ended without a picture.")
    return found


def evaluate(
    model: Model,
    sprites: Sprites,
    *,
    captions: int = 300,
    candidates: int = 36,
    candidate_captions: int = 100,
    report: Report | None = None,
) -> tuple[Measures, dict[str, Image.Image]]:
    """Measure everything; returns the numbers and the sheets `codec` and `heldout`.

    Args:
        candidates: pictures of which the judge keeps one in the second measure; 0 leaves it out.
        candidate_captions: captions of the second measure, the first so many of all.
    """
    psnr, codec_sheet = codec_quality(model, sprites)
    pixels, texts = heldout_scenes(sprites, captions)
    judge_real = precision(model, pixels, texts, texts)
    with Engine(model) as engine:
        single = draw_all(engine, texts, report=report)
        best = (
            draw_all(engine, texts[:candidate_captions], candidates=candidates, report=report)
            if candidates
            else []
        )
    drawn_pixels = torch.stack([torch.as_tensor(d.pixels).float() / 255 for d in single])
    best_precision = None
    if best:
        best_pixels = torch.stack([torch.as_tensor(d.pixels).float() / 255 for d in best])
        best_precision = precision(model, best_pixels, texts[:candidate_captions], texts)
    nearest, apart, copies = nearness(model, drawn_pixels, texts)
    measures = Measures(
        codec_pictures=len(psnr),
        codec_psnr=sum(psnr) / len(psnr),
        captions=len(texts),
        judge_real=judge_real,
        precision_one=precision(model, drawn_pixels, texts, texts),
        precision_best=best_precision,
        candidates=candidates,
        candidate_captions=len(best),
        nearest=nearest,
        apart=apart,
        copies=copies,
    )
    sheet = grid_sheet(drawn_pixels[:32], columns=8, captions=list(texts[:32]))
    return measures, {"codec": codec_sheet, "heldout": sheet}


@torch.inference_mode()
def nearness(model: Model, drawn_BHWC: Tensor, prompts: Sequence[str]) -> tuple[float, float, float]:
    """How near drawings come to what they remember: see `Measures`."""
    memory = model.memory
    if memory is None:
        return 0.0, 0.0, 0.0
    fancy = CodecFancy(model.codec)
    distances: list[float] = []
    others: list[float] = []
    for index, prompt in enumerate(prompts):
        found = model.recall(prompt, [1000])[0]
        if not found:
            continue
        remembered = small(model.codec.decode(fancy.filled(memory.full_NT[found])).clamp(0, 1))
        drawn = small(drawn_BHWC[index : index + 1])
        distances.append(float((remembered - drawn).square().mean((1, 2, 3)).sqrt().min()))
        if len(found) > 1:
            others.append(float((remembered[0] - remembered[1]).square().mean().sqrt()))
    middle = torch.tensor(distances).median()
    apart = torch.tensor(others).median() if others else torch.tensor(0.0)
    copies = sum(d < 0.1 * float(apart) for d in distances) / max(1, len(distances))
    return float(middle), float(apart), copies


def small(pixels_BHWC: Tensor) -> Tensor:
    """Pictures at 64x64, where small shifts of edges count little."""
    return torch.nn.functional.interpolate(pixels_BHWC.permute(0, 3, 1, 2), size=(64, 64), mode="area")


def fixed_sheet(model: Model, prompts: Sequence[str], seed: int = 0, each: int = 9) -> dict[str, Image.Image]:
    """A 3x3 sheet for each prompt, as the model draws it with one seed."""
    sheets: dict[str, Image.Image] = {}
    with Engine(model) as engine:
        streams = [
            engine.submit(DrawRequest(prompt=p, seed=seed, count=each), partials=False) for p in prompts
        ]
        for prompt, stream in zip(prompts, streams, strict=True):
            pictures = {
                e.picture: torch.as_tensor(e.pixels).float() / 255 for e in stream if isinstance(e, Drawn)
            }
            if len(pictures) != each:
                raise NonetError(
                    "model_failed", f"Only {len(pictures)} of {each} pictures came of {prompt!r}."
                )
            sheets[prompt] = grid_sheet(torch.stack([pictures[i] for i in sorted(pictures)]), columns=3)
    return sheets
