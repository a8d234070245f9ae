"""Unpacking what package managers deliver (.deb, .tgz, .tar.xz, .whl) without installing anything."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from nonet.errors import NonetError

_AR_MAGIC = b"!<arch>\n"


def unpack(archive: Path, target: Path) -> Path:
    """Unpack an archive into the folder `target`, which appears only when complete; returns `target`.

    A folder that is already there is taken as it is.

    Raises:
        NonetError: `data_corrupt` where the archive is damaged or of no known kind.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _unpack(archive, work)
        os.replace(work, target)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, OSError) as error:
        if target.is_dir():
            return target
        raise NonetError(
            "data_corrupt", f"Cannot unpack {archive.name}: {error}.", "Delete the file and fetch again."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".deb":
        name, content = _data_of_deb(archive)
        if name.endswith(".zst"):
            raise ValueError("zstd-compressed packages need a newer Python")
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(folder, filter=_inside)
    elif archive.suffix in (".tgz", ".gz", ".xz"):
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter=_inside)
    elif archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)
    else:
        raise ValueError("unknown kind of archive")


def _inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """tarfile's own safety filter, but links to elsewhere (fonts, documents) are left out instead of refused."""
    try:
        return tarfile.data_filter(member, folder)
    except (tarfile.AbsoluteLinkError, tarfile.LinkOutsideDestinationError):
        return None


def _data_of_deb(archive: Path) -> tuple[str, bytes]:
    """The `data.tar.*` member of a Debian package, which is an ar archive (deb(5))."""
    with archive.open("rb") as stream:
        if stream.read(8) != _AR_MAGIC:
            raise ValueError("no Debian package")
        while len(header := stream.read(60)) == 60:
            name = header[:16].decode("ascii").strip().rstrip("/")
            size = int(header[48:58])
            if name.startswith("data.tar"):
                content = stream.read(size)
                if len(content) < size:
                    raise ValueError("truncated")
                return name, content
            stream.seek(size + size % 2, os.SEEK_CUR)
    raise ValueError("no data in the Debian package")
