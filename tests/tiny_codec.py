"""A codec so small that training it takes a second."""

from __future__ import annotations

import torch
from torch import Tensor

from nonet.model.vqgan import VQGANConfig
from nonet.training.codec import CodecSettings, CodecTrainee

CONFIG = VQGANConfig(
    ch=8,
    ch_mult=(1, 2),
    num_res_blocks=1,
    attn_resolutions=(),
    z_channels=8,
    embed_dim=2,
    n_embed=15,
    levels=(5, 3),
    resolution=32,
    patch_size=2,
    norm="position",
    mid_attention=False,
)


def blobs(count: int, generator: torch.Generator) -> Tensor:
    """Pictures of one colour with a square of another."""
    colours = torch.rand(count, 2, 1, 1, 3, generator=generator)
    pixels = colours[:, 0].expand(count, 32, 32, 3).clone()
    pixels[:, 8:24, 8:24] = colours[:, 1]
    return pixels


def trainee(total_steps: int = 6) -> CodecTrainee:
    settings = CodecSettings(total_steps=total_steps, pictures=2, crops=1, crop=32, warmup=2, ramp=3)
    return CodecTrainee(CONFIG, settings, blobs, torch.device("cpu"))
