"""Coverage-guided fuzzing of the reader of Flax files: `pip install atheris`, then

    python tests/fuzz_msgpack.py -max_total_time=60

Anything but a `NonetError` is a crash; atheris writes the input that caused it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["nonet.checkpoints"]):
    from nonet.checkpoints.msgpack_reader import read_flax
    from nonet.checkpoints.tensors import TensorFiles
    from nonet.errors import NonetError

FILE = Path(tempfile.mkdtemp()) / "flax_model.msgpack"


def one_input(data: bytes) -> None:
    """Read a file of these bytes, and every tensor that it names."""
    FILE.write_bytes(data)
    try:
        with TensorFiles(read_flax(FILE)) as files:
            for name in files:
                if files.read(name).nbytes > len(data):
                    raise AssertionError(f"{name} is larger than the file")
    except NonetError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
