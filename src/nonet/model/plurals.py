"""English plurals, well enough for the nouns of picture captions."""

from __future__ import annotations

from nonet.model import words as w

_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "oxen": "ox",
    "knives": "knife",
    "wolves": "wolf",
    "leaves": "leaf",
    "loaves": "loaf",
    "shelves": "shelf",
    "elves": "elf",
    "scarves": "scarf",
    "calves": "calf",
    "wives": "wife",
    "lives": "life",
    "thieves": "thief",
    "halves": "half",
    "hooves": "hoof",
    "cacti": "cactus",
    "dice": "die",
    "buses": "bus",
    "gases": "gas",
    "lenses": "lens",
    "octopuses": "octopus",
    "walruses": "walrus",
    "viruses": "virus",
    "shoes": "shoe",
    "toes": "toe",
    "canoes": "canoe",
    "axes": "axe",
    "pies": "pie",
    "ties": "tie",
    "bowties": "bowtie",
    "neckties": "necktie",
    "cookies": "cookie",
    "movies": "movie",
    "zombies": "zombie",
    "genies": "genie",
    "selfies": "selfie",
    "hoodies": "hoodie",
    "brownies": "brownie",
    "smoothies": "smoothie",
    "aches": "ache",
    "mustaches": "mustache",
    "avalanches": "avalanche",
    "caches": "cache",
    "quiches": "quiche",
}
_PLURAL = {one: many for many, one in _IRREGULAR.items()}
# Singular, or plural only: left alone both ways.
_SAME = w.EYEWEAR | w.ONE_FORM


def singular(noun: str) -> str:
    """The singular of a noun; the noun itself where it is one already."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun in _SAME or len(noun) < 4 or not noun.endswith("s") or noun.endswith(("ss", "us", "is", "'s")):
        return noun
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "sses", "xes", "zzes", "toes", "goes", "does")) and len(noun) > 4:
        return noun[:-2]
    return noun[:-1]


def plural(noun: str) -> str:
    """The plural of a singular noun."""
    if noun in _PLURAL:
        return _PLURAL[noun]
    if noun in _SAME and not noun.endswith("ss"):
        return noun
    if noun.endswith("y") and len(noun) > 2 and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    if noun.endswith(("ch", "sh", "ss", "x", "zz", "to", "go")) and noun not in ("photo", "logo"):
        return noun + "es"
    return noun + "s"
