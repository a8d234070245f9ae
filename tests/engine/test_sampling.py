from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nonet.engine.sampling import Sampling, exponential_noise, picture_keys, sample

V = 12


def logits_of(pictures: int, columns: int = V, seed: int = 0) -> Tensor:
    return torch.randn(pictures, columns, generator=torch.Generator().manual_seed(seed)) * 2


def counts(logits_V: Tensor, how: Sampling, draws: int = 20_000) -> Tensor:
    """How often each token is chosen, over as many positions of one picture."""
    keys_T = picture_keys([5], draws)[0]
    tokens = sample(logits_V.expand(draws, -1), keys_T, how)
    return torch.bincount(tokens, minlength=logits_V.shape[0])


def chi_square(seen_V: Tensor, wanted_V: Tensor) -> float:
    expected = wanted_V.double() * seen_V.sum()
    likely = expected > 5
    return float(((seen_V - expected)[likely].square() / expected[likely]).sum() / (likely.sum() - 1))


def splitmix64(state: int) -> int:
    """The published generator in Python's own integers: one step from `state`."""
    mask = (1 << 64) - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


@pytest.mark.parametrize("seed", [0, 7, 2**53 - 1])
def test_the_noise_is_splitmix64(seed: int) -> None:
    # A seed must draw the same picture in every version, so the noise may never change.
    step, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    key = splitmix64((splitmix64(seed) + 3 * step) & mask)
    bits = splitmix64((key + 41 * step) & mask)
    wanted = -math.log(((bits >> 12) + 0.5) / 2**52)
    keys_T = picture_keys([seed], 5)[0]
    noise = exponential_noise(keys_T[3:4], torch.tensor([[41]]))
    assert noise.item() == pytest.approx(wanted, rel=1e-12)


def test_noise_is_exponential_and_unrelated_between_pictures_positions_and_tokens() -> None:
    keys_PT = picture_keys(range(100, 108), 64)
    noise = exponential_noise(keys_PT.flatten(), torch.arange(500)[None].expand(512, -1)).view(8, 64, 500)
    assert noise.mean().item() == pytest.approx(1, abs=0.01)
    assert noise.var().item() == pytest.approx(1, abs=0.03)
    assert (noise < math.log(2)).double().mean().item() == pytest.approx(0.5, abs=0.005)
    for axis in range(3):
        rows = noise.movedim(axis, 0).flatten(1)
        related = torch.corrcoef(rows[:8])
        # Five standard deviations of the correlation of independent samples.
        assert (related - torch.eye(8)).abs().max() < 5 / rows.shape[1] ** 0.5


def test_noise_is_finite_and_positive_at_both_ends() -> None:
    tokens = torch.arange(1_000_000)[None]
    noise = exponential_noise(picture_keys([1], 1)[0], tokens)
    assert noise.min() > 0
    assert noise.max() < 40


def test_sampling_follows_the_softmax() -> None:
    logits_V = logits_of(1)[0]
    assert chi_square(counts(logits_V, Sampling()), logits_V.softmax(0)) < 2.5
    assert chi_square(counts(logits_V, Sampling(2.5)), (logits_V / 2.5).softmax(0)) < 2.5


def test_top_k_keeps_the_likeliest_and_their_proportions() -> None:
    logits_V = logits_of(1)[0]
    seen_V = counts(logits_V, Sampling(top_k=3))
    allowed = torch.zeros(V, dtype=torch.bool)
    allowed[logits_V.topk(3).indices] = True
    assert seen_V[~allowed].sum() == 0
    assert chi_square(seen_V, logits_V.masked_fill(~allowed, -math.inf).softmax(0)) < 4


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    logits_V = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    for top_p, kept in ((0.4, 1), (0.6, 2), (0.79, 2), (0.81, 3), (0.96, 4)):
        seen_V = counts(logits_V, Sampling(top_p=top_p))
        assert (seen_V > 0).tolist() == [index < kept for index in range(4)]


def test_top_p_counts_what_top_k_left_over_after_the_temperature() -> None:
    logits_V = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    # Among the first three the first has 0.53: alone it does not reach 0.55, but of all four it has only 0.5.
    assert (counts(logits_V, Sampling(top_k=3, top_p=0.52)) > 0).tolist() == [True, False, False, False]
    assert (counts(logits_V, Sampling(top_p=0.52)) > 0).tolist() == [True, True, False, False]
    # At half the temperature probabilities are squared: 0.68 for the first.
    assert (counts(logits_V, Sampling(0.5, top_p=0.6)) > 0).tolist() == [True, False, False, False]


@pytest.mark.parametrize("temperature", [0, 1e-30, 1e-5])
def test_without_temperature_the_likeliest_is_taken(temperature: float) -> None:
    logits_PV = logits_of(50)
    tokens = sample(logits_PV, picture_keys(range(50), 1)[:, 0], Sampling(temperature, top_k=5, top_p=0.5))
    assert tokens.tolist() == logits_PV.argmax(1).tolist()


@pytest.mark.parametrize("temperature", [2e-4, 100.0])
def test_extreme_temperatures_choose_valid_tokens(temperature: float) -> None:
    logits_PV = logits_of(50) * 1e4
    for how in (Sampling(temperature), Sampling(temperature, 5, 0.9)):
        tokens = sample(logits_PV, picture_keys(range(50), 1)[:, 0], how)
        assert ((tokens >= 0) & (tokens < V)).all()


def test_a_token_that_is_ruled_out_is_never_taken() -> None:
    logits_V = torch.full((V,), -math.inf)
    logits_V[4] = -50.0
    for how in (Sampling(), Sampling(top_k=8), Sampling(top_p=0.99)):
        assert counts(logits_V, how, 50)[4] == 50


@pytest.mark.parametrize("how", [Sampling(), Sampling(0.8, 50), Sampling(1.2, 0, 0.9), Sampling(1, 50, 0.9)])
def test_a_picture_chooses_the_same_alone_and_among_others(how: Sampling) -> None:
    logits_PV = logits_of(20, 4375)
    keys_PT = picture_keys(range(40, 60), 256)
    together = sample(logits_PV, keys_PT[:, 17], how)
    for picture in range(20):
        key = picture_keys([40 + picture], 256)[:, 17]
        assert sample(logits_PV[picture : picture + 1], key, how).item() == together[picture]


def test_rounding_of_logits_does_not_change_the_choice() -> None:
    # Noise belongs to the token, not to its rank: rounding that swaps two neighbours changes nothing.
    logits_PV = logits_of(512, 4375)
    other_PV = logits_PV + 1e-6 * logits_of(512, 4375, seed=1)
    keys_P = picture_keys([3], 512)[0]
    how = Sampling(1.0, 50)
    assert (sample(logits_PV, keys_P, how) != sample(other_PV, keys_P, how)).sum() <= 1


def test_top_k_beyond_the_codebook_is_all_of_it() -> None:
    logits_PV = logits_of(30)
    keys_P = picture_keys(range(30), 1)[:, 0]
    all_of_it = sample(logits_PV, keys_P, Sampling())
    assert sample(logits_PV, keys_P, Sampling(top_k=100_000)).tolist() == all_of_it.tolist()
    # top-k does not change the noise of a token: with all kept, sorted or not, the choice is the same.
    assert sample(logits_PV, keys_P, Sampling(top_k=V, top_p=1 - 1e-7)).tolist() == all_of_it.tolist()
