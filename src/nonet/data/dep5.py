"""Licences and authors per file from Debian's machine-readable copyright files (DEP-5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

# Licences whose pictures may be in what we ship.
PERMISSIVE = frozenset(
    {"public domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0", "MIT", "Apache-2.0", "BSD-3-clause"}
)


@dataclass(frozen=True, slots=True)
class Terms:
    """Who made a file and under which licence it comes."""

    author: str
    licence: str

    @property
    def permissive(self) -> bool:
        return self.licence in PERMISSIVE


class Copyright:
    """The file paragraphs of a copyright file; as DEP-5 says, the last paragraph that fits a file counts."""

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[tuple[str, ...], Terms]] = []
        for paragraph in re.split(r"\n\s*\n", text):
            fields = _fields(paragraph)
            if "files" in fields:
                author = re.sub(
                    r"\s+", " ", re.sub(r"<[^>]*>|\([^)]*@[^)]*\)", "", fields.get("copyright", ""))
                )
                author = re.sub(r"^(Copyright|\(c\)|©|\d{4}(-\d{4})?,?|\s)+", "", author, flags=re.I).strip()
                licence = fields.get("license", "").split("\n")[0].strip()
                terms = Terms(author, "public domain" if licence == "public-domain" else licence)
                self._rules.append((tuple(fields["files"].split()), terms))

    @classmethod
    def load(cls, path: Path) -> Copyright:
        """Read a copyright file."""
        return cls(path.read_text("utf-8", errors="replace"))

    def terms(self, name: str) -> Terms:
        """The terms of a file by its path in the source tree; unknown ones are of licence "unknown"."""
        for patterns, terms in reversed(self._rules):
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                return terms
        return Terms("", "unknown")


def _fields(paragraph: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        match = re.match(r"([A-Za-z][A-Za-z-]*):\s*(.*)", line)
        if match:
            name = match.group(1).lower()
            found[name] = match.group(2)
        elif name and line.startswith((" ", "\t")):
            found[name] += "\n" + line.strip()
    return found
