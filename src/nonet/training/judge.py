"""Training the judge: pictures and captions in one space (contrastive, in the manner of CLIP)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nonet.data.composer import Composer
from nonet.model.judge import Judge, JudgeConfig, reduced
from nonet.training.optim import EMA, generator_state, precision, schedule, set_rate
from nonet.training.sheets import grid_sheet
from nonet.training.textside import TextSide


@dataclass(frozen=True)
class JudgeSettings:
    """The `[run]` table of a judge's config file. `soften` blurs and shifts colours a little, so that the judge does
    not mind what a codec does to a picture."""

    total_steps: int = 1500
    batch: int = 64
    lr: float = 1e-3
    warmup: int = 60
    weight_decay: float = 0.05
    soften: float = 0.5
    ema: float = 0.995
    seed: int = 0


@dataclass
class JudgeTrainee:
    """The judge with its optimiser; see `nonet.training.run.Trainee`."""

    config: JudgeConfig
    settings: JudgeSettings
    composer: Composer
    text: TextSide
    device: torch.device
    total_steps: int = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.settings.seed)
        self.total_steps = self.settings.total_steps
        self.judge = Judge(self.config).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.judge.parameters(),
            lr=self.settings.lr,
            betas=(0.9, 0.98),
            weight_decay=self.settings.weight_decay,
        )
        self.ema = EMA(self.judge, self.settings.ema)
        self.generator = torch.Generator().manual_seed(self.settings.seed)
        self.steps_done = 0

    def step(self) -> dict[str, float]:
        settings = self.settings
        factor = schedule(self.steps_done, self.total_steps, settings.warmup)
        set_rate(self.optimizer, settings.lr * factor)
        batch = self.composer.batch(settings.batch, self.generator)
        pixels = self.soften(batch.pixels_BHWC).to(self.device)
        sentences_BE = self.text.sentences(batch.captions).to(self.device)
        with precision(self.device):
            scores_BB = self.judge(pixels, sentences_BE).float() * self.judge.log_scale.exp()
        loss, hits = contrast(scores_BB, batch.captions)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.judge.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            self.judge.log_scale.clamp_(max=4.6)
        self.ema.update(self.judge)
        self.steps_done += 1
        return {"loss": float(loss.detach()), "hits": hits, "lr": factor}

    def soften(self, pixels_BHWC: Tensor) -> Tensor:
        """At the judge's own side, some of them blurred, all a little brighter or darker."""
        image = reduced(pixels_BHWC.permute(0, 3, 1, 2), self.config.side)
        blurred = F.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)
        draws = torch.rand(len(image), 2, generator=self.generator).to(image.device)
        chosen = (draws[:, 0] < self.settings.soften)[:, None, None, None]
        gain = 0.9 + 0.2 * draws[:, 1, None, None, None]
        return (torch.where(chosen, blurred, image) * gain).clamp(0, 1).permute(0, 2, 3, 1)

    def state_dict(self) -> dict[str, Any]:
        return {
            "judge": self.judge.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict(),
            "generator": generator_state(self.generator),
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.judge.load_state_dict(state["judge"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        self.generator.set_state(state["generator"])
        self.steps_done = int(state["steps_done"])

    @torch.no_grad()
    def sheet(self) -> Image.Image:
        """Thirty-two pictures, each with the caption of the 32 that the judge likes best for it."""
        batch = self.composer.batch(32, torch.Generator().manual_seed(3))
        with self.ema.swapped(self.judge):
            scores = self.judge(batch.pixels_BHWC.to(self.device), self.text.sentences(batch.captions))
        best = [batch.captions[i] for i in scores.argmax(1).tolist()]
        return grid_sheet(batch.pixels_BHWC.cpu(), columns=8, captions=best)

    def settings_dict(self) -> dict[str, Any]:
        return {"model": asdict(self.config), "run": asdict(self.settings)}


def contrast(scores_BB: Tensor, captions: list[str]) -> tuple[Tensor, float]:
    """Symmetric cross-entropy, and the share of pictures whose own caption is first.

    Pictures with the same caption are each other's answer too, not each other's mistake.
    """
    number = {caption: index for index, caption in enumerate(dict.fromkeys(captions))}
    ids = torch.tensor([number[c] for c in captions], device=scores_BB.device)
    same_BB = (ids[:, None] == ids[None, :]).float()
    target_BB = same_BB / same_BB.sum(1, keepdim=True)
    loss = (F.cross_entropy(scores_BB, target_BB) + F.cross_entropy(scores_BB.T, target_BB)) / 2
    hits = (ids[scores_BB.argmax(1)] == ids).float().mean()
    return loss, float(hits)
