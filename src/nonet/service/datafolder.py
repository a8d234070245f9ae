"""The site's folder: one server at a time uses it."""

from __future__ import annotations

import os
from pathlib import Path

from nonet.errors import NonetError
from nonet.files import write_error


class DataFolder:
    """Holds a lock on a folder until it is closed or the process ends, however it ends.

    Raises:
        NonetError: `config_invalid` if another server has it; `disk_full` or `output_unwritable`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            _lock(self._descriptor)
        except OSError:
            os.close(self._descriptor)
            raise NonetError(
                "config_invalid",
                f"Another nonet uses {path}.",
                "Stop it, or give this one another folder with --data.",
            ) from None

    def close(self) -> None:
        """Let others use it."""
        os.close(self._descriptor)


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
