"""Reading our own documents: their code blocks, tables, headings and links."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]*?) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block; `reason` says why it is not run, empty if it is."""

    document: str
    line: int
    language: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The words of every `nonet` command in a shell block, without the redirection at its end."""
        joined = self.text.replace("\\\n", " ")
        found = []
        for line in re.split(r"\n|&&|\|", joined):
            words = shlex.split(line, comments=True)
            if words and words[0].rsplit("/", 1)[-1] == "nonet":
                found.append(words[1 : words.index(">")] if ">" in words else words[1:])
        return found


def documents() -> list[Path]:
    """Every Markdown file that people read."""
    return [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[Block]:
    """The fenced blocks of one language in all documents."""
    found = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            if match["language"] == language:
                line = text.count("\n", 0, match.start("text"))
                name = str(path.relative_to(ROOT))
                found.append(Block(name, line, language, match["text"], (match["reason"] or "").strip()))
    return found


def table(document: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its own heading."""
    text = (ROOT / document).read_text(encoding="utf-8")
    section = text.split(f"\n{heading}\n", 1)[1]
    rows = []
    for line in section.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def anchors(path: Path) -> set[str]:
    """The fragments by which a document's headings are linked to."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> list[tuple[Path, str]]:
    """Every relative link with the document that it stands in."""
    found = []
    for path in documents():
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not re.match(r"[a-z]+:", target):
                found.append((path, target))
    return found
