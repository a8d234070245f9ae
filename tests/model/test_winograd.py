from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from nonet.model.winograd import Conv3, Winograd


def convolution(inputs: int, outputs: int) -> Conv3:
    torch.manual_seed(0)
    return Conv3(inputs, outputs).requires_grad_(False)


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize("size", [(4, 4), (8, 20), (12, 64)])
def test_it_is_the_convolution(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], onednn: bool) -> None:
    if not onednn:
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    conv = convolution(64, 96)
    x_HWC = torch.randn(size[0] + 2, size[1] + 2, 64, generator=torch.Generator().manual_seed(1))
    x_1CHW = x_HWC.permute(2, 0, 1)[None]
    wanted = F.conv2d(x_1CHW, conv.weight)[0].permute(1, 2, 0)
    torch.testing.assert_close(Winograd(conv)(x_HWC).reshape(wanted.shape), wanted, atol=2e-5, rtol=0)


def test_what_it_is_used_for() -> None:
    assert convolution(64, 64).winograd(8, 8)
    assert not convolution(64, 32).winograd(8, 8)
    assert not convolution(64, 64).winograd(8, 10)
    assert not convolution(64, 64).winograd(6, 8)
    assert not convolution(64, 64).bfloat16().winograd(8, 8)


def test_a_convolution_that_keeps_it_can_be_copied_and_pickled() -> None:
    conv = convolution(64, 64)
    form = conv.winograd(8, 8)
    assert form is not None
    x_HWC = torch.randn(6, 6, 64, generator=torch.Generator().manual_seed(1))
    for other in (copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))):
        again = other.winograd(8, 8)
        assert again is not None
        assert again is not form
        assert torch.equal(again(x_HWC), form(x_HWC))


def test_it_is_made_once_and_again_when_the_weights_change() -> None:
    conv = convolution(64, 64)
    first = conv.winograd(8, 8)
    assert first is not None
    assert conv.winograd(4, 4) is first
    x_HWC = torch.randn(6, 6, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        conv.weight.mul_(2)
    second = conv.winograd(8, 8)
    assert second is not None
    torch.testing.assert_close(second(x_HWC), 2 * first(x_HWC))
    # Another model's weights, as a checkpoint brings them.
    conv.load_state_dict(convolution(64, 64).state_dict())
    third = conv.winograd(8, 8)
    assert third is not None
    torch.testing.assert_close(third(x_HWC), first(x_HWC))
