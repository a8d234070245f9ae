"""From finished runs to a model's folder: averaged weights, the shipped memory, attribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from nonet.checkpoints.model import Model
from nonet.checkpoints.save import save
from nonet.data.attribution import attribution_page
from nonet.data.collection import BackgroundRecord, SpriteRecord
from nonet.data.sprites import open_sprites
from nonet.errors import NonetError
from nonet.files import atomic_write
from nonet.model.config import Seq2SeqConfig
from nonet.model.judge import Judge
from nonet.model.seq2seq import Seq2Seq
from nonet.training.remember import (
    cut_out,
    load_tokens,
    memory_of,
    memory_tensors,
    picture_extents,
    picture_tokens,
    source_line,
)
from nonet.training.run import load_state, read_run_config
from nonet.training.start import averaged, judge_config, text_side, trained_codec

STORAGE = {"seq2seq": "int8", "codec": "float16", "text": "int8", "judge": "int8"}
DEFAULTS: dict[str, Any] = {"guidance": 2.5, "temperature": 0.6, "top_k": 32, "top_p": 0.9}
ORIGIN = "made from openly licensed pictures by this project's own training commands"


def export(runs: Path, collection: Path, out: Path, *, name: str = "doodle") -> Model:
    """Write the model that the runs in a folder make: `config.json`, weights, memory, `ATTRIBUTION.md`.

    Only pictures under permissive terms that are not held out go into the memory; the attribution names all
    pictures that trained the model. An existing folder's files are replaced.

    Raises:
        NonetError: `data_missing` where a run is missing, and what `save` raises.
    """
    device = torch.device("cpu")
    codec, codec_name = trained_codec(runs / "codec", device)
    state = _state(runs / "seq2seq")
    config = Seq2SeqConfig.from_dict(read_run_config(state)["model"])
    seq2seq = Seq2Seq(config)
    averaged(seq2seq.decoder, state["trainee"]["ema"]["values"])
    sprites = open_sprites(collection)
    records: list[SpriteRecord | BackgroundRecord] = [
        *sprites.collection.records,
        *sprites.collection.background_records,
    ]
    keep = [index for index, record in enumerate(records) if may_be_remembered(record)]
    text = text_side(device)
    tokens = load_tokens(sprites.collection.folder / f"tokens-{codec_name}.safetensors", codec_name)
    tokens = picture_tokens(sprites, codec) if tokens is None else tokens
    tokens = cut_out(*tokens, len(sprites.collection.records), codec)
    tensors = memory_tensors(records, *tokens, text.sentences, keep, picture_extents(sprites))
    model = Model(
        name=name,
        config=config,
        seq2seq=seq2seq,
        text=text.side,
        vqgan=codec,
        judge=trained_judge(runs / "judge"),
        memory=memory_of(tensors, [source_line(records[index]) for index in keep]),
        defaults=DEFAULTS,
        licence="Apache-2.0",
        origin=ORIGIN,
    )
    save(model, out, storage=STORAGE, overwrite=True)
    trained_on = [record for record in records if record.split == "train"]
    with atomic_write(out / "ATTRIBUTION.md") as stream:
        stream.write(attribution_page(trained_on).encode())
    return model


def may_be_remembered(record: SpriteRecord | BackgroundRecord) -> bool:
    """Whether a picture may go into a shipped memory."""
    return record.permissive and record.split == "train"


def trained_judge(folder: Path) -> Judge | None:
    """The averaged judge of a run; None where there is none yet: the model then ranks no candidates."""
    if not folder.is_dir():
        return None
    state = _state(folder)
    judge = Judge(judge_config(read_run_config(state)["model"]))
    averaged(judge, state["trainee"]["ema"]["values"])
    return judge


def _state(folder: Path) -> dict[str, Any]:
    path = folder / "state.pt"
    if not path.is_file():
        raise NonetError(
            "data_missing", f"There is no run in {folder}.", f"Run `nonet train {folder.name}` first."
        )
    return load_state(path)
