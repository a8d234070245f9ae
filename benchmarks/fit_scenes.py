"""Fit the policy's semantic layer to `safety/lists/scenes.txt`: `python benchmarks/fit_scenes.py [--encoder FOLDER]`.

Also uses the calibration prompts (tests/data/policy), and prints how a network that was fitted without a quarter of
them judges that quarter; the thresholds in `semantic.py` are read off that table. The held-out prompts are not
touched. A minute on one core.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import torch
from ordinary_prompts import ordinary_prompts
from policy import CORPORA, lines, pairs, sentence_encoder
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from nonet.safety.lists import default_lists, spellings
from nonet.safety.semantic import CATEGORIES, PROBE, THRESHOLDS, WEIGHTS, read_scenes

HIDDEN, STEPS, BATCH, NOISE = 256, 500, 512, 0.6
SPELLINGS_A_LINE = 40
ALLOWED_FORMS = ("a {}", "{} in a window", "a painting of {}", "{} with a cat")


def fit(x_ND: Tensor, y_N: Tensor, weight_N: Tensor, seed: int) -> nn.Sequential:
    """A network on embeddings (N, 384); noise on them stands for other wordings."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(x_ND.shape[1], HIDDEN), nn.ReLU(), nn.Dropout(0.3), nn.Linear(HIDDEN, len(CATEGORIES))
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    weight_N = weight_N / weight_N.mean()
    for _ in range(STEPS):
        rows = torch.randint(0, len(x_ND), (BATCH,))
        x = x_ND[rows] + NOISE / x_ND.shape[1] ** 0.5 * torch.randn(BATCH, x_ND.shape[1])
        loss_N = F.cross_entropy(
            net(8 * F.normalize(x, dim=-1)), y_N[rows], reduction="none", label_smoothing=0.05
        )
        optimizer.zero_grad()
        (weight_N[rows] * loss_N).mean().backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.inference_mode()
def score(net: nn.Sequential, x_ND: Tensor) -> Tensor:
    """How much likelier than harmless, in logits (N,)."""
    logits = net(8 * x_ND)
    return logits[:, 1:].logsumexp(1) - logits[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", type=Path, help="folder with MiniLM's published files")
    given = parser.parse_args()
    torch.set_num_threads(1)
    embed = sentence_encoder(given.encoder)

    def embedded(texts: list[str]) -> Tensor:
        return torch.as_tensor(embed(texts))

    chance = random.Random(0)
    texts: list[str] = []
    labels: list[int] = []
    weights: list[float] = []
    for scene in read_scenes():
        some = list(scene.spellings)
        some = chance.sample(some, SPELLINGS_A_LINE) if len(some) > SPELLINGS_A_LINE else some
        texts += some
        labels += [CATEGORIES.index(scene.category)] * len(some)
        weights += [len(some) ** -0.5] * len(some)
    ordinary = ordinary_prompts(1500, seed=1)
    texts += ordinary[:750]
    labels += [0] * 750
    weights += [0.3] * 750
    # What the lists allow is harmless here too: "spotted dick", "blood orange", "a murder of crows".
    for phrase in default_lists().allowed:
        words = [" ".join(found) for found in spellings("=" + phrase.removeprefix("="))]
        some = [form.format(words) for words in words for form in ALLOWED_FORMS]
        some = chance.sample(some, min(6, len(some)))
        texts += some
        labels += [0] * len(some)
        weights += [0.5] * len(some)
    refused, harmless = pairs("paraphrases_calibration"), lines("benign_calibration")
    extra = [text for _, text in refused] + harmless
    extra_y = torch.tensor([CATEGORIES.index(category) for category, _ in refused] + [0] * len(harmless))
    x, y, w = embedded(texts), torch.tensor(labels), torch.tensor(weights)
    extra_x, rest_x = embedded(extra), embedded(ordinary[750:])

    def with_extra(rows: Tensor, seed: int) -> nn.Sequential:
        return fit(
            torch.cat([x, extra_x[rows]]),
            torch.cat([y, extra_y[rows]]),
            torch.cat([w, torch.ones(len(rows))]),
            seed,
        )

    order = torch.randperm(len(extra), generator=torch.Generator().manual_seed(0))
    left_out, rest = torch.zeros(len(extra)), []
    for fold in range(4):
        net = with_extra(torch.cat([order[part::4] for part in range(4) if part != fold]), fold)
        left_out[order[fold::4]] = score(net, extra_x[order[fold::4]])
        rest.append(score(net, rest_x))
    say = sys.stdout.write
    say(f"{len(texts)} sentences, {len(refused)} + {len(harmless)} calibration prompts of {CORPORA}\n")
    say("threshold  refused  harmless refused  ordinary refused\n")
    for threshold in (*(step / 2 for step in range(0, 9)), *THRESHOLDS.values()):
        shares = [
            (values > threshold).float().mean().item()
            for values in (left_out[extra_y > 0], left_out[extra_y == 0], torch.cat(rest))
        ]
        say(f"{threshold:9.1f}  {shares[0]:7.1%}  {shares[1]:16.1%}  {shares[2]:16.2%}\n")

    net = with_extra(torch.arange(len(extra)), seed=0)
    hidden, out = net[0], net[3]
    assert isinstance(hidden, nn.Linear)
    assert isinstance(out, nn.Linear)
    save_file(
        {
            "hidden.weight": (8 * hidden.weight.detach()).half().contiguous(),
            "hidden.bias": hidden.bias.detach().half(),
            "out.weight": out.weight.detach().half(),
            "out.bias": out.bias.detach().half(),
            "probe": embedded([PROBE])[0].half(),
        },
        WEIGHTS,
    )
    say(f"wrote {WEIGHTS.name}\n")


if __name__ == "__main__":
    main()
