"""What each emoji is called: one table for all emoji sets, so that every style of a thing gets the same words."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonet.data.captions import head_noun, unique
from nonet.data.wordnet import WordNet
from nonet.errors import NonetError

# Groups and subgroups of emojibase that hold no picture of a thing: skin tones, hair, families, pointing hands,
# gestures of deaf signs, clock faces, symbols, flags.
_DROPPED_GROUPS = frozenset({2, 8, 9})
_DROPPED_SUBGROUPS = frozenset({18, 30, 31, 32, 33, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95})
_GEOMETRIC = 96
_DROPPED = re.compile(
    r"o.clock|-thirty|facing right|gesturing|tipping hand|raising hand|middle finger|hundred points|zzz|pile of poo|"
    r"breast|feeding baby|love hotel|speech b|anger|thought balloon|person: |pregnant|fight cloud|eye in speech|"
    r"japanese (post|symbol)|splatter|hole$|dashing away|dizzy$|sweat droplets|mahjong|suit$|kaaba|muted|"
    r"sign of the horns|left luggage|(small|medium) square|"
    r"people with bunny|men with bunny|women with bunny|steamy room|getting massage|"
    r"badge|mx claus|vomiting|identification card|place of worship|medium-small|with slash|condom"
)
_LABELS = {
    "automobile": "car",
    "oncoming automobile": "car",
    "oncoming bus": "bus",
    "oncoming taxi": "taxi",
    "oncoming police car": "police car",
    "sport utility vehicle": "suv car",
    "honeybee": "bee",
    "lady beetle": "ladybug",
    "T-Rex": "tyrannosaurus rex",
    "sauropod": "long-necked dinosaur",
    "spouting whale": "spouting whale",
    "locomotive": "steam train",
    "globe showing Europe-Africa": "planet earth",
    "globe showing Americas": "planet earth",
    "globe showing Asia-Australia": "planet earth",
    "bottle with popping cork": "champagne bottle",
    "hot beverage": "cup of coffee",
    "soft ice cream": "ice cream cone",
    "ice cream": "bowl of ice cream",
    "ear of corn": "corn",
    "meat on bone": "meat",
    "poultry leg": "chicken leg",
    "french fries": "french fries",
    "steaming bowl": "bowl of noodles",
    "cooking": "fried egg in a pan",
    "custard": "flan",
    "collision": "explosion",
    "flying saucer": "ufo",
    "snow-capped mountain": "snowy mountain",
    "mount fuji": "mount fuji",
    "derelict house": "abandoned house",
    "night with stars": "city at night",
    "bridge at night": "bridge at night",
    "passenger ship": "cruise ship",
    "motor boat": "motorboat",
    "optical disk": "cd",
    "computer disk": "minidisc",
    "desktop computer": "computer",
    "woman’s clothes": "blouse",
    "woman’s sandal": "sandal",
    "woman’s boot": "boot",
    "woman’s hat": "sun hat",
    "man’s shoe": "dress shoe",
    "running shoe": "sneaker",
    "performing arts": "theater masks",
    "moai": "moai statue",
    "hairy creature": "bigfoot",
    "cowboy hat face": "cowboy face",
    "nazar amulet": "evil eye amulet",
    "alien": "alien",
    "alien monster": "alien monster",
    "mage": "wizard",
    "man mage": "wizard",
    "woman mage": "witch",
    "merperson": "mermaid",
    "wastebasket": "trash can",
    "mobile phone": "smartphone",
    "handbag": "handbag",
    "couch and lamp": "couch and lamp",
    "sun with face": "sun with a face",
    "snowman without snow": "snowman",
    "ringed planet": "planet saturn",
    "front-facing baby chick": "baby chick",
    "bullseye": "bullseye target",
    "pool 8 ball": "billiard ball",
    "game die": "dice",
    "studio microphone": "studio microphone",
    "page facing up": "sheet of paper",
    "memo": "note and pencil",
    "locked": "padlock",
    "unlocked": "open padlock",
    "hammer and wrench": "hammer and wrench",
    "roll of paper": "toilet paper",
    "crown": "crown",
    "fork and knife with plate": "plate with fork and knife",
    "beach with umbrella": "beach with umbrella",
    "classical building": "greek temple",
    "goal net": "goal net",
    "red paper lantern": "red paper lantern",
    "jack-o-lantern": "jack-o'-lantern pumpkin",
    "wrapped gift": "gift box",
    "reminder ribbon": "ribbon",
    "black nib": "pen nib",
    "old key": "antique key",
    "headphone": "headphones",
    "musical keyboard": "piano keyboard",
    "baguette bread": "baguette",
    "leafy green": "lettuce",
    "kiwi fruit": "kiwi",
    "hourglass not done": "hourglass",
    "hourglass done": "hourglass",
    "magnifying glass tilted left": "magnifying glass",
    "magnifying glass tilted right": "magnifying glass",
    "closed mailbox with raised flag": "mailbox",
    "closed mailbox with lowered flag": "mailbox",
    "open mailbox with raised flag": "open mailbox",
    "open mailbox with lowered flag": "open mailbox",
    "video game": "game controller",
    "admission tickets": "tickets",
    "horse racing": "jockey on a horse",
    "baby angel": "baby angel",
    "see-no-evil monkey": "monkey covering its eyes",
    "hear-no-evil monkey": "monkey covering its ears",
    "speak-no-evil monkey": "monkey covering its mouth",
    "anatomical heart": "anatomical heart",
    "moon viewing ceremony": "moon and grass",
    "carp streamer": "fish kite",
    "red triangle pointed up": "red triangle",
    "red triangle pointed down": "red triangle",
    "black large square": "black square",
    "white large square": "white square",
}
_MORE_NAMES = {
    "tyrannosaurus rex": ("t-rex", "dinosaur", "tyrannosaurus", "dino"),
    "long-necked dinosaur": ("dinosaur", "brontosaurus", "sauropod", "dino"),
    "car": ("automobile", "motor car"),
    "planet saturn": ("saturn", "ringed planet", "planet"),
    "planet earth": ("earth", "globe", "world"),
    "ufo": ("flying saucer", "alien spaceship", "spaceship"),
    "computer": ("desktop computer", "pc"),
    "smartphone": ("mobile phone", "cell phone", "phone"),
    "sun hat": ("hat", "straw hat"),
    "bigfoot": ("yeti", "sasquatch", "hairy monster"),
    "cup of coffee": ("coffee", "coffee cup", "hot drink", "cup of tea"),
    "ogre": ("monster", "red monster"),
    "alien monster": ("monster", "space invader"),
    "couch and lamp": ("sofa", "couch"),
    "trash can": ("wastebasket", "garbage can"),
    "wizard": ("mage", "magician", "sorcerer"),
    "castle": ("fortress", "medieval castle"),
    "steam train": ("train", "locomotive", "steam locomotive"),
    "cruise ship": ("ship", "passenger ship", "boat"),
    "theater masks": ("masks", "comedy and tragedy masks"),
    "gift box": ("present", "gift", "wrapped present"),
    "game controller": ("gamepad", "video game"),
    "jack-o'-lantern pumpkin": ("pumpkin", "jack-o'-lantern", "halloween pumpkin"),
}
# Labels that tell a state or a side: no name for the thing.
_STATE = re.compile(r"\b(not|done|tilted|flag|facing|without|oncoming|showing|older|large)\b|:")
# True of the thing, and of too many others to draw it by.
_TOO_WIDE = frozenset({
    "food", "animal", "person", "people", "object", "thing", "plant", "tool", "vehicle", "instrument", "building",
    "sport", "sports", "support", "body", "structure", "device", "mammal", "container", "artifact", "clothing",
    "material", "item", "place", "location", "shape", "creature", "nature", "meat", "worker", "face",
})  # fmt: skip
# Tags that are slang, or that would teach a wrong meaning.
_SLANG = re.compile(
    r"\b(ass|butt|sexy|sexual|nude|weed|high|stoned|drunk|terror\w*|kill\w*|dead|death|murder|hell|damn|crap|poop?|"
    r"turd|thicc|hot stuff|hottie|bum|booty|boobs?|horny|sex|drugs?|cocaine|meth|slave|lit|dope|savage|gun|shoot)\b"
)


@dataclass(frozen=True, slots=True)
class Emoji:
    """One emoji's words. `names` may stand for the label in a caption; `keywords` only help a search."""

    label: str
    names: tuple[str, ...]
    keywords: tuple[str, ...]
    group: int
    weight: float


def slug(text: str) -> str:
    """The form of a label that icon sets use for names: lower case ASCII words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower().replace("'", "")).strip("-")


class EmojiWords:
    """Looks an emoji up by code points or by any of the names that icon sets give it."""

    def __init__(self, emojibase: str | Path, emojilib: str | Path, words: WordNet) -> None:
        """Read the tables of emojibase-data (its `en` folder) and emojilib (its JSON file).

        Raises:
            NonetError: `data_missing`.
        """
        try:
            rows = json.loads((Path(emojibase) / "data.json").read_text("utf-8"))
            extra = json.loads(Path(emojilib).read_text("utf-8"))
            shortcodes = [
                json.loads((Path(emojibase) / "shortcodes" / f"{name}.json").read_text("utf-8"))
                for name in ("cldr", "emojibase", "joypixels", "iamcal")
            ]
        except OSError as error:
            raise NonetError("data_missing", f"Emoji words: {error}.", "Run `nonet data fetch`.") from error
        self._by_code: dict[str, Emoji | None] = {}
        self._by_name: dict[str, str] = {}
        for row in rows:
            self._add(row, extra.get(row["emoji"], []), words)
        for table in shortcodes:
            for code, names in table.items():
                for name in [names] if isinstance(names, str) else names:
                    if _code(code) in self._by_code:
                        self._by_name.setdefault(slug(name).replace("-", ""), _code(code))

    def _add(self, row: dict[str, Any], extra: list[str], words: WordNet) -> None:
        code = _code(row["hexcode"])
        self._by_code[code] = _emoji(row, extra, words)
        for skin in row.get("skins", ()):
            self._by_code[_code(skin["hexcode"])] = None
            self._by_name.setdefault(slug(skin["label"]).replace("-", ""), _code(skin["hexcode"]))
        names = [slug(row["label"])]
        if "-" not in code:
            # Older sets use Unicode's own names.
            names.append(slug(unicodedata.name(chr(int(code, 16)), "")))
        for name in names:
            self._by_name.setdefault(name.replace("-", ""), code)

    def labels(self) -> frozenset[str]:
        """Every label in use, and the names that may stand for one."""
        used = [emoji for emoji in self._by_code.values() if emoji is not None]
        return frozenset(name for emoji in used for name in (emoji.label, *emoji.names))

    def by_code(self, code: str) -> Emoji | None:
        """The emoji of code points such as "1f34e" or "1f469-200d-1f33e"; None when unknown, variant or dropped."""
        return self._by_code.get(_code(code))

    def by_name(self, name: str) -> Emoji | None:
        """The emoji of a set's own name ("red-apple", "redapple", "birthday-cake-2"); None as in `by_code`."""
        plain = slug(name)
        for candidate in (plain, re.sub(r"-\d+$", "", plain), re.sub(r"s$", "", plain)):
            code = self._by_name.get(candidate.replace("-", ""))
            if code is not None:
                return self._by_code[code]
        return None


def _code(code: str) -> str:
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def _emoji(row: dict[str, Any], extra: list[str], words: WordNet) -> Emoji | None:
    group, subgroup = row.get("group"), row.get("subgroup")
    label = row["label"]
    if group is None or (
        subgroup != _GEOMETRIC and (group in _DROPPED_GROUPS or subgroup in _DROPPED_SUBGROUPS)
    ):
        return None
    if _DROPPED.search(label.lower()) or (subgroup == 56 and label == "seat"):
        return None
    tags = [*row.get("tags", ()), *(word.replace("_", " ") for word in extra)]
    renamed = _LABELS.get(label, re.sub(r"^(man|woman): (.*)$", r"\1 with \2", label))
    renamed = renamed.replace("with bald", "with a bald head").replace("’", "'")
    caption = renamed.lower()
    caption = caption.replace("grey", "gray")
    given = [label.lower()] if caption != label.lower() and not _STATE.search(label) else []
    head = head_noun(re.sub(r"(?<=\w )\w+ing\b.*", "", caption), words) or caption
    related = words.kinds(head)
    tag_words = [tag.lower() for tag in tags if re.fullmatch(r"[A-Za-z][A-Za-z' -]+", tag)]
    tag_words = [tag for tag in tag_words if not _SLANG.search(tag) and len(tag) > 2]
    names = [
        tag
        for tag in tag_words
        # A tag may stand for the label where it is the label's head, or WordNet says that it is what the label is.
        if (tag == head or tag in related) and tag not in _TOO_WIDE and words.picturable(tag)
    ]
    if group == 0 and subgroup is not None and subgroup <= 10:
        names.extend(["smiley face"] if "face" in caption.split() else [])
    weight = 1.0
    if group == 0:
        weight = 0.4
    elif group == 1 or subgroup == _GEOMETRIC:
        weight = 0.5
    return Emoji(
        label=caption,
        names=unique([*_MORE_NAMES.get(caption, ()), *given, *names], caption, 8),
        keywords=unique(tag_words, caption, 16),
        group=int(group),
        weight=weight,
    )
