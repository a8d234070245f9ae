"""The pictures that 3D models are covered with for blends such as "an avocado armchair"."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from nonet.data.emoji_words import EmojiWords
from nonet.data.readers.emoji import EMOJI_SETS, read_emoji_set
from nonet.data.readers.sweethome3d import Skin
from nonet.data.render import crop

_SIDE = 160
# Things with a pattern of their own, that fill their outline.
_NAMES = (
    "avocado", "watermelon", "strawberry", "kiwi", "pineapple", "corn", "doughnut", "pizza", "tiger face", "zebra",
    "ladybug", "planet earth", "cookie", "broccoli", "sunflower", "cactus", "tomato", "lemon",
)  # fmt: skip
_SHORT = {"tiger face": "tiger", "planet earth": "planet"}


def read_skins(iconify: Path, words: EmojiWords) -> list[Skin]:
    """Draw the skins from a permissive emoji set, in the order of their names here."""
    noto = EMOJI_SETS[0]
    found = {}
    for picture in read_emoji_set(iconify, noto, words):
        if picture.caption in _NAMES and picture.caption not in found:
            square = Image.fromarray(crop(picture.payload.draw())).resize((_SIDE, _SIDE))
            name = _SHORT.get(picture.caption, picture.caption)
            found[picture.caption] = Skin(
                name, square.tobytes(), _SIDE, f"{noto.name} {picture.title}", noto.author, noto.licence
            )
    return [found[name] for name in _NAMES if name in found]
