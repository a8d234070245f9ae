"""Writing files so that a reader sees the old content or the new one, never a part."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from nonet.errors import NonetError


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, through: Path | None = None) -> Iterator[BinaryIO]:
    """Open a binary stream that becomes `path` when the block ends without an error.

    The stream is a temporary file in the same folder; on an error it is removed and `path` stays as it was.

    Args:
        through: another folder of the same file system for the temporary file, so that what a killed process
            left behind is found in one place.

    Raises:
        NonetError: `disk_full` or `output_unwritable`.
    """
    target = Path(path)
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = through or target.parent
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=folder)
        with os.fdopen(descriptor, "wb") as stream:
            yield cast(BinaryIO, stream)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes private files; the finished one gets what any new file would get.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
        temporary = ""
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        if temporary:
            with _ignoring_missing():
                os.unlink(temporary)


def write_error(path: Path, error: OSError) -> NonetError:
    """Say in a `NonetError` why `path` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NonetError(
            "disk_full", f"No space is left to write {path}.", "Free some space and run it again."
        )
    reason = error.strerror or str(error)
    return NonetError("output_unwritable", f"Cannot write {path}: {reason}.", "Choose another folder.")


def _umask() -> int:
    # The umask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _ignoring_missing() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        return
