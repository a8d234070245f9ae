from __future__ import annotations

import pytest

from nonet.data.dep5 import Copyright

TEXT = """Format: somewhere
Upstream-Name: game

Files: *
Copyright: 2010 A Programmer <a@example.org>
License: GPL-3+
 long text

Files: images/*
Copyright: A Painter
License: CC-BY-SA-4.0

Files:
 images/land/beach0*
 images/land/old?town*
Copyright: Various
License: public-domain
 From a site of donated photographs.

Files: images/land/*-anna*
Copyright: (c) 2014 Anna (anna@example.org)
License: CC-BY-4.0

License: GPL-3+
 the text of the licence
"""


@pytest.mark.parametrize(
    ("name", "author", "licence", "permissive"),
    [
        ("source/main.c", "A Programmer", "GPL-3+", False),
        ("images/ship.png", "A Painter", "CC-BY-SA-4.0", False),
        ("images/land/beach0.jpg", "Various", "public domain", True),
        ("images/land/old town2.jpg", "Various", "public domain", True),
        ("images/land/beach0-anna.jpg", "Anna", "CC-BY-4.0", True),
    ],
)
def test_the_last_paragraph_that_fits_counts(name: str, author: str, licence: str, permissive: bool) -> None:
    terms = Copyright(TEXT).terms(name)
    assert (terms.author, terms.licence, terms.permissive) == (author, licence, permissive)


def test_a_file_that_nothing_names_is_not_permissive() -> None:
    terms = Copyright("Files: a/*\nCopyright: X\nLicense: MIT\n").terms("b/c")
    assert terms.licence == "unknown"
    assert not terms.permissive
