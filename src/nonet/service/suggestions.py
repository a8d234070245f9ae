"""Funny lines that the embedded model knows the parts of: for "surprise me", for ideas, for "more like this".

`static/surprise.json` holds the parts; the page's script makes its own lines from the same file.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from functools import cache

from nonet.service.assets import assets

_HOLE = re.compile(r"\{(\w+)\}")
_SLOTS = ("who", "wears", "holds", "rides", "where", "things")


@cache
def parts() -> Mapping[str, Sequence[str]]:
    """Lists of phrases by slot, `shapes` with holes for them, and `first`, a few lines to begin with."""
    read: Mapping[str, Sequence[str]] = json.loads(assets().files["surprise.json"].body)
    return read


def surprise(rng: random.Random | None = None) -> str:
    """A line that nobody would think of."""
    rng = rng or random.Random()
    lists = parts()
    return _HOLE.sub(lambda hole: rng.choice(lists[hole[1]]), rng.choice(lists["shapes"]))


def ideas(count: int, rng: random.Random | None = None) -> list[str]:
    """`count` different lines, one of them of the first ones."""
    rng = rng or random.Random()
    found = [rng.choice(parts()["first"])]
    while len(found) < count:
        line = surprise(rng)
        # Short ones: several stand side by side.
        if line not in found and len(line) <= 34:
            found.append(line)
    return found


@cache
def _phrases() -> list[tuple[str, re.Pattern[str]]]:
    return [
        (slot, re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)", re.IGNORECASE))
        for slot in _SLOTS
        for phrase in parts()[slot]
    ]


def alike(prompt: str, count: int, rng: random.Random | None = None) -> list[str]:
    """Up to `count` lines like `prompt`: one known phrase is another, or a place or hat is added."""
    rng = rng or random.Random()
    lists = parts()
    line = " ".join(prompt.split())
    spots = [(slot, match.span()) for slot, phrase in _phrases() if (match := phrase.search(line))]
    placed = any(slot == "where" for slot, _ in spots)
    found: list[str] = []
    for _ in range(count * 8):
        kind = rng.random()
        if spots and kind < 0.6:
            slot, (start, end) = rng.choice(spots)
            other = line[:start] + rng.choice(lists[slot]) + line[end:]
        elif not placed:
            other = f"{line} {rng.choice(lists['where'])}"
        elif not spots:
            break
        else:
            continue
        if other.casefold() != line.casefold() and other not in found and len(other) <= 80:
            found.append(other)
        if len(found) == count:
            break
    return found
