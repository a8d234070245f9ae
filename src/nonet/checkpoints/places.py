"""Which models there are by name, and where their files lie. Torch and the network are not needed here."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from nonet.errors import NonetError

DOODLE = Path(__file__).resolve().parent.parent / "weights" / "doodle"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_DALLE_FILES = ("config.json", "flax_model.msgpack", "tokenizer.json")
_VQGAN_FILES = ("config.json", "flax_model.msgpack")


@dataclass(frozen=True)
class HubRepo:
    """A repository on the Hugging Face Hub at one commit.

    Attributes:
        revision: the commit, or the first characters of it.
        files: what is needed of it.
        extras: what is fetched, too, where it is there.
        size: bytes of all of them, roughly.
    """

    id: str
    revision: str
    files: tuple[str, ...]
    extras: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Published:
    """A model of others that can be pulled."""

    name: str
    title: str
    repo: HubRepo
    codec: HubRepo
    licence: str
    origin: str


_VQGAN = HubRepo(
    "dalle-mini/vqgan_imagenet_f16_16384",
    "e93a26e7707683d349bf5d5c41c5b0ef69b677a9",
    _VQGAN_FILES,
    (),
    304_301_000,
)
# The word list for hashtags is in Mini's repository only; the text side of both models is the same.
_EXTRAS = ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")
PUBLISHED: dict[str, Published] = {
    "mini": Published(
        "mini",
        "DALL-E Mini v1",
        HubRepo(
            "dalle-mini/dalle-mini",
            "e0888f6",
            _DALLE_FILES,
            (*_EXTRAS, "enwiki-words-frequency.txt"),
            1_790_000_000,
        ),
        _VQGAN,
        "Apache-2.0",
        "https://huggingface.co/dalle-mini/dalle-mini",
    ),
    "mega": Published(
        "mega",
        "DALL-E Mega",
        HubRepo("dalle-mini/dalle-mega", "661203c", _DALLE_FILES, _EXTRAS, 10_354_000_000),
        _VQGAN,
        "Apache-2.0",
        "https://huggingface.co/dalle-mini/dalle-mega",
    ),
}
NAMES = ("doodle", *PUBLISHED)


def locate(name_or_path: str | os.PathLike[str]) -> Path:
    """The folder (or, of min-dalle's sets, a file) of a model, without opening anything in it.

    Args:
        name_or_path: `doodle`, `mini`, `mega`, a path, or the id of a Hub repository that was pulled.

    Raises:
        NonetError: `model_missing` where a known model is not here, `model_unknown` for any other name.
    """
    name = os.fspath(name_or_path)
    if name == "doodle":
        if (DOODLE / "config.json").is_file():
            return DOODLE
        raise NonetError(
            "model_missing", "The embedded model is not in this installation.", "Install nonet again."
        )
    if name in PUBLISHED:
        folder = snapshot(PUBLISHED[name].repo)
        if folder is not None:
            return folder
        raise NonetError(
            "model_missing",
            f"The model {name} is not here yet.",
            f"Get it with: nonet pull {name}",
        )
    path = Path(name).expanduser()
    if path.exists():
        return path
    if HUB_ID.fullmatch(name):
        folder = snapshot(HubRepo(name, "", ("config.json",), (), 0))
        if folder is not None:
            return folder
    if isinstance(name_or_path, os.PathLike) or len(path.parts) > 1 or name.startswith((".", "~")):
        raise NonetError(
            "model_missing",
            f"{name} is neither a folder with a model nor the id of one that was pulled.",
            f"Check the path, or name one of: {', '.join(NAMES)}.",
        )
    near = difflib.get_close_matches(name.lower(), NAMES, n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(NAMES)}."
    raise NonetError("model_unknown", f"There is no model called {name!r}.", f"{hint} A folder will do, too.")


def locate_codec(folder: Path) -> Path | None:
    """The VQGAN that belongs to a published model: in the folder, beside it, or among what was pulled."""
    candidates = [folder / "vqgan", folder.parent / "vqgan", folder.parent / _VQGAN.id.partition("/")[2]]
    for candidate in candidates:
        if any((candidate / file).is_file() for file in ("config.json", "detoker.pt")):
            return candidate
    return snapshot(_VQGAN)


def snapshot(repo: HubRepo) -> Path | None:
    """Where huggingface_hub keeps a repository's files; None where one of them is missing.

    The pinned commit comes first, then the newest of the others.
    """
    folder = hub_cache() / f"models--{repo.id.replace('/', '--')}" / "snapshots"
    try:
        found = [path for path in folder.iterdir() if all((path / file).is_file() for file in repo.files)]
    except OSError:
        return None
    pinned = [path for path in found if repo.revision and path.name.startswith(repo.revision)]
    newest = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    return next(iter(pinned + newest), None)


def hub_cache() -> Path:
    """huggingface_hub's cache, by the environment variables that it follows."""
    home = os.environ.get("HF_HOME")
    if home is None:
        base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        home = os.path.join(base, "huggingface")  # noqa: PTH118
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expandvars(cache or f"{home}/hub")).expanduser()
