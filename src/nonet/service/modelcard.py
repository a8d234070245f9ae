"""What a model's card says of its limits, for the About page: the card's own words, not a second copy of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nonet.errors import NonetError

_MOST_BYTES = 200_000
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Card:
    """A part of a model card.

    Attributes:
        name: the card's heading.
        limits: the paragraphs before its first section, as plain text.
        measured: rows of the table under `## Measured`, the head first; empty when there is none.
    """

    name: str
    limits: tuple[str, ...]
    measured: tuple[tuple[str, ...], ...]


def read_card(model: str) -> Card | None:
    """The card of a model by name, folder or Hub id; None when it has none here."""
    from nonet.checkpoints.places import locate

    try:
        folder = Path(locate(model))
    except NonetError:
        return None
    for name in ("README.md", "MODEL_CARD.md"):
        path = folder / name
        if path.is_file():
            with path.open("rb") as stream:
                return parse(stream.read(_MOST_BYTES).decode("utf-8", "replace"))
    return None


def parse(text: str) -> Card:
    """The parts of a card in Markdown that `Card` has."""
    name, section = "", ""
    limits: list[str] = []
    measured: list[tuple[str, ...]] = []
    if text.startswith("---\n"):  # front matter, as the Hub's cards have it
        text = text[4:].partition("\n---\n")[2]
    for block in re.split(r"\n\s*\n", text.strip()):
        first = block.lstrip().split("\n")[0]
        if first.startswith("# ") and not name:
            name = first[2:].strip()
            block = block.partition("\n")[2]
        elif first.startswith("#"):
            section = first.lstrip("#").strip().casefold()
            block = block.partition("\n")[2]
        if not block.strip():
            continue
        if not section and name and not block.lstrip().startswith(("|", "!", "```", "<")):
            limits.append(_plain(block))
        if section == "measured" and block.lstrip().startswith("|") and not measured:
            rows = [
                tuple(_plain(cell) for cell in row.strip().strip("|").split("|")) for row in block.split("\n")
            ]
            measured = [row for row in rows if not all(set(cell) <= set("-: ") for cell in row)]
    return Card(name, tuple(limits), tuple(measured))


def _plain(text: str) -> str:
    """Markdown's marks taken away: a page shows text as text."""
    return re.sub(r"[*`]", "", _LINK.sub(r"\1", " ".join(text.split())))
