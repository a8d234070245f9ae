"""Freed memory goes back to the system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nonet import heap


def resident() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_scattered_free_memory_goes_back() -> None:
    # Too small for pages of their own, and every eighth stays: none can be given back by the end of the heap alone.
    size = 100_000
    held = [bytearray(b"x") * size for _ in range(2000)]
    kept = held[::8]
    del held
    before = resident()
    heap.give_back_free()
    assert before - resident() > 0.8 * 1750 * size
    assert all(len(part) == size for part in kept)


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_trim", lambda: None)
    heap.give_back_free()
