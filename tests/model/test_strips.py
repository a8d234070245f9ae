from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nonet.model import strips
from nonet.model.vqgan import VQGAN, Level, Upsample, VQGANConfig


@pytest.fixture(autouse=True)
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    # Four rows of the pictures here, so that heights divide into them and do not.
    monkeypatch.setattr(strips, "STRIP_BYTES", 1)


def filled(module: nn.Module, seed: int = 0) -> Any:
    """Weights of chance in the sizes that keep numbers near 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        inputs = parameter[0].numel() if parameter.dim() > 1 else 1
        centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        spread = inputs**-0.5 if parameter.dim() > 1 else 0.2
        parameter.data = centre + spread * torch.randn(parameter.shape, generator=generator)
    return module.eval().requires_grad_(False)


def picture(*shape: int) -> Tensor:
    # Not around 0: the variance is then a small difference of large sums.
    return 3 + torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("height", [1, 3, 7, 12])
@pytest.mark.parametrize("widths", [(32, 32), (64, 32), (64, 64)])
def test_strips_give_what_the_modules_give(height: int, widths: tuple[int, int]) -> None:
    level = filled(Level([widths[0], widths[1], widths[1]], attention=False, norm="group"), 1)
    norm = filled(nn.GroupNorm(32, widths[1], eps=1e-6), 3)
    conv = filled(nn.Conv2d(widths[1], 3, 3, padding=1), 4)
    x = picture(1, widths[0], height, 20)
    wanted = conv(F.silu(norm(level(x))))
    drawn = strips.finished(x[0].clone(), [level], norm, conv)
    assert float(wanted.std()) > 0.1
    torch.testing.assert_close(drawn, wanted[0].permute(1, 2, 0), atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 8)])
def test_doubling_is_a_part_of_the_convolution(size: tuple[int, int]) -> None:
    conv = filled(nn.Conv2d(16, 24, 3, padding=1))
    x = picture(2, 16, *size)
    wanted = conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
    doubled = strips.Doubled()
    torch.testing.assert_close(doubled(x, conv), wanted, atol=2e-5, rtol=0)
    # Weights that change, in place or not, are noticed.
    with torch.no_grad():
        conv.weight.mul_(2)
        conv.bias.mul_(2)
    torch.testing.assert_close(doubled(x, conv), 2 * wanted, atol=4e-5, rtol=0)
    conv.weight = nn.Parameter(conv.weight.detach() / 2)
    conv.bias = nn.Parameter(conv.bias.detach() / 2)
    torch.testing.assert_close(doubled(x, conv), wanted, atol=2e-5, rtol=0)


def test_levels_follow_one_another() -> None:
    levels = [Level([64, 32], attention=False, norm="group"), Level([32, 64], attention=False, norm="group")]
    levels[0].upsample = Upsample(32)
    for seed, level in enumerate(levels):
        filled(level, seed)
    norm = filled(nn.GroupNorm(32, 64, eps=1e-6), 3)
    conv = filled(nn.Conv2d(64, 3, 3, padding=1), 4)
    x = picture(1, 64, 6, 10)
    wanted = conv(F.silu(norm(levels[1](levels[0](x)))))
    drawn = strips.finished(x[0].clone(), levels, norm, conv)
    torch.testing.assert_close(drawn, wanted[0].permute(1, 2, 0), atol=2e-5, rtol=0)


def test_attention_sees_whole_pictures() -> None:
    config = replace(CONFIG, ch_mult=(1, 1, 1), attn_resolutions=(16,))
    codec = filled(VQGAN(config))
    tokens_BT = torch.randint(30, (1, 64), generator=torch.Generator().manual_seed(2))
    drawn = codec.decode(tokens_BT)
    codec.requires_grad_(True)
    plain = codec.decode(tokens_BT)
    torch.testing.assert_close(drawn, plain.detach(), atol=5e-5, rtol=0)


CONFIG = VQGANConfig(
    ch=128,
    ch_mult=(1, 1),
    num_res_blocks=1,
    attn_resolutions=(),
    z_channels=32,
    embed_dim=8,
    n_embed=30,
    resolution=32,
)


@pytest.fixture(scope="module")
def codec() -> VQGAN:
    return filled(VQGAN(CONFIG))  # type: ignore[no-any-return]


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[int]:
    calls: list[int] = []
    original: Callable[..., Tensor] = getattr(owner, name)

    def counting(*arguments: Any) -> Tensor:
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(owner, name, counting)
    return calls


def test_a_large_codec_draws_in_strips_and_trains_without(
    codec: VQGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens_BT = torch.randint(30, (3, 256), generator=torch.Generator().manual_seed(2))
    in_strips, doubled = (
        counted(monkeypatch, strips, "finished"),
        counted(monkeypatch, strips.Doubled, "__call__"),
    )
    drawn = codec.decode(tokens_BT)
    assert (len(in_strips), len(doubled)) == (3, 1)
    codec.requires_grad_(True)
    plain = codec.decode(tokens_BT)
    plain.sum().backward()  # type: ignore[no-untyped-call]
    codec.requires_grad_(False)
    assert (len(in_strips), len(doubled)) == (3, 1)
    assert codec.post_quant_conv.weight.grad is not None
    torch.testing.assert_close(drawn, plain.detach(), atol=5e-5, rtol=0)


def test_pictures_that_are_small_are_drawn_whole(codec: VQGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "STRIP_BYTES", 64 << 20)
    in_strips = counted(monkeypatch, strips, "finished")
    codec.decode(torch.zeros(1, 256, dtype=torch.int64))
    assert not in_strips


def test_in_half_precision_the_norms_are_still_exact(codec: VQGAN) -> None:
    tokens_BT = torch.randint(30, (1, 256), generator=torch.Generator().manual_seed(2))
    exact = codec.decode(tokens_BT)
    rounded = filled(VQGAN(CONFIG)).bfloat16().decode(tokens_BT)
    assert rounded.dtype == torch.bfloat16
    assert float((rounded.float() - exact).abs().mean()) < 0.02 * float(exact.std())
