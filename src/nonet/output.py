"""The folder that a drawing is written to: checked before the model is loaded, filled when all is drawn."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from nonet.errors import NonetError
from nonet.files import atomic_write, write_error

SLUG_LENGTH = 48
BYTES_PER_PICTURE = 200_000
"""A 256x256 picture as PNG, and its share of the sheet, never need more."""


def slug(prompt: str) -> str:
    """`prompt` as part of a file name: lower-case ASCII letters and digits, words joined by hyphens."""
    from unidecode import unidecode

    # Surrogates stand for bytes of the command line that were no text; unidecode would warn of them.
    ascii_text = unidecode(prompt.encode("utf-8", "ignore").decode("utf-8")).lower()
    words = re.findall(r"[a-z0-9]+", ascii_text.replace("'", ""))
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word
        if len(longer) > SLUG_LENGTH:
            break
        name = longer
    return name or (words[0][:SLUG_LENGTH] if words else "drawing")


def default_folder(prompt: str, seed: int) -> Path:
    """Where a drawing goes when nobody says otherwise: `nonet/<slug>-<seed>`."""
    return Path("nonet") / f"{slug(prompt)}-{seed}"


class OutputFolder:
    """A folder for `count` pictures and their sheet.

    Use it as a context: leaving it on an error takes away the empty folders that it made.

    Args:
        path: the folder; it and its parents are made where they are missing.
        count: how many pictures will be written.
    """

    def __init__(self, path: str | os.PathLike[str], count: int) -> None:
        self.path = Path(path)
        self.count = count
        self._made: list[Path] = []

    def __enter__(self) -> OutputFolder:
        """Make the folder and try it with as many bytes as the pictures may need.

        Raises:
            NonetError: `output_unwritable` or `disk_full`.
        """
        try:
            self._make()
            # Free space as the system states it knows nothing of quotas or of what root keeps; writing does.
            with tempfile.TemporaryFile(prefix=".nonet-", dir=self.path) as trial:
                block = bytes(BYTES_PER_PICTURE)
                for _ in range(self.count + 1):
                    trial.write(block)
                trial.flush()
                os.fsync(trial.fileno())
        except OSError as error:
            self._unmake()
            raise write_error(self.path, error) from error
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self._unmake()

    def _make(self) -> None:
        missing = []
        folder = self.path
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        if not folder.is_dir():
            raise NonetError(
                "output_unwritable", f"{folder} is a file, not a folder.", "Choose another folder."
            )
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self._made.append(folder)

    def _unmake(self) -> None:
        for folder in reversed(self._made):
            # Not empty: somebody else uses it by now.
            with contextlib.suppress(OSError):
                folder.rmdir()
        self._made.clear()

    def write(self, pngs: Iterable[bytes], sheet: bytes) -> tuple[list[Path], Path]:
        """Write `1.png`, `2.png`, ... and then `sheet.png`; each is whole or not there.

        Returns:
            The pictures' paths and the sheet's.

        Raises:
            NonetError: `output_unwritable` or `disk_full`.
        """
        paths = []
        for number, png in enumerate(pngs, start=1):
            paths.append(self._write(f"{number}.png", png))
        return paths, self._write("sheet.png", sheet)

    def _write(self, name: str, content: bytes) -> Path:
        path = self.path / name
        with atomic_write(path) as stream:
            stream.write(content)
        return path
