"""What is held out: concepts, (colour, object) pairs and (object, background) pairs; always the same ones."""

from __future__ import annotations

import hashlib
from typing import Literal

from nonet.data.captions import COLOURS

_HELDOUT_PER_MILLE = 42
# Things that everybody will ask for: every one of them is trained on.
COMMON = frozenset({
    "apple", "dog", "cat", "pizza", "house", "car", "tree", "moon", "robot", "fish", "guitar", "crown", "rocket",
    "flower", "castle", "bicycle", "penguin", "hat", "avocado", "armchair", "chair", "sun", "star", "horse",
    "bird", "cow", "pig", "sheep", "bear", "rabbit", "lion", "tiger", "elephant", "monkey", "mouse", "hamster",
    "frog", "snake", "dragon", "dinosaur", "monster", "unicorn", "ghost", "alien", "astronaut", "king", "queen",
    "princess", "prince", "knight", "wizard", "witch", "pirate", "ninja", "cowboy", "clown", "santa", "snowman",
    "mermaid", "fairy", "vampire", "man", "woman", "boy", "girl", "baby", "person", "face", "heart", "hand",
    "eye", "book", "computer", "phone", "camera", "clock", "key", "lamp", "table", "bed", "sofa", "door",
    "window", "ball", "balloon", "gift", "cake", "banana", "orange", "lemon", "strawberry", "grape", "bread",
    "cheese", "hamburger", "sandwich", "egg", "coffee", "tea", "cup", "bottle", "glass", "knife", "fork", "spoon",
    "shoe", "shirt", "dress", "ship", "boat", "train", "bus", "truck", "airplane", "helicopter", "ufo",
    "mountain", "beach", "sea", "sky", "cloud", "rain", "snow", "fire", "rainbow", "volcano", "island", "forest",
    "desert", "city", "bridge", "tower", "tent", "church", "skull", "sword", "shield", "helmet", "drum", "piano",
    "violin", "trumpet", "umbrella", "butterfly", "bee", "spider", "owl", "duck", "chicken", "turtle", "whale",
    "dolphin", "shark", "octopus", "crab", "mushroom", "cactus", "rose", "leaf", "pumpkin", "carrot", "tomato",
})  # fmt: skip
# Objects of the held-out combinations: common, so that both parts are well known and only the pair is new.
_PAIR_OBJECTS = (
    "apple", "dog", "cat", "house", "car", "tree", "robot", "fish", "guitar", "crown", "rocket", "flower",
    "castle", "bicycle", "penguin", "hat", "avocado", "armchair", "horse", "bird", "elephant", "frog", "dragon",
    "dinosaur", "ghost", "ball", "balloon", "cake", "cup", "shoe", "ship", "train", "bus", "butterfly", "owl",
    "turtle", "mushroom", "umbrella", "rabbit", "lamp",
)  # fmt: skip
_PAIR_PLACES = (
    "beach", "mountains", "moon surface", "night sky", "forest", "desert", "city", "snow", "space", "sunset",
    "underwater", "meadow", "living room", "street", "clouds",
)  # fmt: skip


def _rank(text: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8, person=b"nonet-split").digest(), "big"
    )


def split_of(concept: str) -> Literal["train", "heldout"]:
    """About 4% of concepts are held out, by a hash of the name; never one that holds a common noun."""
    if any(word in COMMON for word in concept.replace("-", " ").split()):
        return "train"
    return "heldout" if _rank(concept) % 1000 < _HELDOUT_PER_MILLE else "train"


def heldout_pairs(each: int = 100) -> dict[str, list[list[str]]]:
    """`each` (colour, object) and `each` (object, background) combinations that no training caption may show."""
    colours = sorted(
        ([colour, thing] for colour in COLOURS for thing in _PAIR_OBJECTS),
        key=lambda pair: _rank("+".join(pair)),
    )
    places = sorted(
        ([thing, place] for thing in _PAIR_OBJECTS for place in _PAIR_PLACES),
        key=lambda pair: _rank("@".join(pair)),
    )
    return {"colour_object": sorted(colours[:each]), "object_background": sorted(places[:each])}
