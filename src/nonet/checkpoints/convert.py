"""`nonet convert`: a model from one format into another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nonet.checkpoints.components import HASHTAG_WORDS
from nonet.checkpoints.loader import load
from nonet.checkpoints.save import STORAGE, save, save_flax, save_mindalle
from nonet.errors import NonetError

FORMATS = ("nonet", "flax", "flax-unscanned", "min-dalle")


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    to: str = "nonet",
    storage: str = "float32",
    codec: str | os.PathLike[str] | None = None,
) -> Path:
    """Read a model in any format and write it in another; its codec and tokenizer go along.

    Args:
        source: what `nonet.load` takes.
        target: a folder that is not there yet.
        to: `nonet` (safetensors), `flax`, `flax-unscanned` or `min-dalle`.
        storage: `float32`, `float16`, `bfloat16`, and for `nonet` `int8`: how the numbers of the seq2seq are
            kept. The codec is kept in float32 where that is not int8.
        codec: as for `nonet.load`.

    Returns:
        The folder.

    Raises:
        NonetError: `setting_invalid`; `config_invalid` where the format cannot hold the model; as
        `nonet.load`
            and as writing.
    """
    if to not in FORMATS:
        raise NonetError("setting_invalid", f"There is no format {to!r}.", f"Use {', '.join(FORMATS)}.")
    if storage not in STORAGE:
        raise NonetError("setting_invalid", f"There is no storage {storage!r}.", f"Use {', '.join(STORAGE)}.")
    folder = Path(target)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        # Said before gigabytes are read.
        raise NonetError(
            "output_unwritable", f"{folder} is there already.", "Choose another folder or remove this one."
        )
    dtype = "float32" if storage == "int8" else storage
    model = load(source, codec=codec, device="cpu", dtype=dtype, codec_dtype="float32")
    if to == "nonet":
        kinds = dict.fromkeys(("seq2seq", "codec", "text", "judge"), "int8") if storage == "int8" else {}
        save(model, folder, storage=kinds or {"seq2seq": storage})
    elif to == "min-dalle":
        save_mindalle(model, folder, storage=storage)
    else:
        save_flax(model, folder, storage=storage, scan=to == "flax")
    words = model.folder / HASHTAG_WORDS if model.folder else None
    if words is not None and words.is_file():
        shutil.copyfile(words, folder / HASHTAG_WORDS)
    return folder
