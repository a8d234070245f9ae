"""Training the picture codec: reconstruct crops of composed scenes through a fixed grid of codes.

The quantiser is finite scalar quantisation (Mentzer et al. 2023) with a straight-through gradient: a codebook that
cannot collapse and needs no commitment tuning; a small pull keeps the latents inside the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from nonet.model.vqgan import VQGAN, ResnetBlock, VQGANConfig
from nonet.training.optim import (
    EMA,
    Muon,
    generator_state,
    load_optimizer,
    precision,
    rate_on,
    schedule,
    set_rate,
)
from nonet.training.recorded import Recorded
from nonet.training.sheets import grid_sheet

Pictures = Callable[[int, torch.Generator], Tensor]
"""(how many, generator) -> pixels (B, H, W, 3) in [0, 1]."""


@dataclass(frozen=True)
class CodecSettings:
    """The `[run]` table of a codec's config file.

    `pictures` scenes are composed per step and `crops` squares of `crop` pixels are cut from each. Over the first
    `ramp` steps rounding comes in little by little. After `freeze_encoder_at` steps only the decoder learns, so
    that tokens made before stay valid.
    """

    total_steps: int = 8000
    pictures: int = 8
    crops: int = 2
    crop: int = 128
    lr: float = 1e-3
    muon_lr: float = 2e-3
    warmup: int = 100
    ramp: int = 600
    weight_decay: float = 0.01
    edge_weight: float = 0.5
    pull: float = 0.05
    ema: float = 0.999
    seed: int = 0
    freeze_encoder_at: int | None = None


@dataclass
class CodecTrainee:
    """The codec with its optimiser; see `nonet.training.run.Trainee`."""

    config: VQGANConfig
    settings: CodecSettings
    pictures: Pictures
    device: torch.device
    total_steps: int = field(init=False)
    warm: bool = field(init=False)
    """Whether the weights came from a finished codec: its latents are spread already and are rounded from the start."""

    def __post_init__(self) -> None:
        torch.manual_seed(self.settings.seed)
        self.total_steps = self.settings.total_steps
        codec = VQGAN(self.config)
        initialise(codec)
        self.codec = codec.to(self.device)
        filters, others = split_parameters(self.codec)
        on_gpu = self.device.type == "cuda"
        muon_lr, lr = (rate_on(self.device, rate) for rate in (self.settings.muon_lr, self.settings.lr))
        self.muon = Muon(filters, muon_lr, self.settings.weight_decay)
        self.adam = torch.optim.AdamW(
            others, lr=lr, betas=(0.9, 0.99), weight_decay=self.settings.weight_decay, capturable=on_gpu
        )
        self.ema = EMA(self.codec, self.settings.ema)
        self.generator = torch.Generator().manual_seed(self.settings.seed)
        self.steps_done = 0
        self.warm = False
        settings, side = self.settings, self.settings.crop
        # What a step reads stays where it is, for a GPU to play it back.
        self._pixels = torch.zeros(settings.pictures * settings.crops, side, side, 3, device=self.device)
        self._rounding = torch.zeros((), device=self.device)
        self._bound_E = self.codec.quantize.embedding.weight.detach().amax(0)
        self._ahead: tuple[Tensor, Tensor] | None = None
        """The next step's crops, and the generator's state before they were made."""
        self._make_steps()

    def _make_steps(self) -> None:
        self._steps = {
            frozen: Recorded(partial(self._update, frozen=frozen), self.device) for frozen in (False, True)
        }

    def step(self) -> dict[str, float]:
        settings = self.settings
        factor = schedule(self.steps_done, self.total_steps, settings.warmup)
        set_rate(self.muon, settings.muon_lr * factor)
        set_rate(self.adam, settings.lr * factor)
        self._pixels.copy_(self._crops() if self._ahead is None else self._ahead[0])
        if self.steps_done == 0 and not self.warm:
            spread_latents(self.codec, self._pixels)
        self._rounding.fill_(1.0 if self.warm else min(1.0, self.steps_done / max(1, settings.ramp)))
        frozen = settings.freeze_encoder_at is not None and self.steps_done >= settings.freeze_encoder_at
        measured = self._steps[frozen]()
        self.ema.update(self.codec)
        # While a GPU plays the step back.
        before = generator_state(self.generator)
        self._ahead = self._crops(), before
        self.steps_done += 1
        return {name: float(value) for name, value in measured.items()} | {"lr": factor}

    def _update(self, *, frozen: bool) -> dict[str, Tensor]:
        """Learn from the crops: on the device alone, so that a GPU can play it back."""
        settings, pixels = self.settings, self._pixels
        with precision(self.device):
            with torch.set_grad_enabled(not frozen):
                # In half precision latents beside the middle between two codes would go to the wrong one.
                latents = self.codec.latents(pixels).float()
            grid = snap(latents, self._bound_E)
            output = self.codec.pixels(latents + self._rounding * (grid - latents).detach())
        losses = reconstruction_losses(output.float(), pixels)
        loss = losses["l1"] + 4.0 * losses["mse"] + settings.edge_weight * losses["edges"]
        loss = loss + settings.pull * (latents - grid.detach()).square().mean()
        self.codec.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.codec.parameters(), 1.0)
        self.adam.step()
        self.muon.step()
        return {"loss": loss.detach(), "psnr": -10 * torch.log10(losses["mse"].detach()), "grad_norm": norm}

    def _crops(self) -> Tensor:
        """Squares cut out of fresh scenes."""
        settings = self.settings
        scenes = self.pictures(settings.pictures, self.generator).to(self.device)
        side, room = settings.crop, scenes.shape[1] - settings.crop + 1
        count = settings.pictures * settings.crops
        corners_N2 = torch.randint(room, (count, 2), generator=self.generator).to(self.device)
        places_S = torch.arange(side, device=self.device)
        rows_NS, columns_NS = (corners_N2[:, axis, None] + places_S for axis in (0, 1))
        of_N = torch.arange(count, device=self.device) // settings.crops
        return scenes[of_N[:, None, None], rows_NS[:, :, None], columns_NS[:, None, :]]

    def state_dict(self) -> dict[str, Any]:
        return {
            "codec": self.codec.state_dict(),
            "adam": self.adam.state_dict(),
            "muon": self.muon.state_dict(),
            "ema": self.ema.state_dict(),
            "generator": generator_state(self.generator) if self._ahead is None else self._ahead[1],
            "steps_done": self.steps_done,
            "warm": self.warm,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.codec.load_state_dict(state["codec"])
        load_optimizer(self.adam, state["adam"])
        load_optimizer(self.muon, state["muon"])
        self.ema.load_state_dict(state["ema"])
        self.generator.set_state(state["generator"])
        self.steps_done = int(state["steps_done"])
        self.warm = bool(state.get("warm", False))
        self._ahead = None
        self._make_steps()

    @torch.no_grad()
    def sheet(self) -> Image.Image:
        """Pictures above, what the averaged codec makes of them below."""
        pixels = self.pictures(8, torch.Generator().manual_seed(1)).to(self.device)
        with self.ema.swapped(self.codec):
            rebuilt = self.codec.decode(self.codec.encode(pixels)).float()
        return grid_sheet(torch.cat([pixels, rebuilt]).cpu(), columns=8)

    def settings_dict(self) -> dict[str, Any]:
        return {"model": self.config.to_dict(), "run": asdict(self.settings)}


def split_parameters(codec: VQGAN) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The filters between channels, for Muon, and the rest: biases, norms, and what touches pixels or codes."""
    ends = (codec.encoder.conv_in, codec.decoder.conv_out, codec.quant_conv, codec.post_quant_conv)
    at_ends = {id(end.weight) for end in ends}
    trained = [p for p in codec.parameters() if p.requires_grad]
    filters = [p for p in trained if p.ndim == 4 and id(p) not in at_ends]
    chosen = {id(p) for p in filters}
    return filters, [p for p in trained if id(p) not in chosen]


@torch.no_grad()
def initialise(codec: VQGAN) -> None:
    """Weights that keep a signal's size through every layer; residual blocks begin as the identity.

    The usual default shrinks it by half at each convolution, and a net without norms would start deaf.
    """
    for module in codec.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in codec.modules():
        if isinstance(module, ResnetBlock):
            nn.init.zeros_(module.conv2.weight)


@torch.no_grad()
def spread_latents(codec: VQGAN, pixels_BHWC: Tensor) -> None:
    """Scale a fresh codec's last projection so that the latents of a batch spread over the whole grid.

    Untouched, they would all round to the middle code, and the decoder would see nothing for hundreds of steps.
    """
    latents = codec.latents(pixels_BHWC)
    bound = torch.tensor([n // 2 for n in codec.config.levels], device=latents.device, dtype=latents.dtype)
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    gain = 0.6 * bound / std.clamp_min(1e-6)
    projection = codec.quant_conv
    projection.weight.mul_(gain[:, None, None, None])
    if projection.bias is not None:
        projection.bias.sub_(mean).mul_(gain)


def snap(latents_BEHW: Tensor, bound_E: Tensor) -> Tensor:
    """The nearest point of the grid of codes for every latent; its axes go from -bound to bound."""
    bound_E11 = bound_E[:, None, None].to(latents_BEHW)
    return torch.minimum(torch.maximum(latents_BEHW.round(), -bound_E11), bound_E11)


def reconstruction_losses(output_BHWC: Tensor, target_BHWC: Tensor) -> dict[str, Tensor]:
    """`l1`, `mse`, and `edges`: the L1 distance of the pixel differences along both axes, at two scales."""
    difference = output_BHWC - target_BHWC
    edges = torch.zeros((), device=difference.device)
    at_scale = difference.permute(0, 3, 1, 2)
    for _ in range(2):
        edges = edges + at_scale.diff(dim=-1).abs().mean() + at_scale.diff(dim=-2).abs().mean()
        at_scale = F.avg_pool2d(at_scale, 2)
    return {"l1": difference.abs().mean(), "mse": difference.square().mean(), "edges": edges}
