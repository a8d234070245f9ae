from __future__ import annotations

import torch

from nonet.model.vqgan import Quantizer, VQGANConfig


def test_codes_on_a_grid_are_found_without_looking_at_all_of_them() -> None:
    levels = (7, 3, 5)
    quantizer = Quantizer(VQGANConfig(embed_dim=3, n_embed=105, levels=levels))
    codebook = quantizer.embedding.weight
    z_NE = 6 * torch.rand(2000, 3, generator=torch.Generator().manual_seed(1)) - 3
    wanted = torch.cdist(z_NE, codebook).argmin(1)
    assert torch.equal(quantizer(z_NE), wanted)
    assert torch.equal(quantizer(codebook), torch.arange(105))
    # Also far outside of the grid.
    assert torch.equal(quantizer(100 * z_NE), torch.cdist(100 * z_NE, codebook).argmin(1))
