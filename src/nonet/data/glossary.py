"""Foreign titles that OpenClipart's authors gave, in English."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

# Their titles are Italian even where a word is English too ("sole", "pesca").
_ITALIAN_AUTHORS = ("francesco", "rollandin", "ezechiele", "olivo")
_ALSO_ENGLISH = frozenset({
    "rose", "raisin", "crayon", "citron", "chat", "glace", "vis", "sub", "mix", "metro", "scotch", "caterpillar",
    "sole", "clips", "papillon",
})  # fmt: skip


@lru_cache(maxsize=1)
def _table() -> dict[str, str]:
    text = (resources.files("nonet.data") / "lists" / "glossary.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows}


def translate(label: str, author: str) -> str:
    """The English of a foreign label; "" for an Italian title that is not in the glossary.

    Italian authors' titles are looked up whole, then by their first word: the noun comes first in Italian.
    """
    if not label:
        return ""
    table = _table()
    if any(name in author.lower() for name in _ITALIAN_AUTHORS):
        return table.get(label) or table.get(label.split()[0], "")
    if label in table and label not in _ALSO_ENGLISH:
        return table[label]
    return label
