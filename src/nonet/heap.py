"""Memory that is free, but that the process still holds."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


def give_back_free() -> None:
    """Give memory that has been freed back to the system, where C's library (glibc) has a way to.

    Of weights that are laid out one after another, each new one lies beyond the old ones; what those leave can be too
    scattered to be given back without being asked for.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
