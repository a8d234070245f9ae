from __future__ import annotations

import json
from pathlib import Path

from nonet.data.attribution import attribution_page, write_attribution
from nonet.data.collection import SpriteRecord


def record(number: int, author: str, licence: str, permissive: bool) -> SpriteRecord:
    return SpriteRecord(
        f"t/{number}", "apple", [], "emoji", "t", f"Set {licence}", "Apple", author, licence, permissive, "apple", {},
        "train", 1.0,
    )  # fmt: skip


RECORDS = [
    record(1, "Zoe", "CC-BY-4.0", True),
    record(2, "Adam", "CC-BY-4.0", True),
    record(3, "Adam", "CC-BY-4.0", True),
    record(4, "Eve", "GPL-2", False),
]


def test_the_page_names_every_author_and_licence_once() -> None:
    page = attribution_page(RECORDS)
    assert "4 pictures; 3 of them under permissive terms." in page
    assert "By Adam, Zoe." in page
    assert "By Eve." in page
    assert "https://creativecommons.org/licenses/by/4.0/" in page
    assert page.index("Set CC-BY-4.0") < page.index("Set GPL-2")


def test_every_picture_has_its_line(tmp_path: Path) -> None:
    write_attribution(RECORDS, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "attribution.jsonl").read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["t/1", "t/2", "t/3", "t/4"]
    assert rows[3] == {"id": "t/4", "title": "Apple", "author": "Eve", "set": "Set GPL-2", "licence": "GPL-2"}
    assert (tmp_path / "ATTRIBUTION.md").read_text("utf-8") == attribution_page(RECORDS)
