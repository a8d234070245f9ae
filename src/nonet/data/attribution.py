"""Naming everybody whose picture was used: one line per picture, and a page to read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from nonet.data.collection import BackgroundRecord, SpriteRecord
from nonet.files import atomic_write

Record = SpriteRecord | BackgroundRecord
LICENCE_PAGES = {
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "MIT": "https://opensource.org/license/mit",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "GPL-2": "https://www.gnu.org/licenses/old-licenses/gpl-2.0.html",
    "GPL-2+": "https://www.gnu.org/licenses/old-licenses/gpl-2.0.html",
    "GPL-3": "https://www.gnu.org/licenses/gpl-3.0.html",
}


def attribution_page(records: Sequence[Record]) -> str:
    """A Markdown page: every set with its authors and licence, permissive ones first; long author lists sorted."""
    groups: dict[tuple[bool, str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[not record.permissive, record.set, record.licence].append(record)
    lines = [
        "# Pictures that this was made from",
        "",
        f"{len(records)} pictures; {sum(record.permissive for record in records)} of them under permissive terms.",
        "Pictures were cropped, scaled, and combined with others.",
        "",
    ]
    for (_, name, licence), members in sorted(
        groups.items(), key=lambda item: (item[0][0], -len(item[1]), item[0])
    ):
        named = {member.author for member in members if member.author}
        # By both, for names that differ in their capitals alone have no order otherwise.
        authors = sorted(named, key=lambda name: (name.lower(), name))
        page = LICENCE_PAGES.get(licence)
        terms = f"[{licence}]({page})" if page else licence
        lines += [
            f"## {name}",
            "",
            f"{len(members)} pictures, {terms}.",
            "",
            "By " + ", ".join(authors) + ".",
            "",
        ]
    return "\n".join(lines)


def write_attribution(records: Sequence[Record], folder: Path) -> None:
    """Write `attribution.jsonl` (id, title, author, set, licence of each picture) and `ATTRIBUTION.md`."""
    with atomic_write(folder / "attribution.jsonl") as stream:
        for record in records:
            row = {
                "id": record.id,
                "title": record.title,
                "author": record.author,
                "set": record.set,
                "licence": record.licence,
            }
            stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    with atomic_write(folder / "ATTRIBUTION.md") as stream:
        stream.write(attribution_page(records).encode())
