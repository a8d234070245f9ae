"""CLIP's files, small and forged in the published layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import nonet
from forged import GOLDEN, dalle_folder
from nonet.checkpoints.clip import load_clip
from nonet.engine import Drawn, DrawRequest, Engine
from nonet.errors import NonetError
from nonet.model.clip import CLIP, CLIPConfig

WORDS = ("a", "red", "blue", "green", "apple", "car", "cat", "moon", "on", "table", "the")
TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
CONFIG: dict[str, Any] = {
    "model_type": "clip",
    "projection_dim": 16,
    "text_config": TOWER | {"vocab_size": 20, "max_position_embeddings": 8, "eos_token_id": 19},
    "vision_config": TOWER | {"image_size": 32, "patch_size": 8},
}


def forge(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    network = CLIP(CLIPConfig.from_dict(CONFIG))
    for name, parameter in network.named_parameters():
        if "norm" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    # As older published files have it.
    state["text_model.embeddings.position_ids"] = torch.arange(8)[None]
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    vocabulary = {word: index for index, word in enumerate(WORDS)} | {"?": 17, "<start>": 18, "<end>": 19}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 18), ("<end>", 19)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def refused(name: str | Path, code: str) -> str:
    with pytest.raises(NonetError) as error:
        load_clip(name)
    assert error.value.code == code
    return f"{error.value.message} {error.value.hint}"


def test_pictures_and_captions_meet(tmp_path: Path) -> None:
    judge = load_clip(forge(tmp_path / "clip"))
    tiles = torch.rand(3, 4, 4, 3, generator=torch.Generator().manual_seed(1))
    pixels = tiles.repeat_interleave(8, 1).repeat_interleave(8, 2)
    scores = judge.score(pixels, "a red apple")
    assert scores.shape == (3,)
    assert float(scores.abs().max()) <= 1.0
    # Each by itself, of another caption, and of another size.
    torch.testing.assert_close(judge.score(pixels[1:2], "a red apple"), scores[1:2])
    assert not torch.allclose(judge.score(pixels, "the blue moon"), scores, atol=1e-3)
    large = pixels.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(judge.score(large, "a red apple"), scores, atol=0.1, rtol=0)


def test_a_long_caption_is_read_to_its_closing_token(tmp_path: Path) -> None:
    judge = load_clip(forge(tmp_path / "clip"))
    ids = judge.tokenizer.encode("a red apple on the table on the moon on a car").ids
    assert (len(ids), ids[0], ids[-1]) == (8, 18, 19)


def test_it_chooses_among_a_models_candidates(tmp_path: Path) -> None:
    folder = forge(tmp_path / "clip")
    model = nonet.load(dalle_folder(tmp_path / "dalle"), judge=folder)
    request = DrawRequest(prompt="a red apple", count=2, candidates=4, seed=5)
    with Engine(model) as engine:
        kept = [event for event in engine.submit(request) if isinstance(event, Drawn)]
        every = [
            e
            for e in engine.submit(DrawRequest(prompt="a red apple", count=4, seed=5))
            if isinstance(e, Drawn)
        ]
    scores = [event.score or 0.0 for event in kept]
    assert scores == sorted((e.score or 0.0 for e in every), reverse=True)[:2]


def test_a_model_without_any_judge_says_so() -> None:
    model = nonet.load(GOLDEN / "dalle", codec=GOLDEN / "vqgan")
    with Engine(model) as engine, pytest.raises(NonetError) as error:
        engine.submit(DrawRequest(prompt="a cat", count=1, candidates=2))
    assert error.value.code == "setting_invalid"


def test_weights_that_are_not_here_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    said = refused("openai/clip-vit-base-patch32", "model_missing")
    assert "hf download openai/clip-vit-base-patch32 config.json model.safetensors tokenizer.json" in said
    said = refused(tmp_path / "nowhere", "model_missing")
    assert "folder missing" in said
    assert "hf download" in said
    folder = forge(tmp_path / "clip")
    (folder / "tokenizer.json").unlink()
    assert "tokenizer.json missing" in refused(folder, "model_missing")


def test_one_that_was_fetched_is_found_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    forge(tmp_path / "models--someone--clip" / "snapshots" / "abc")
    assert load_clip("someone/clip").network.config.projection_dim == 16


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    folder = forge(tmp_path / "a", projection_dim=12)
    assert "visual_projection.weight is [16, 32], not [12, 32]" in refused(folder, "weights_corrupt")
    folder = forge(tmp_path / "b", model_type="bert")
    assert "'bert'" in refused(folder, "config_invalid")
    folder = forge(tmp_path / "c", text_config=CONFIG["text_config"] | {"hidden_act": "relu"})
    assert "'relu'" in refused(folder, "config_invalid")
    folder = forge(tmp_path / "d", text_config=CONFIG["text_config"] | {"num_attention_heads": 5})
    assert "5 heads" in refused(folder, "config_invalid")
    folder = forge(tmp_path / "e")
    state = load_file(folder / "model.safetensors")
    state["logit_scale"] = torch.tensor(float("nan"))
    save_file(state, folder / "model.safetensors")
    assert "not finite" in refused(folder, "weights_corrupt")
    folder = forge(tmp_path / "f")
    (folder / "model.safetensors").write_bytes(b"\x80\x02}q\x00.")
    refused(folder, "weights_corrupt")
    folder = forge(tmp_path / "g")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"word{n}" for n in range(9)])
    tokenizer.save(str(folder / "tokenizer.json"))
    assert "another model's" in refused(folder, "weights_corrupt")


@pytest.mark.slow
def test_the_numbers_are_those_of_the_transformers_library(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = forge(tmp_path / "clip")
    judge = load_clip(folder)
    theirs = transformers.CLIPModel.from_pretrained(folder).eval()
    ids = judge.tokenizer.encode("a red apple on the table").ids
    pixels = torch.rand(2, 32, 32, 3)
    mean, spread = (
        torch.tensor(v) for v in ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    )
    with torch.inference_mode():
        found = theirs(
            input_ids=torch.tensor([ids]), pixel_values=((pixels - mean) / spread).permute(0, 3, 1, 2)
        )
    wanted = (found.image_embeds @ found.text_embeds.T)[:, 0]
    torch.testing.assert_close(judge.score(pixels, "a red apple on the table"), wanted, atol=1e-5, rtol=0)
