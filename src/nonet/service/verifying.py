"""Looking at a stranger's picture in a process that can be limited and ended.

`python -m nonet.service.verifying` reads a file from standard input and writes one JSON object. The search for the mark
needs torch, a second of computing or more, and memory: none of it is to happen in the process that serves pages.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import Any

from nonet.errors import NonetError
from nonet.safety.provenance.decoding import MAX_BYTES, check_size
from nonet.service.errors import OverloadedError

MAX_SECONDS = 60
_WAIT_SECONDS = 15
_MEMORY = 3_000_000_000
# One at a time: each takes a whole core, and drawing needs them more.
_turn = threading.BoundedSemaphore(1)


def verify_apart(data: bytes) -> dict[str, Any]:
    """`safety.provenance.verify.Report.to_dict` of a picture file, made in a process of its own.

    Raises:
        NonetError: `too_large`; `file_unreadable` for what is no picture; `unavailable` when others are before it.
    """
    if len(data) > MAX_BYTES:
        raise NonetError(
            "too_large", f"The file has over {MAX_BYTES // 1_000_000} MB.", "Send a smaller one."
        )
    check_size(data)
    if not _turn.acquire(timeout=_WAIT_SECONDS):
        raise OverloadedError(
            "unavailable",
            "Others are having their pictures looked at.",
            "Try again in a moment.",
            retry_after=10,
        )
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "nonet.service.verifying"],
            input=data,
            capture_output=True,
            timeout=MAX_SECONDS,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise NonetError("file_unreadable", "Looking at this picture took too long.") from None
    finally:
        _turn.release()
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise NonetError("file_unreadable", "The picture could not be looked at.") from None
    if "code" in answer:
        raise NonetError(answer["code"], answer["message"], answer["hint"])
    return answer


def _limit() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        os.nice(10)


def main() -> None:
    """The child: standard input to standard output."""
    _limit()
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    from nonet.safety.provenance.verify import verify

    try:
        answer = verify(data).to_dict()
    except NonetError as error:
        answer = {"code": error.code, "message": error.message, "hint": error.hint}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
