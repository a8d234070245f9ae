"""Getting the packages through their own clients (apt-get, npm, pip) into the cache folder, checked and resumable."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from nonet.data.archives import unpack
from nonet.data.clients import SUFFIXES, deliver
from nonet.data.sources import SOURCES, Source, source_named
from nonet.errors import NonetError
from nonet.files import atomic_write

Report = Callable[[str, int, int], None]


def cache_folder() -> Path:
    """Where downloads live: `$NONET_CACHE`, else the user's cache folder for Nonet."""
    given = os.environ.get("NONET_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "nonet"


def downloaded(source: Source, cache: Path) -> Path | None:
    """The finished, checked file of a source, or None. Only files with a seal of their checksum count."""
    for path in sorted((cache / "downloads").glob(f"{source.name}-*{SUFFIXES[source.kind]}")):
        if _seal(path).is_file():
            return path
    return None


def unpacked(name: str, cache: Path) -> Path:
    """The unpacked package of the named source.

    Raises:
        NonetError: `data_missing` where it was not fetched, `data_corrupt` where it cannot be unpacked.
    """
    path = downloaded(source_named(name), cache)
    if path is None:
        raise NonetError("data_missing", f"Source {name} is not in {cache}.", "Run `nonet data fetch` first.")
    return unpack(path, cache / "unpacked" / path.name.split(".")[0])


def version_in_cache(source: Source, cache: Path) -> str:
    """The checksum of the cached file ("" where there is none): what a built part depends on."""
    path = downloaded(source, cache)
    return _seal(path).read_text("ascii").strip() if path is not None else ""


def fetch(
    sources: Sequence[Source] = SOURCES, cache: Path | None = None, progress: Report | None = None
) -> dict[str, Path]:
    """Get every source that is not in the cache yet; returns the files by source name.

    `progress(name, done, total)` is called before each source and once at the end (name ""). Another version of a
    Debian package than the recorded one is taken with a warning; npm and pip packages must match exactly.

    Raises:
        NonetError: `fetch_failed` with the next step; what was fetched before stays.
    """
    cache = cache_folder() if cache is None else cache
    files = {}
    for position, source in enumerate(sources):
        if progress is not None:
            progress(source.name, position, len(sources))
        path = downloaded(source, cache)
        files[source.name] = path if path is not None else _fetch_one(source, cache)
    if progress is not None:
        progress("", len(sources), len(sources))
    return files


def adopt(source: Source, file: Path, cache: Path) -> Path:
    """Check a file that a client delivered and put it into the cache, sealed.

    Raises:
        NonetError: `fetch_failed` where the checksum is wrong and the source's kind allows no other version.
    """
    digest = sha256_of(file)
    if digest != source.sha256:
        if not source.kind.startswith("apt"):
            raise NonetError(
                "fetch_failed",
                f"{source.package} {source.version} has checksum {digest[:12]}..., not {source.sha256[:12]}....",
                "The download is damaged or was replaced: run the command again.",
            )
        # apt itself checks packages against the signed index, so another checksum is another version.
        warnings.warn(
            f"{source.package}: taking {file.name}, not the recorded version {source.version}; "
            "counts and captions may differ a little.",
            stacklevel=3,
        )
    target = cache / "downloads" / f"{source.name}-{digest[:12]}{SUFFIXES[source.kind]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(file, target)
    with atomic_write(_seal(target)) as stream:
        stream.write(digest.encode("ascii") + b"\n")
    return target


def sha256_of(path: Path) -> str:
    """The file's SHA-256 as hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _seal(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _fetch_one(source: Source, cache: Path) -> Path:
    downloads = cache / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    # A file that was put there by hand, or by a run that stopped before sealing it, is used when it is the right one.
    for path in sorted(downloads.glob(f"{source.name}-*{SUFFIXES[source.kind]}")):
        if sha256_of(path) == source.sha256:
            return adopt(source, path, cache)
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=downloads))
    try:
        return adopt(source, deliver(source, work), cache)
    finally:
        shutil.rmtree(work, ignore_errors=True)
