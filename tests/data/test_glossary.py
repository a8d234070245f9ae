from __future__ import annotations

import pytest

from nonet.data.glossary import translate


@pytest.mark.parametrize(
    ("label", "author", "english"),
    [
        ("ragno figo", "Architetto Francesco Rollandin", "spider"),
        ("gatto nero", "Architetto Francesco Rollandin", "black cat"),
        ("parola ignota", "Architetto Francesco Rollandin", ""),
        ("sole", "Ezechiele", "sun"),
        ("sole", "Somebody Else", "sole"),
        ("red apple", "Somebody Else", "red apple"),
        ("", "anybody", ""),
    ],
)
def test_foreign_titles_become_english(label: str, author: str, english: str) -> None:
    assert translate(label, author) == english
