"""The picture codec: pixels to a grid of codebook tokens and back.

VQGAN (Esser et al., "Taming Transformers for High-Resolution Image Synthesis", 2021) as DALL-E Mini uses it: the
16384-code ImageNet model of vqgan-jax is one configuration of this class, the embedded model's small codec another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nonet.errors import NonetError
from nonet.model import strips
from nonet.model.conv import Conv, unrounded
from nonet.model.winograd import Conv3


@dataclass(frozen=True)
class VQGANConfig:
    """Shape of a codec. The defaults are `dalle-mini/vqgan_imagenet_f16_16384`.

    The last four fields are ours, for codecs that are small, fast and local: `patch_size` folds squares of pixels into
    channels before the first convolution (and unfolds them after the last), `norm="position"` normalises over the
    channels of each position instead of over the whole picture, `mid_attention=False` leaves the global attention
    out, and `levels` fixes the codebook to a grid (finite scalar quantisation, Mentzer et al. 2023). Together they make
    a token depend on its neighbourhood alone.
    """

    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    num_res_blocks: int = 2
    attn_resolutions: tuple[int, ...] = (16,)
    z_channels: int = 256
    embed_dim: int = 256
    n_embed: int = 16384
    resolution: int = 256
    in_channels: int = 3
    out_ch: int = 3
    patch_size: int = 1
    norm: Literal["group", "position", "none"] = "group"
    mid_attention: bool = True
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.norm == "group" and self.ch % 32:
            raise NonetError(
                "config_invalid", f"The codec's ch is {self.ch}; group norm needs a multiple of 32."
            )
        if self.levels:
            codes = 1
            for level in self.levels:
                codes *= level
            if (
                codes != self.n_embed
                or len(self.levels) != self.embed_dim
                or any(n % 2 == 0 for n in self.levels)
            ):
                raise NonetError(
                    "config_invalid",
                    f"Levels {self.levels} do not make {self.n_embed} codes of width {self.embed_dim}.",
                    "Use odd numbers, one for each embedding dimension.",
                )
        if self.resolution % (self.patch_size * self.downsampling_in_network):
            raise NonetError("config_invalid", f"Resolution {self.resolution} does not divide into tokens.")

    @property
    def downsampling_in_network(self) -> int:
        return int(2 ** (len(self.ch_mult) - 1))

    @property
    def downsampling(self) -> int:
        """Pixels along one side of a token."""
        return self.patch_size * self.downsampling_in_network

    @property
    def grid(self) -> int:
        """Tokens along one side of a full picture."""
        return self.resolution // self.downsampling

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> VQGANConfig:
        """Read a published or own `config.json`; keys that do not shape the network are passed over.

        Raises:
            NonetError: `config_invalid`.
        """
        for key, wanted in (("double_z", False), ("resamp_with_conv", True), ("give_pre_end", False)):
            if key in values and bool(values[key]) is not wanted:
                raise NonetError("config_invalid", f"A codec with {key}={values[key]} is not supported.")
        known = {f.name for f in fields(cls)}
        tuples = ("ch_mult", "attn_resolutions", "levels")
        try:
            picked: dict[str, Any] = {
                k: tuple(v) if k in tuples else v for k, v in values.items() if k in known
            }
            return cls(**picked)
        except TypeError as error:
            raise NonetError("config_invalid", f"The codec's config cannot be read: {error}.") from error

    def to_dict(self) -> dict[str, Any]:
        """Values for `config.json`."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


class PositionNorm(nn.Module):
    """Layer norm over the channels of each position of a (B, C, H, W) tensor."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        # In channels-last memory the permutes are views, and the norm runs over contiguous numbers.
        weight = self.weight
        y = torch.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, self.bias, 1e-6)
        return y.permute(0, 3, 1, 2)


def make_norm(kind: str, channels: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    if kind == "position":
        return PositionNorm(channels)
    return nn.GroupNorm(32, channels, eps=1e-6)


def activated(norm: nn.Module, x: Tensor) -> Tensor:
    """`silu(norm(x))`; in the memory of the norm's output, where no gradient needs that."""
    y = norm(x)
    return F.silu(y, inplace=y is not x and not y.requires_grad)


def _sum(fresh: Tensor, x: Tensor) -> Tensor:
    # In place where it can be: to take memory for a large tensor costs more than to add.
    return fresh + x if fresh.requires_grad or x.requires_grad else fresh.add_(x)


class ResnetBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.norm1 = make_norm(norm, in_channels)
        self.conv1 = Conv3(in_channels, out_channels)
        self.norm2 = make_norm(norm, out_channels)
        self.conv2 = Conv3(out_channels, out_channels)
        self.nin_shortcut = Conv(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(activated(self.norm1, x))
        h = self.conv2(activated(self.norm2, h))
        return _sum(h, x if self.nin_shortcut is None else self.nin_shortcut(x))


class AttnBlock(nn.Module):
    """Single-head attention over all positions, scale channels^-0.5."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.norm = make_norm(norm, channels)
        self.q = Conv(channels, channels, 1)
        self.k = Conv(channels, channels, 1)
        self.v = Conv(channels, channels, 1)
        self.proj_out = Conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        h = self.norm(x)
        q, k, v = (p(h).flatten(2).transpose(1, 2) for p in (self.q, self.k, self.v))
        h = F.scaled_dot_product_attention(q, k, v)
        return _sum(self.proj_out(h.transpose(1, 2).reshape(batch, channels, height, width)), x)


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        # The original pads the right and the bottom only.
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return out


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv(channels, channels, 3, padding=1)
        self._doubled = strips.Doubled()

    def forward(self, x: Tensor) -> Tensor:
        # Where channels are few, the products are so cheap that putting the parts together costs more.
        if self.conv.in_channels >= 128 and not x.requires_grad and not self.conv.weight.requires_grad:
            return self._doubled(x, self.conv)
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


class Level(nn.Module):
    """One resolution: its residual blocks, attention where configured, and the step to the next resolution."""

    def __init__(self, channels: list[int], attention: bool, norm: str) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResnetBlock(a, b, norm) for a, b in pairwise(channels))
        self.attn = nn.ModuleList(AttnBlock(b, norm) for b in channels[1:] if attention)
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None

    def blocks(self) -> Iterator[ResnetBlock]:
        """`block`, typed."""
        return (cast("ResnetBlock", block) for block in self.block)

    def forward(self, x: Tensor) -> Tensor:
        for index, block in enumerate(self.block):
            x = block(x)
            if self.attn:
                x = self.attn[index](x)
        if self.downsample is not None:
            x = self.downsample(x)
        if self.upsample is not None:
            x = self.upsample(x)
        return x


class Middle(nn.Module):
    def __init__(self, channels: int, norm: str, attention: bool) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels, norm)
        self.attn_1 = AttnBlock(channels, norm) if attention else None
        self.block_2 = ResnetBlock(channels, channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block_1(x)
        if self.attn_1 is not None:
            x = self.attn_1(x)
        out: Tensor = self.block_2(x)
        return out


class PictureEncoder(nn.Module):
    """(B, 3, H, W) pixels to (B, z_channels, H / downsampling, W / downsampling) latents."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.conv_in = Conv(config.in_channels * config.patch_size**2, config.ch, 3, padding=1)
        self.down = nn.ModuleList()
        side, channels = config.resolution // config.patch_size, config.ch
        for index, mult in enumerate(config.ch_mult):
            widths = [channels] + [config.ch * mult] * config.num_res_blocks
            level = Level(widths, side in config.attn_resolutions, config.norm)
            channels = config.ch * mult
            if index + 1 < len(config.ch_mult):
                level.downsample = Downsample(channels)
                side //= 2
            self.down.append(level)
        self.mid = Middle(channels, config.norm, config.mid_attention)
        self.norm_out = make_norm(config.norm, channels)
        self.conv_out = Conv(channels, config.z_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if self.patch_size > 1:
            x = F.pixel_unshuffle(x, self.patch_size)
        x = self.conv_in(x.contiguous(memory_format=torch.channels_last))
        for level in self.down:
            x = level(x)
        return self.conv_out(activated(self.norm_out, self.mid(x)))  # type: ignore[no-any-return]


class PictureDecoder(nn.Module):
    """(B, z_channels, h, w) latents to (B, 3, h * downsampling, w * downsampling) pixels."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        channels = config.ch * config.ch_mult[-1]
        self.conv_in = Conv(config.z_channels, channels, 3, padding=1)
        self.mid = Middle(channels, config.norm, config.mid_attention)
        levels: list[Level] = []
        side = config.resolution // config.downsampling
        for index in reversed(range(len(config.ch_mult))):
            widths = [channels] + [config.ch * config.ch_mult[index]] * (config.num_res_blocks + 1)
            level = Level(widths, side in config.attn_resolutions, config.norm)
            channels = widths[-1]
            if index > 0:
                level.upsample = Upsample(channels)
                side *= 2
            levels.insert(0, level)
        # up[i] is the level of resolution i, as in the published files; the decoder runs from the last to the first.
        self.up = nn.ModuleList(levels)
        self.norm_out = make_norm(config.norm, channels)
        self.conv_out = Conv(channels, config.out_ch * config.patch_size**2, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid(self.conv_in(z.contiguous(memory_format=torch.channels_last)))
        levels = [cast("Level", level) for level in reversed(self.up)]
        if self._in_strips(x):
            assert isinstance(self.norm_out, nn.GroupNorm)
            # Attention sees whole pictures; it stands where they are small.
            first = 1 + max((i for i, level in enumerate(levels) if level.attn), default=0)
            for level in levels[:first]:
                x = level(x)
            drawn = [strips.finished(one, levels[first:], self.norm_out, self.conv_out) for one in x]
            return torch.stack(drawn).permute(0, 3, 1, 2)
        for level in levels:
            x = level(x)
        x = self.conv_out(activated(self.norm_out, x))
        return F.pixel_shuffle(x, self.patch_size) if self.patch_size > 1 else x

    def _in_strips(self, x: Tensor) -> bool:
        """Whether one picture becomes so large at the last level that whole tensors cost more than strips."""
        plain = isinstance(self.norm_out, nn.GroupNorm) and self.patch_size == 1
        trained = x.requires_grad or self.conv_out.weight.requires_grad
        positions = x.shape[2] * x.shape[3] * 4 ** (len(self.up) - 1)
        size = positions * self.conv_out.in_channels * x.element_size()
        return plain and not trained and x.device.type == "cpu" and size > 8 * strips.STRIP_BYTES


class Quantizer(nn.Module):
    """The codebook: (n_embed, embed_dim) vectors; a latent becomes the id of the nearest one."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.n_embed, config.embed_dim)
        self.levels = config.levels
        # On the meta device, where weights are to be read, arithmetic would load torch's compiler.
        if config.levels and not self.embedding.weight.is_meta:
            axes = [torch.arange(n, dtype=torch.float32) - n // 2 for n in config.levels]
            self.embedding.weight.data = torch.cartesian_prod(*axes).reshape(config.n_embed, config.embed_dim)
            self.embedding.weight.requires_grad_(False)

    def forward(self, z_NE: Tensor) -> Tensor:
        if self.levels:
            return self._on_grid(z_NE.float())
        codebook = self.embedding.weight
        # |z - e|^2 without |z|^2, which is the same for every code.
        distance = codebook.square().sum(1) - 2 * z_NE.float() @ codebook.float().T
        return distance.argmin(1)

    def _on_grid(self, z_NE: Tensor) -> Tensor:
        """The nearest code where the codes are all the points of a grid: along each axis the nearest one."""
        levels_E = torch.tensor(self.levels, device=z_NE.device)
        places_NE = torch.minimum((z_NE.round().long() + levels_E // 2).clamp(min=0), levels_E - 1)
        # The last axis counts by one, as in the codebook.
        steps_E = levels_E.flip(0).cumprod(0).flip(0) // levels_E
        return (places_NE * steps_E).sum(1)


class VQGAN(nn.Module):
    """Pixels in [0, 1] to tokens and back."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = PictureEncoder(config)
        self.quant_conv = Conv(config.z_channels, config.embed_dim, 1)
        self.quantize = Quantizer(config)
        self.post_quant_conv = Conv(config.embed_dim, config.z_channels, 1)
        self.decoder = PictureDecoder(config)

    def latents(self, pixels_BHWC: Tensor) -> Tensor:
        """Continuous latents (B, embed_dim, h, w) before quantisation."""
        with unrounded(pixels_BHWC.device):
            return self.quant_conv(self.encoder(pixels_BHWC.permute(0, 3, 1, 2)))  # type: ignore[no-any-return]

    def pixels(self, z_BEHW: Tensor) -> Tensor:
        """Pixels (B, H, W, 3), unclipped, of latents (B, embed_dim, h, w)."""
        with unrounded(z_BEHW.device):
            return self.decoder(self.post_quant_conv(z_BEHW)).permute(0, 2, 3, 1)  # type: ignore[no-any-return]

    def encode(self, pixels_BHWC: Tensor) -> Tensor:
        """Tokens (B, h * w), int64, row by row, of pixels (B, H, W, 3) in [0, 1].

        Any H and W that are multiples of `config.downsampling` will do where the codec is local.
        """
        z = self.latents(pixels_BHWC)
        tokens_N = self.quantize(z.permute(0, 2, 3, 1).reshape(-1, z.shape[1]))
        return tokens_N.reshape(z.shape[0], -1)  # type: ignore[no-any-return]

    def decode(self, tokens_BT: Tensor) -> Tensor:
        """Pixels (B, H, W, 3), unclipped, of a square grid of tokens (B, T)."""
        side = int(tokens_BT.shape[1] ** 0.5)
        z = self.quantize.embedding(tokens_BT).reshape(tokens_BT.shape[0], side, side, -1)
        return self.pixels(z.permute(0, 3, 1, 2))
