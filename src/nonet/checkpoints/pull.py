"""`nonet pull`: the published models from the Hugging Face Hub, into the cache that its own tools use.

huggingface_hub finds files, knows who asks and keeps the cache; but a download of its that is killed begins
again from nothing. So the bytes are fetched here, into a file that a second run goes on with, and are
compared with the checksum that the Hub announces before they get their name.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

from nonet.checkpoints.places import PUBLISHED, HubRepo, Published, hub_cache, snapshot
from nonet.errors import NonetError
from nonet.files import write_error

Result = TypeVar("Result")
Report = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that are here and the bytes that it has."""

_ATTEMPTS = 6
"""Failures in a row, without a byte between them, after which a download is given up."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Pulled:
    """What `pull` brought.

    Attributes:
        folder: the model's; `nonet.load` finds it by name.
        codec: the VQGAN's folder.
        fetched: bytes that came over the network this time.
    """

    folder: Path
    codec: Path
    fetched: int


def pull(name: str, *, report: Report | None = None, pause: float = 1.0) -> Pulled:
    """Fetch a published model and its codec; what is here already is not fetched again.

    Follows HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE.

    Args:
        name: `mini` or `mega`.
        report: told how far each file is.
        pause: seconds before the first repetition of what failed; each further one waits twice as long.

    Raises:
        NonetError: `model_unknown`; `offline` with the way by hand; `fetch_failed`, `disk_full`,
            `output_unwritable`. What was fetched stays, and the next call goes on from there.
    """
    if name not in PUBLISHED:
        raise NonetError(
            "model_unknown",
            f"No model called {name!r} can be pulled.",
            f"There are: {', '.join(PUBLISHED)}. doodle is part of the installation.",
        )
    model = PUBLISHED[name]
    fetched = 0
    folders: list[Path] = []
    for repo in (model.repo, model.codec):
        folder = _pinned(repo)
        if folder is None:
            with _explained(model):
                fetched += _Puller(repo, report or _silent, pause).run()
            folder = _pinned(repo)
        if folder is None:
            raise NonetError("fetch_failed", f"The files of {repo.id} did not reach the cache.", "Try again.")
        folders.append(folder)
    return Pulled(folders[0], folders[1], fetched)


def by_hand(model: Published) -> str:
    """How to get a model without this computer's network."""
    commands = [
        f"hf download {repo.id} {' '.join(repo.files)} --revision {repo.revision} --local-dir {folder}"
        for repo, folder in ((model.repo, model.name), (model.codec, f"{model.name}/vqgan"))
    ]
    return (
        f"On a computer with a network run `{commands[0]}` and `{commands[1]}`, copy the folder {model.name}"
        f" here and use its path in the place of the name."
    )


class _Puller:
    """Brings the files of one repository."""

    def __init__(self, repo: HubRepo, report: Report, pause: float) -> None:
        self.repo = repo
        self.report = report
        self.pause = pause
        self.fetched = 0

    def run(self) -> int:
        commit = self.commit()
        for file in (*self.repo.files, *self.repo.extras):
            try:
                self.file(file, commit)
            except Exception as error:
                missing = _final(error) and "EntryNotFoundError" in _names(error)
                if file in self.repo.files or not missing:
                    raise
        return self.fetched

    def commit(self) -> str:
        """The whole name of the pinned commit, which may be known by its beginning only."""
        from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url

        revision = self.repo.revision
        # Also where it is known: the list of commits takes minutes to say that there is no network.
        newest = self.patiently(lambda: get_hf_file_metadata(hf_hub_url(self.repo.id, self.repo.files[0])))
        if len(revision) == 40:
            return revision
        if newest.commit_hash and newest.commit_hash.startswith(revision):
            return newest.commit_hash
        for commit in self.patiently(lambda: HfApi().list_repo_commits(self.repo.id)):
            if commit.commit_id.startswith(revision):
                return str(commit.commit_id)
        raise NonetError(
            "fetch_failed",
            f"{self.repo.id} has no commit {self.repo.revision} any more.",
            "Its history was rewritten; look for a newer version of nonet.",
        )

    def file(self, file: str, commit: str) -> None:
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
        from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

        known = try_to_load_from_cache(self.repo.id, file, revision=commit)
        if isinstance(known, str) and Path(known).is_file():
            return
        url = hf_hub_url(self.repo.id, file, revision=commit)
        meta = self.patiently(lambda: get_hf_file_metadata(url))
        if not meta.etag or meta.size is None:
            raise NonetError(
                "fetch_failed", f"The Hub tells neither size nor checksum of {file}.", "Try later."
            )
        folder = f"models--{self.repo.id.replace('/', '--')}"
        blob = hub_cache() / folder / "blobs" / meta.etag
        # Beside the library's own locks; another process may be pulling the same file.
        lock = hub_cache() / ".locks" / folder / f"{meta.etag}.nonet.lock"
        for parent in (blob.parent, lock.parent):
            parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if not blob.is_file():
                self.download(file, meta, url, blob)
        # With the bytes in their place this only gives them their name in the cache.
        self.patiently(lambda: hf_hub_download(self.repo.id, file, revision=commit))

    def download(self, file: str, meta: Any, url: str, blob: Path) -> None:
        part = blob.with_name(f"{blob.name}.nonet.part")
        here = _size(part)
        free = shutil.disk_usage(blob.parent).free
        if free < meta.size - here:
            needed = (meta.size - here - free) / 1e9
            raise NonetError(
                "disk_full",
                f"{file} needs {needed:.2f} GB more than {blob.parent} has free.",
                "Free some space, or set HF_HOME to another disk, and run it again.",
            )
        self.patiently(lambda: self.stream(file, meta, url, part), part)
        if not _matches(part, meta.etag):
            part.unlink()
            raise NonetError(
                "fetch_failed",
                f"{file} arrived with another checksum than the Hub's {meta.etag}.",
                "Run it again; if it stays so, something between here and the Hub changes files.",
            )
        os.replace(part, blob)

    def stream(self, file: str, meta: Any, url: str, part: Path) -> None:
        """Fetch what is missing of a file, once."""
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        headers = build_hf_headers()
        location = meta.location or url
        if _host(location) != _host(url):
            # The storage's address is signed; the token is for the Hub alone.
            headers.pop("authorization", None)
        with part.open("ab", buffering=0) as stream:
            here = stream.seek(0, io.SEEK_END)
            if here > meta.size:
                here = stream.truncate(0)
            self.report(file, here, meta.size)
            if here == meta.size:
                return
            counted = _Counted(
                cast(BinaryIO, stream), lambda count: self.arrived(count, file, stream.tell(), meta.size)
            )
            with _no_bars():
                http_get(
                    location,
                    cast(BinaryIO, counted),
                    resume_size=here,
                    headers=headers,
                    expected_size=meta.size,
                )

    def arrived(self, count: int, file: str, here: int, size: int) -> None:
        self.fetched += count
        self.report(file, here, size)

    def patiently(self, act: Callable[[], Result], part: Path | None = None) -> Result:
        """Do something that needs the network, again and again while the network is what fails."""
        failures = 0
        size = _size(part)
        while True:
            try:
                return act()
            except Exception as error:
                if _final(error):
                    raise
                if _size(part) > size:
                    failures, size = 0, _size(part)
                failures += 1
                # Without a network nothing comes at all; there is no need to wait long to say so.
                if failures >= (_ATTEMPTS if self.fetched else 2):
                    raise
                time.sleep(self.pause * 2 ** (failures - 1))


class _Counted:
    """A file that tells how many bytes are written to it."""

    def __init__(self, stream: BinaryIO, tell: Callable[[int], None]) -> None:
        self._stream = stream
        self._tell = tell

    def write(self, data: bytes) -> int:
        count = self._stream.write(data)
        self._tell(count)
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _pinned(repo: HubRepo) -> Path | None:
    folder = snapshot(repo)
    return folder if folder is not None and folder.name.startswith(repo.revision) else None


def _matches(path: Path, etag: str) -> bool:
    """Whether a file has the Hub's checksum: SHA-256 of large files, git's SHA-1 of small ones."""
    if len(etag) == 64:
        digest = hashlib.sha256()
    elif len(etag) == 40:
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        return True
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest() == etag


def _final(error: Exception) -> bool:
    """Whether trying again cannot help."""
    names = _names(error)
    if isinstance(error, NonetError) or names & _REFUSALS:
        return True
    if "EntryNotFoundError" in names:
        # Its local kind says that the network was not reached, and that may pass.
        return "LocalEntryNotFoundError" not in names
    if isinstance(error, OSError) and error.errno in _DISK:
        return True
    status = getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(status, int) and 400 <= status < 500 and status not in (408, 425, 429)


# By name: the library's HTTP client, and with it their classes, has changed more than once.
_REFUSALS = {"RepositoryNotFoundError", "RevisionNotFoundError", "OfflineModeIsEnabled", "HFValidationError"}
_UNREACHED = {"OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectError", "ConnectTimeout"}
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


def _names(error: Exception) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


@contextmanager
def _explained(model: Published) -> Iterator[None]:
    """Turn what the Hub's library raises into an error that says what to do."""
    try:
        yield
    except NonetError:
        raise
    except Exception as error:
        names = _names(error)
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        if isinstance(error, OSError) and error.errno in _DISK:
            raise write_error(hub_cache(), error) from error
        if names & {"RepositoryNotFoundError", "GatedRepoError", "RevisionNotFoundError"}:
            raise NonetError(
                "fetch_failed",
                f"The Hub does not give {model.repo.id}: {said}.",
                "If it needs an account now, set HF_TOKEN. " + by_hand(model),
            ) from error
        if names & _UNREACHED or "HF_HUB_OFFLINE" in said:
            reason = "HF_HUB_OFFLINE is set" if "OfflineModeIsEnabled" in names else said
            raise NonetError(
                "offline", f"The Hugging Face Hub cannot be reached ({reason}).", by_hand(model)
            ) from error
        raise NonetError(
            "fetch_failed",
            f"Fetching {model.name} broke off ({said}).",
            f"What has come is kept: nonet pull {model.name} goes on from there.",
        ) from error


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep huggingface_hub's own progress bars away, as `report` tells the progress."""
    from huggingface_hub import utils

    if utils.are_progress_bars_disabled():  # type: ignore[attr-defined]
        yield
        return
    utils.disable_progress_bars()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        utils.enable_progress_bars()  # type: ignore[attr-defined]


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _size(path: Path | None) -> int:
    return path.stat().st_size if path is not None and path.is_file() else 0


def _silent(file: str, here: int, size: int) -> None:
    """The report of those who want none."""
