"""Fit the policy's semantic layer to `safety/lists/scenes.txt`: `python benchmarks/fit_scenes.py`.

Also uses the calibration prompts and captions (tests/data/policy), and prints how networks that were fitted without a
quarter of them judge that quarter; the thresholds in `semantic.py` are read off those tables. The held-out prompts and
captions are not touched. A few minutes on one core.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ordinary_prompts import DEEDS, PLACES, STYLES, ordinary_prompts
from policy import lines, pairs, say
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from nonet.checkpoints.places import DOODLE
from nonet.safety.lists import default_lists, spellings
from nonet.safety.semantic import CATEGORIES, HARMLESS, PROBE, THRESHOLDS, WEIGHTS, features, read_scenes
from nonet.safety.sentences import SentenceEncoder

HIDDEN, MEMBERS, STEPS, BATCH, NOISE = 256, 3, 500, 512, 0.6
SPELLINGS_A_LINE, STYLED_A_LINE, COMPOSED = 40, 4, 1500
ALLOWED_FORMS = ("a {}", "{} in a window", "a painting of {}", "{} with a cat")


def fit(x_ND: Tensor, y_N: Tensor, weight_N: Tensor, seed: int) -> nn.Sequential:
    """Several networks on embeddings (N, 384), in one; noise on them stands for other wordings."""
    weight_N = weight_N / weight_N.mean()
    found = [_fit_one(x_ND, y_N, weight_N, 100 * seed + member) for member in range(MEMBERS)]
    # Their mean is one network again, with all of their hidden units.
    hidden, out = nn.Linear(x_ND.shape[1], MEMBERS * HIDDEN), nn.Linear(MEMBERS * HIDDEN, len(CATEGORIES))
    with torch.no_grad():
        hidden.weight.copy_(torch.cat([first.weight for first, _ in found]))
        hidden.bias.copy_(torch.cat([first.bias for first, _ in found]))
        out.weight.copy_(torch.cat([last.weight for _, last in found], 1) / MEMBERS)
        out.bias.copy_(torch.stack([last.bias for _, last in found]).mean(0))
    return nn.Sequential(hidden, nn.ReLU(), out)


def _fit_one(x_ND: Tensor, y_N: Tensor, weight_N: Tensor, seed: int) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(seed)
    hidden, out = nn.Linear(x_ND.shape[1], HIDDEN), nn.Linear(HIDDEN, len(CATEGORIES))
    net = nn.Sequential(hidden, nn.ReLU(), nn.Dropout(0.3), out)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(0, len(x_ND), (BATCH,))
        x = x_ND[rows] + NOISE / x_ND.shape[1] ** 0.5 * torch.randn(BATCH, x_ND.shape[1])
        loss_N = F.cross_entropy(
            net(8 * F.normalize(x, dim=-1)), y_N[rows], reduction="none", label_smoothing=0.05
        )
        optimizer.zero_grad()
        (weight_N[rows] * loss_N).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return hidden, out


@torch.inference_mode()
def score(net: nn.Sequential, x_ND: Tensor) -> Tensor:
    """How much likelier than harmless, in logits (N,)."""
    logits: Tensor = net(8 * x_ND)
    return logits[:, 1:].logsumexp(1) - logits[:, 0]


@dataclass
class Sentences:
    """What the networks are always fitted to."""

    texts: list[str]
    labels: list[int]
    weights: list[float]

    def add(self, texts: list[str], label: int, weight: float) -> None:
        self.texts += texts
        self.labels += [label] * len(texts)
        self.weights += [weight] * len(texts)


def sentences(captions: list[str], ordinary: list[str]) -> Sentences:
    """Scenes, plain and in some style; ordinary prompts; allowed phrases; and prompts made of captions."""
    chance = random.Random(0)
    styles = [style for style in STYLES if style]
    found = Sentences([], [], [])
    for scene in read_scenes():
        label = CATEGORIES.index(scene.category)
        some = _some(chance, scene.spellings, SPELLINGS_A_LINE)
        found.add(some, label, len(some) ** -0.5)
        some = [
            chance.choice(("{0}, {1}", "{1} of {0}", "{0} {1}")).format(text, chance.choice(styles))
            for text in _some(chance, some, STYLED_A_LINE)
        ]
        found.add(some, label, 0.5 * len(some) ** -0.5)
    found.add(ordinary, 0, 0.3)
    # What the lists allow is harmless here too: "spotted dick", "blood orange", "a murder of crows".
    for phrase in default_lists().allowed:
        words = [" ".join(found) for found in spellings("=" + phrase.removeprefix("="))]
        found.add(_some(chance, [form.format(w) for w in words for form in ALLOWED_FORMS], 6), 0, 0.5)
    for _ in range(COMPOSED):
        one, other = chance.sample(captions, 2)
        composed = chance.choice(
            (
                f"a {one} and a {other}",
                f"a {one} with a {other} {chance.choice(PLACES)}",
                f"{one} {chance.choice(DEEDS)}",
                f"{one}, {chance.choice(styles)}",
                f"a {one} {chance.choice(PLACES)}",
            )
        )
        found.add([composed], 0, 0.3)
    return found


def _some(chance: random.Random, texts: Sequence[str], most: int) -> list[str]:
    return chance.sample(texts, most) if len(texts) > most else list(texts)


def table(shares_of: Sequence[tuple[str, Tensor]], thresholds: Iterable[float]) -> None:
    """Print what share of each kind of prompts scores more than each threshold."""
    say("  ".join(("threshold", *(name for name, _ in shares_of))))
    for threshold in sorted(thresholds):
        shares = [
            f"{(scores > threshold).float().mean().item():{len(name)}.2%}" for name, scores in shares_of
        ]
        say("  ".join((f"{threshold:9.1f}", *shares)))


def tensors_of(net: nn.Sequential, look: str) -> dict[str, Tensor]:
    """What `SceneGuard` reads of a network."""
    hidden, out = net[0], net[2]
    assert isinstance(hidden, nn.Linear)
    assert isinstance(out, nn.Linear)
    found = {
        "hidden.weight": 8 * hidden.weight,
        "hidden.bias": hidden.bias,
        "out.weight": out.weight,
        "out.bias": out.bias,
    }
    return {f"{look}.{name}": tensor.detach().half().contiguous() for name, tensor in found.items()}


def main() -> None:
    torch.set_num_threads(1)
    encoder = SentenceEncoder(DOODLE)

    def embedded(texts: list[str]) -> Tensor:
        parts = [features(encoder, texts[start : start + 64]) for start in range(0, len(texts), 64)]
        return torch.as_tensor(np.concatenate(parts))

    ordinary = ordinary_prompts(1500, seed=1)
    refused, harmless = pairs("paraphrases_calibration"), lines("benign_calibration")
    captions = lines("benign_captions_calibration")
    always = sentences(captions, ordinary[:750])
    x, y, w = embedded(always.texts), torch.tensor(always.labels), torch.tensor(always.weights)
    rest_x = embedded(ordinary[750:])
    # What each network of the table is fitted without a quarter of.
    extra = [text for _, text in refused] + harmless + captions
    extra_y = torch.tensor(
        [CATEGORIES.index(category) for category, _ in refused] + [0] * (len(extra) - len(refused))
    )
    extra_w = torch.ones(len(extra))
    extra_w[len(refused) + len(harmless) :] = 0.3
    is_caption = extra_w < 1
    extra_x = embedded(extra)

    # What is judged before the encoder's layers, and after them.
    looks = {"first": slice(0, x.shape[1] // 2), "second": slice(None)}

    def with_extra(rows: Tensor, look: slice, seed: int) -> nn.Sequential:
        seen = torch.cat([x[:, look], extra_x[rows][:, look]])
        return fit(seen, torch.cat([y, extra_y[rows]]), torch.cat([w, extra_w[rows]]), seed)

    counts = f"{len(refused)} prompts to refuse, {len(harmless)} hard ones to draw, {len(captions)} captions"
    say(f"{len(always.texts)} sentences; {counts}")
    order = torch.randperm(len(extra), generator=torch.Generator().manual_seed(0))
    thresholds = {"first": (HARMLESS - 0.5, HARMLESS, HARMLESS + 0.5), "second": THRESHOLDS.values()}
    tensors = {"probe": embedded([PROBE])[0].half()}
    for name, look in looks.items():
        left_out, rest = torch.zeros(len(extra)), []
        for fold in range(4):
            others = torch.cat([order[part::4] for part in range(4) if part != fold])
            net = with_extra(others, look, fold)
            left_out[order[fold::4]] = score(net, extra_x[order[fold::4]][:, look])
            rest.append(score(net, rest_x[:, look]))
        kinds = [
            ("to refuse", left_out[extra_y > 0]),
            ("hard, to draw", left_out[(extra_y == 0) & ~is_caption]),
            ("captions", left_out[is_caption]),
            ("ordinary", torch.cat(rest)),
        ]
        say(f"{name} look: prompts that score more")
        table(kinds, {*(step / 2 for step in range(-2, 9)), *thresholds[name]})
        tensors |= tensors_of(with_extra(torch.arange(len(extra)), look, seed=0), name)
    save_file(tensors, WEIGHTS)
    say(f"wrote {WEIGHTS.name}")


if __name__ == "__main__":
    main()
