from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from nonet.model.config import Seq2SeqConfig
from nonet.model.layers import Projection
from nonet.model.seq2seq import ImageDecoder, Seq2Seq
from nonet.model.stepping import (
    Context,
    Rows,
    _attend_past,
    _past_of,
    attention_bias,
    step_states,
    unplanned_attention,
)

WIDTH, VOCABULARY, LENGTH, TEXT = 64, 37, 16, 24


@pytest.fixture(scope="module")
def decoder() -> ImageDecoder:
    config = Seq2SeqConfig(
        d_model=WIDTH,
        encoder_layers=0,
        encoder_attention_heads=0,
        encoder_ffn_dim=0,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=80,
        encoder_vocab_size=0,
        image_vocab_size=VOCABULARY,
        decoder_start_token_id=VOCABULARY,
        image_length=LENGTH,
        init_std=0.1,
        text_encoder="minilm",
        context_dim=TEXT,
    )
    return Seq2Seq(config).reset(torch.Generator().manual_seed(1)).decoder.eval()


def context(states: int, seed: int) -> Tensor:
    return torch.randn(1, states, TEXT, generator=torch.Generator().manual_seed(seed))


def picture(rows: int, seed: int) -> Tensor:
    """(rows, LENGTH) tokens as they are fed: the start token first."""
    tokens = torch.randint(VOCABULARY, (rows, LENGTH), generator=torch.Generator().manual_seed(seed))
    tokens[:, 0] = VOCABULARY
    return tokens


def stepped(decoder: ImageDecoder, tokens_BT: Tensor, texts: list[tuple[int, Tensor]]) -> Tensor:
    """States (B, T, D) of rows drawn by themselves; `texts` says how many rows see which context."""
    contexts = [Context(rows, decoder.cross_keys_values(text)) for rows, text in texts]
    rows = Rows(decoder.new_cache(tokens_BT.shape[0]).kv, contexts)
    states = []
    for position in range(tokens_BT.shape[1]):
        rows.position = position
        states.append(step_states(decoder, tokens_BT[:, position], [rows]))
    return torch.stack(states, 1)


@torch.inference_mode()
def test_steps_give_what_the_whole_sequence_gives(decoder: ImageDecoder) -> None:
    tokens_BT = picture(3, 0)
    text = context(5, 1)
    whole = decoder(tokens_BT, text.expand(3, -1, -1), None)
    states = stepped(decoder, tokens_BT, [(3, text)])
    assert (decoder.lm_head(states) - whole).abs().max() < 1e-5


@torch.inference_mode()
def test_one_step_of_equal_parts_with_masked_contexts(decoder: ImageDecoder) -> None:
    texts = torch.cat([context(6, 1), context(6, 2)])
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[1, 2:] = False
    tokens_BT = picture(4, 3)
    whole = decoder(tokens_BT, texts.repeat_interleave(2, 0), mask.repeat_interleave(2, 0))
    for given in (mask, attention_bias(mask)):
        cache = decoder.new_cache(4)
        kv = decoder.cross_keys_values(texts)
        for position in range(LENGTH):
            logits = decoder.step(tokens_BT[:, position], position, cache, kv, given)
            assert (logits - whole[:, position]).abs().max() < 1e-5


@torch.inference_mode()
def test_a_hint_is_added_where_it_belongs(decoder: ImageDecoder) -> None:
    tokens_BT = picture(2, 0)
    text = context(5, 1)
    hint_BTD = torch.randn(2, LENGTH, WIDTH, generator=torch.Generator().manual_seed(4))
    whole = decoder(tokens_BT, text.expand(2, -1, -1), None, hint_BTD)
    cache, kv = decoder.new_cache(2), decoder.cross_keys_values(text)
    for position in range(LENGTH):
        logits = decoder.step(tokens_BT[:, position], position, cache, kv, None, hint_BTD[:, position])
        assert (logits - whole[:, position]).abs().max() < 1e-5


@torch.inference_mode()
def test_rows_at_different_positions_share_a_step(decoder: ImageDecoder) -> None:
    packed = copy.deepcopy(decoder)
    packed.pack()
    first, second = picture(4, 5), picture(3, 6)
    texts = context(7, 1), context(2, 2), context(4, 3)
    alone = (
        stepped(packed, first, [(2, texts[0]), (2, texts[1])]),
        stepped(packed, second, [(3, texts[2])]),
    )
    kv = [packed.cross_keys_values(text) for text in texts]
    rows = (
        Rows(packed.new_cache(4).kv, [Context(2, kv[0]), Context(2, kv[1])]),
        Rows(packed.new_cache(3).kv, [Context(3, kv[2])]),
    )
    late = 5
    for position in range(LENGTH + late):
        places = (position, position - late)
        together = [r for r, place in zip(rows, places, strict=True) if 0 <= place < LENGTH]
        for r, place in zip(rows, places, strict=True):
            r.position = place
        fed = [
            tokens[:, r.position]
            for tokens, r in zip((first, second), rows, strict=True)
            if 0 <= r.position < LENGTH
        ]
        states = list(torch.split(step_states(packed, torch.cat(fed), together), [r.count for r in together]))
        for r, wanted in zip(rows, alone, strict=True):
            if r in together:
                # To the last bit: this is why packed products are used.
                assert torch.equal(states.pop(0), wanted[:, r.position])


@torch.inference_mode()
def test_a_row_does_not_depend_on_how_many_there_are(decoder: ImageDecoder) -> None:
    packed = copy.deepcopy(decoder)
    packed.pack()
    text = context(7, 1)
    tokens_BT = picture(11, 8)
    many = stepped(packed, tokens_BT, [(11, text)])
    for row in (0, 3, 10):
        assert torch.equal(stepped(packed, tokens_BT[row : row + 1], [(1, text)])[0], many[row])


@torch.inference_mode()
@pytest.mark.parametrize("position", [0, 1, 30, 199, 255])
def test_heads_multiplied_at_once_attend_to_the_same(position: int) -> None:
    kv = torch.randn(2, 18, 16, 256, 64, generator=torch.manual_seed(position))
    qkv = torch.randn(18, 3, 16, 64)

    def seen(rows: slice, *, at_once: bool) -> Tensor:
        count = len(range(18)[rows])
        alone = Rows(kv[None, :, rows].clone(), [Context(count, [])], position)
        return _attend_past(qkv[rows], _past_of(alone)[0], None, at_once=at_once)

    every = seen(slice(None), at_once=True)
    torch.testing.assert_close(every, seen(slice(None), at_once=False), atol=1e-5, rtol=0)
    for rows in (slice(1), slice(1, 3), slice(9, 18)):
        assert torch.equal(seen(rows, at_once=True), every[rows])


@torch.inference_mode()
@pytest.mark.parametrize("widths", [[LENGTH], [1, 15], [4, 1, 6, 5]])
def test_tokens_fed_together_give_what_they_give_one_after_another(
    decoder: ImageDecoder, widths: list[int]
) -> None:
    packed = copy.deepcopy(decoder)
    packed.pack()
    first, second = picture(4, 5), picture(3, 6)
    kv = [packed.cross_keys_values(context(seen, seed)) for seen, seed in ((7, 1), (2, 2), (4, 3))]
    texts = [(2, context(7, 1)), (2, context(2, 2))]
    wanted = stepped(packed, first, texts), stepped(packed, second, [(3, context(4, 3))])
    alone = Rows(packed.new_cache(4).kv, [Context(2, kv[0]), Context(2, kv[1])])
    rows = Rows(packed.new_cache(4).kv, [Context(2, kv[0]), Context(2, kv[1])])
    others = Rows(packed.new_cache(3).kv, [Context(3, kv[2])])
    # What was fed before a wrong guess was noticed is fed again, and forgotten.
    for r in (alone, rows, others):
        r.kv.fill_(7.0)
    start = 0
    for width in widths:
        for r in (alone, rows, others):
            r.position, r.width = start, width
        fed = [tokens[:, start : start + width].flatten() for tokens in (first, second)]
        states = torch.split(step_states(packed, torch.cat(fed), [rows, others]), [4 * width, 3 * width])
        for got, want in zip(states, wanted, strict=True):
            want_BWD = want[:, start : start + width]
            assert (got.view(want_BWD.shape) - want_BWD).abs().max() < 1e-5
        # To the last bit the same as without the others.
        assert torch.equal(step_states(packed, fed[0], [alone]), states[0])
        start += width


@torch.inference_mode()
def test_packed_products_are_the_same_products(decoder: ImageDecoder) -> None:
    tokens_BT = picture(3, 0)
    packed = copy.deepcopy(decoder)
    packed.pack()
    plain = stepped(decoder, tokens_BT, [(3, context(5, 1))])
    assert (stepped(packed, tokens_BT, [(3, context(5, 1))]) - plain).abs().max() < 1e-5


def test_a_packed_projection_copies_pickles_moves_and_trains() -> None:
    projection = Projection(5, 3)
    torch.nn.init.normal_(projection.weight)
    projection.pack()
    x = torch.randn(4, 5)
    wanted = x @ projection.weight.T
    for same in (copy.deepcopy(projection), pickle.loads(pickle.dumps(projection)), projection):
        assert torch.allclose(same(x), wanted)
        same(x).sum().backward()
        assert same.weight.grad is not None
    with torch.no_grad():
        assert torch.allclose(projection(x), wanted, atol=1e-6)
        projection.weight.mul_(2)
        # Casting gives the packed copy up, so the new weight is used.
        assert torch.allclose(projection.double()(x.double()).float(), 2 * wanted, atol=1e-5)


def released() -> tuple[Projection, Tensor]:
    projection = Projection(5, 3)
    torch.nn.init.normal_(projection.weight)
    weight = projection.weight.detach().clone()
    projection.pack(release=True)
    if not projection.weight.is_meta:
        pytest.skip("nothing is packed on this processor")
    return projection, weight


def test_a_released_weight_draws_and_comes_back_when_it_is_needed() -> None:
    x = torch.randn(4, 5)
    projection, weight = released()
    assert projection.weight.shape == (3, 5)
    with torch.no_grad():
        assert torch.allclose(projection(x), x @ weight.T, atol=1e-6)
    assert projection.weight.is_meta
    projection(x).sum().backward()
    assert projection.weight.grad is not None
    assert torch.equal(projection.weight, weight)
    for needed in (
        lambda projection: projection.state_dict()["weight"],
        lambda projection: copy.deepcopy(projection).weight,
        lambda projection: projection.to(torch.float64).weight.float(),
    ):
        projection, weight = released()
        assert torch.equal(needed(projection), weight)  # type: ignore[no-untyped-call]


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_packed_where_the_processor_has_it(
    decoder: ImageDecoder, dtype: torch.dtype
) -> None:
    plain = copy.deepcopy(decoder).to(dtype)
    packed = copy.deepcopy(plain)
    packed.pack(release=True)
    tokens_BT = picture(3, 0)
    text = context(5, 1).to(dtype)
    wanted = stepped(plain, tokens_BT, [(3, text)])
    difference = stepped(packed, tokens_BT, [(3, text)]) - wanted
    # Steps of rounding, no more: both sum in float32.
    assert float(difference.abs().max()) <= 16 * torch.finfo(dtype).eps * float(wanted.abs().max())


needs_fbgemm = pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="this processor has no such layout"
)


@needs_fbgemm
def test_weights_in_half_precision_are_multiplied_in_single() -> None:
    projection = Projection(300, 70)
    torch.nn.init.normal_(projection.weight)
    rounded = projection.weight.detach().half().float()
    projection.pack("float16", release=True)
    assert projection.weight.is_meta
    x = torch.randn(18, 300)
    with torch.no_grad():
        products = projection(x)
        assert torch.allclose(products, x @ rounded.T, atol=1e-4)
        # A row is the same to the last bit whatever rows there are.
        assert all(torch.equal(projection(x[:n]), products[:n]) for n in range(1, 18))
        assert torch.equal(projection(x.view(2, 9, 300)), products.view(2, 9, 70))
    assert torch.equal(copy.deepcopy(projection).weight, rounded)
    projection.unpack()
    assert torch.equal(projection.weight, rounded)


@needs_fbgemm
@torch.inference_mode()
def test_a_decoder_may_keep_its_weights_in_half_precision(decoder: ImageDecoder) -> None:
    tokens_BT = picture(3, 0)
    rounded, packed = copy.deepcopy(decoder), copy.deepcopy(decoder)
    for module in rounded.modules():
        if isinstance(module, Projection):
            module.weight.data = module.weight.half().float()
    packed.weights_as = "float16"
    packed.pack()
    wanted = stepped(rounded, tokens_BT, [(3, context(5, 1))])
    assert (stepped(packed, tokens_BT, [(3, context(5, 1))]) - wanted).abs().max() < 1e-5


def test_on_a_gpu_no_length_needs_a_plan() -> None:
    def planned() -> bool:
        return bool(torch.backends.cuda.cudnn_sdp_enabled())  # type: ignore[no-untyped-call]

    before = planned()
    with unplanned_attention(torch.device("cpu")):
        assert planned() == before
    with unplanned_attention(torch.device("cuda")):
        assert not planned()
    assert planned() == before
