from __future__ import annotations

import pytest
import torch

from nonet.model.layers import BiasNorm, ScaleNorm


@pytest.mark.parametrize("kind", [BiasNorm, ScaleNorm])
def test_norms_train_in_mixed_precision(kind: type[torch.nn.Module]) -> None:
    norm = kind(16)
    x_ND = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    weights_ND = torch.randn(5, 16, generator=torch.Generator().manual_seed(1))
    gradients = {}
    for dtype in (torch.float32, torch.bfloat16):
        norm.zero_grad()
        y_ND = norm(x_ND.to(dtype))
        assert y_ND.dtype == dtype
        (y_ND.float() * weights_ND).sum().backward()
        gradients[dtype] = torch.cat([p.grad for p in norm.parameters() if p.grad is not None])
    assert len(gradients[torch.float32]) == 16 * len(list(norm.parameters()))
    torch.testing.assert_close(gradients[torch.bfloat16], gradients[torch.float32], atol=0.05, rtol=0.02)
