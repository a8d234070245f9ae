"""The commands of docs/training.md, one after the other: from pictures to a drawing, with everything tiny."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

import documents
from nonet.checkpoints.textside import MiniLMSide
from nonet.cli import main
from nonet.model.minilm import MiniLM, MiniLMConfig
from nonet.model.tokenizer import TextTokenizer
from nonet.training.run import load_state
from nonet.training.start import read_config
from nonet.training.textside import TextSide
from tiny_collection import COLOURS, PLACES, THINGS, write_tiny_collection

CODES, TEXT = 125, 24
CONFIGS = {
    "codec": f"""
        [model]
        ch = 8
        ch_mult = [1, 1, 2]
        num_res_blocks = 1
        attn_resolutions = []
        z_channels = 8
        embed_dim = 3
        n_embed = {CODES}
        levels = [5, 5, 5]
        resolution = 256
        patch_size = 4
        norm = "position"
        mid_attention = false
        [run]
        total_steps = 2
        pictures = 2
        crops = 1
    """,
    "judge": f"""
        [model]
        side = 32
        widths = [8, 8, 8]
        text_width = {TEXT}
        width = 8
        [run]
        total_steps = 2
        batch = 4
    """,
    "seq2seq": f"""
        [model]
        d_model = 64
        encoder_layers = 0
        encoder_attention_heads = 0
        encoder_ffn_dim = 0
        decoder_layers = 1
        decoder_attention_heads = 2
        decoder_ffn_dim = 64
        encoder_vocab_size = 0
        image_vocab_size = {CODES}
        decoder_start_token_id = {CODES}
        max_text_length = 64
        image_length = 256
        text_encoder = "minilm"
        context_dim = {TEXT}
        memory_slots = 4
        memory_copies = true
        [run]
        total_steps = 2
        batch = 2
    """,
}
COUNTED = (
    "sprites",
    "backgrounds",
    "permissive_sprites",
    "permissive_backgrounds",
    "concepts",
    "heldout_concepts",
)
# What is measured on hundreds of drawings in earnest is tried on a few here.
FEWER = {
    "evaluate": ["--captions", "4", "--candidates", "2", "--candidate-captions", "2"],
    "draw": ["--count", "2"],
}


def tiny_text_side(device: torch.device) -> TextSide:
    """A text encoder of chance that knows the tiny collection's words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "an", "on", "in", "the", "and", "of"]
    words += sorted({word for caption, *_ in THINGS for word in caption.split()} | {*COLOURS, *PLACES})
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    config = MiniLMConfig(vocab_size=len(words), width=TEXT, layers=1, heads=2, hidden=32, positions=64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = MiniLM(config).eval().requires_grad_(False)
    return TextSide(MiniLMSide(encoder, TextTokenizer.bert(tokenizer), 64))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tiny configs, where nothing is downloaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nonet.drawing._kept", None)
    monkeypatch.setattr("nonet.training.start.text_side", tiny_text_side)
    monkeypatch.setattr("nonet.training.export.text_side", tiny_text_side)
    monkeypatch.setattr("nonet.data.fetch.fetch", lambda *given, **named: {})

    def build(out: Path, *given: Any, **named: Any) -> dict[str, Any]:
        write_tiny_collection(out)
        summary = dict.fromkeys(COUNTED, 1) | {
            "by_set": {"shapes": 12},
            "by_licence": {"CC0": 12},
            "filtered": {},
        }
        (out / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        return summary

    monkeypatch.setattr("nonet.data.build.build", build)
    folder = tmp_path / "configs" / "doodle"
    folder.mkdir(parents=True)
    for name, text in CONFIGS.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    (folder / "codec-gpu.toml").write_text(CONFIGS["codec"], encoding="utf-8")
    return tmp_path


def test_the_documented_training_makes_a_model_that_draws(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = [block for block in documents.blocks("sh") if block.document == "docs/training.md"]
    for words in [words for block in blocks for words in block.commands()]:
        status = main([*words, *FEWER.get(words[0], [])])
        captured = capsys.readouterr()
        assert status == 0, f"{words}: {captured.err}"
    assert (workplace / "runs" / "contact-sheet.png").is_file()
    assert (workplace / "runs" / "attribution" / "ATTRIBUTION.md").is_file()
    measures = json.loads((workplace / "runs" / "evaluation" / "measures.json").read_text(encoding="utf-8"))
    assert measures["candidates"] == 2
    card = (workplace / "runs" / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# sketch\n")
    assert "| codec | 2 of 2 crops | 0.00 | processor |" in card
    assert len(list((workplace / "nonet").rglob("*.png"))) == 3
    for kind in ("codec", "seq2seq"):
        state = load_state(workplace / "runs" / "second" / kind / "state.pt")
        assert state["started_from"] == "runs/model"


def test_the_gpus_config_is_of_the_same_codec() -> None:
    folder = documents.ROOT / "configs" / "doodle"
    assert read_config(folder / "codec-gpu.toml")["model"] == read_config(folder / "codec.toml")["model"]


def test_training_stops_and_goes_on(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tiny_collection(Path("runs/collection"))
    command = ["train", "codec", "--config", "configs/doodle/codec.toml", "--quiet"]
    assert main([*command, "--resume", "must"]) == 2
    assert capsys.readouterr().err.startswith("error: data_missing: ")
    # A slice that is over before its first step saves a state all the same.
    assert main([*command, "--max-minutes", "0.000001"]) == 0
    assert main([*command, "--resume", "must"]) == 0
    assert len(Path("runs/doodle/codec/scalars.jsonl").read_text(encoding="utf-8").splitlines()) == 2
