"""The codec's training: rounding, losses, and that it learns."""

from __future__ import annotations

import torch

from nonet.model.vqgan import VQGAN
from nonet.training.codec import initialise, reconstruction_losses, snap, split_parameters, spread_latents
from tiny_codec import CONFIG, blobs, trainee


def test_snapping_is_what_the_codebook_does() -> None:
    codec = VQGAN(CONFIG)
    latents = torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(0)) * 2
    snapped = snap(latents, torch.tensor([2.0, 1.0]))
    tokens = codec.quantize(latents.permute(0, 2, 3, 1).reshape(-1, 2))
    looked_up = codec.quantize.embedding(tokens).reshape(2, 4, 4, 2).permute(0, 3, 1, 2)
    assert torch.equal(snapped, looked_up)
    assert snapped[:, 0].abs().max() == 2
    assert snapped[:, 1].abs().max() == 1


def test_a_fresh_codec_uses_many_codes() -> None:
    torch.manual_seed(0)
    codec = VQGAN(CONFIG)
    initialise(codec)
    pixels = blobs(16, torch.Generator().manual_seed(1))
    spread_latents(codec, pixels)
    assert len(set(codec.encode(pixels).flatten().tolist())) >= 8


def test_equal_pictures_have_no_loss_and_edges_count_once_moved() -> None:
    pixels = blobs(2, torch.Generator().manual_seed(2))
    assert all(float(v) == 0 for v in reconstruction_losses(pixels, pixels).values())
    brighter = reconstruction_losses(pixels + 0.1, pixels)
    moved = reconstruction_losses(pixels.roll(4, 1), pixels)
    assert float(brighter["edges"]) < 1e-6 < float(moved["edges"])


def test_every_parameter_has_one_optimiser() -> None:
    codec = VQGAN(CONFIG)
    filters, others = split_parameters(codec)
    numbers = [id(p) for p in [*filters, *others]]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) == {id(p) for p in codec.parameters() if p.requires_grad}
    assert all(p.ndim == 4 for p in filters)


def test_it_learns() -> None:
    item = trainee(60)
    losses = [item.step()["loss"] for _ in range(60)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_a_frozen_encoder_makes_the_same_tokens() -> None:
    item = trainee(8)
    object.__setattr__(item.settings, "freeze_encoder_at", 4)
    for _ in range(4):
        item.step()
    before = {k: v.clone() for k, v in item.codec.state_dict().items()}
    for _ in range(4):
        item.step()
    after = item.codec.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before if k.startswith(("encoder.", "quant_conv.")))
    assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith("decoder."))
