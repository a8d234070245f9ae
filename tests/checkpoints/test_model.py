from __future__ import annotations

import pytest
import torch

from nonet.checkpoints import Model
from nonet.engine import DrawRequest
from nonet.errors import NonetError
from nonet.model.memory import SLOTS
from tiny_doodle import CODES, tiny_doodle


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_doodle()


def test_a_picture_remembers_the_same_alone_and_among_others(model: Model) -> None:
    many = model.plan(DrawRequest(prompt="a red cat on the moon", count=5, seed=10), range(5))
    assert many.memory_PST.shape == (5, SLOTS, 256)
    for index in range(5):
        alone = model.plan(DrawRequest(prompt="a red cat on the moon", count=1, seed=10 + index), range(1))
        assert torch.equal(alone.memory_PST[0], many.memory_PST[index])
        assert alone.sources == [many.sources[index]]
    assert len({tuple(memory.flatten().tolist()) for memory in many.memory_PST}) > 1


def test_what_is_remembered_are_codes_or_nothing(model: Model) -> None:
    plan = model.plan(DrawRequest(prompt="a cat", count=3, seed=1), range(3))
    assert int(plan.memory_PST.min()) >= 0
    assert int(plan.memory_PST.max()) == CODES, "an empty place is the start token"
    assert all(plan.sources)


def test_a_prompt_that_names_nothing_remembers_what_is_nearest_or_nothing(model: Model) -> None:
    plan = model.plan(DrawRequest(prompt="!!!", count=1, seed=1), range(1))
    assert plan.memory_PST.shape == (1, SLOTS, 256)


def test_scores_tell_pictures_apart_and_are_cosines(model: Model) -> None:
    pixels = torch.rand(4, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    scores = model.score(pixels, "a red apple")
    assert scores.shape == (4,)
    assert scores.abs().max() <= 1.0001
    assert len(set(scores.tolist())) == 4
    assert not torch.equal(scores, model.score(pixels, "the blue moon"))


def test_sentences_and_states_of_emoji_are_those_of_their_words(model: Model) -> None:
    spelt = model.encode_text(["a pizza"]).states_BSD
    torch.testing.assert_close(model.encode_text(["a \N{SLICE OF PIZZA}"]).states_BSD, spelt)


def test_logits_of_a_model_with_a_frozen_encoder(model: Model) -> None:
    logits = model.logits([[2, 4, 3]], [[1, 1, 1]], [[CODES, 1, 2]])
    assert logits.shape == (1, 3, CODES + 1)
    assert logits.dtype == torch.float32


def test_what_a_model_has_not_is_told(model: Model) -> None:
    bare = Model(name="bare", config=model.config, seq2seq=model.seq2seq, text=model.text)
    request = DrawRequest(prompt="a cat")
    for act in (
        lambda: bare.plan(request, range(1)),
        lambda: bare.score(torch.zeros(1, 8, 8, 3), "a"),
        lambda: bare.codec,
    ):
        with pytest.raises(NonetError, match="bare"):
            act()


def test_a_plan_is_the_same_from_what_was_kept_and_anew() -> None:
    model = tiny_doodle()
    request = DrawRequest(prompt="a red cat on a blue table", seed=4)
    first = model.plan(request, range(5))
    kept = model.plan(request, range(5))
    model.forget()
    anew = model.plan(request, range(5))
    for other in (kept, anew):
        assert torch.equal(other.memory_PST, first.memory_PST)
        assert other.sources == first.sources


def test_another_codec_imagines_anew() -> None:
    model, other = tiny_doodle(), tiny_doodle()
    request = DrawRequest(prompt="a red cat on a blue table", seed=4)
    model.plan(request, range(5))
    torch.nn.init.normal_(other.codec.encoder.conv_out.weight)
    model.vqgan = other.vqgan
    assert torch.equal(model.plan(request, range(5)).memory_PST, other.plan(request, range(5)).memory_PST)
