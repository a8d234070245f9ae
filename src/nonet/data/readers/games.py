"""Pictures from games: Crawl's tiles (pixel art), Wesnoth's portraits (paintings), Scratch's costumes and places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nonet.data.captions import clean_label, head_noun, unique
from nonet.data.pictures import Picture, Style
from nonet.data.render import ImageFile
from nonet.data.wordnet import WordNet

# Crawl's folders with things to see, and the noun that a name in them stands for where it is none itself.
_CRAWL_FOLDERS = {
    "mon/animals": "animal", "mon/dragons": "dragon", "mon/draconic": "dragon person", "mon/fungi_plants": "plant",
    "mon/humanoids": "fantasy creature", "mon/giants": "giant", "mon/nonliving": "creature",
    "mon/aberrations": "monster",
    "mon/amorphous": "blob", "mon/aquatic": "sea creature", "mon/spriggan": "fairy", "mon/eyes": "eye monster",
    "mon/statues": "statue", "mon/holy": "angel", "mon/undead": "ghost", "mon/undead/skeletons": "skeleton",
    "item/armour": "armor", "item/weapon": "", "item/weapon/ranged": "", "item/potion": "potion",
    "item/ring": "ring", "item/amulet": "amulet", "item/wand": "magic wand", "item/scroll": "scroll",
    "item/book": "book", "item/staff": "magic staff", "item/food": "food", "item/gold": "gold coins",
    "item/misc": "", "dngn/trees": "tree", "dngn/statues": "statue", "dngn/doors": "door",
    "UNUSED/monsters": "monster", "UNUSED/weapons": "", "UNUSED/food": "food",
}  # fmt: skip
# Numbering and style of files, and adjectives of the game's own world.
_CRAWL_WORDS = re.compile(
    r"\b(new|old|tile|unrand|urand|base|alt|shadow|artefact|artifact|randart|ego|mons|misc|uncollected|art|crypt|death|"
    r"doom|hell|holy|mana|shock|spark|steelbarb|caustic|torpor|tyrant|emperor|dream|blink|goliath|shard|sky|war|oklob|"
    r"rime|dire|blessed|executioner|sacred|deep|royal|fulminant|halazid|bloated|curse|lost|missing|profane|silent|"
    r"putrid|searing|phantasmal|animated|wucad mu|killer|moth of|quadruped|medium|small|left|right|water|of wrath|"
    r"flayed|drowned|nameless|creeping|insubstantial|spellforged|test|toenail|will the|orb of|eye of|cane|sun|orb)\b"
)
_CRAWL_JUNK = re.compile(
    r"tentacle|segment|corpse|blood|flesh|torment|demon|butcher|rotten|chunk|mutant|spectral|simulac|overlay|brand|"
    r"unseen|zombie|cursed|draugr|skull|offal|ghoul|tengu|ushabti|abomination|gate|runed|broken|clear|^i-|bone_human|"
    r"maw|cob$|toe$|prism|vortex|spawner|servitor|wellspring|vane|quad$|bullet|trap|maggot|swarm|spore|idol|ancestor|apis$|stoker|tiamat|twister|beast$"
)
# Names of potions, rings and the like are of how they look only where they are colours or materials.
_LOOKS = re.compile(
    r"^(ruby|emerald|golden|silver|black|white|red|green|blue|yellow|orange|pink|purple|violet|brown|gray|grey|bronze|"
    r"brass|copper|coral|jade|pearl|opal|diamond|wood|wooden|iron|bone|clay|glass|crystal|bubbly|cloudy|cyan|magenta)"
)
_NAMED_BY_FOLDER = frozenset(
    {"item/potion", "item/ring", "item/amulet", "item/wand", "item/scroll", "item/book", "item/staff"}
)


def read_crawl(folder: Path, words: WordNet) -> Iterator[Picture]:
    """Named 32-pixel tiles of monsters and items; `folder` is `source/rltiles`."""
    for where, noun in _CRAWL_FOLDERS.items():
        for path in sorted((folder / where).glob("*.png")):
            label = clean_label(_CRAWL_WORDS.sub(" ", path.stem.replace("_", " ")))
            if _CRAWL_JUNK.search(path.stem) or path.name.startswith("."):
                continue
            label = re.sub(r"^(statue|skeleton) (.+)$", r"\2 \1", label)
            if where in _NAMED_BY_FOLDER:
                look = _LOOKS.match(label)
                caption = f"{look.group(1)} {noun}" if look else noun
            elif head_noun(label, words):
                caption = label
            else:
                caption = noun
            if not caption or caption in ("thing", "creature", "animal"):
                continue
            # The folder's noun is the thing's kind for creatures; weapons lie together in all kinds.
            fits = where.startswith("mon") or noun in words.kinds(head_noun(caption, words))
            names = [noun] if fits and noun != caption else []
            yield Picture(
                key=path.relative_to(folder).as_posix(),
                source="crawl",
                set="Dungeon Crawl Stone Soup tiles",
                style="pixel art",
                caption=caption,
                payload=ImageFile(str(path)),
                synonyms=unique([*names, *words.other_names(head_noun(caption, words), 2)], caption, 4),
                title=path.stem,
                author="the Dungeon Crawl Stone Soup tile artists",
                licence="CC0-1.0",
                permissive=True,
                weight=0.5,
                fit="pixels",
            )


_WESNOTH_RACES = {
    "undead": "skeleton", "drakes": "dragon warrior", "monsters": "", "humans": "", "elves": "elf",
    "woses": "tree creature",
    "trolls": "troll", "dwarves": "dwarf", "orcs": "orc", "wolves": "wolf", "nagas": "snake warrior",
    "saurians": "lizard warrior", "goblins": "goblin", "merfolk": "merman", "dunefolk": "",
}  # fmt: skip
_WESNOTH_NAMES = {
    "mage": "wizard", "mage-arch": "wizard", "mage-light": "wizard", "mage-red": "wizard", "mage-silver": "wizard",
    "mage-white": "wizard", "dark-adept": "dark wizard", "necromancer": "dark wizard", "lich": "skeleton wizard",
    "knight": "knight", "grand-knight": "knight", "paladin": "knight", "cavalier": "knight on a horse",
    "horseman": "knight on a horse", "lancer": "knight on a horse", "cavalryman": "soldier on a horse",
    "bowman": "archer", "longbowman": "archer", "master-bowman": "archer", "ranger": "archer", "huntsman": "hunter",
    "fire-dragon": "dragon", "gryphon": "griffin", "jinn": "genie", "sea-serpent": "sea serpent", "cuttlefish": "squid",
    "woodland_boar": "wild boar", "giant_ant": "giant ant", "big-icemonax": "walrus monster", "ghost": "ghost",
    "spectre": "ghost", "shadow": "ghost", "wraith": "ghost", "nightmare": "dark horse",
    "black-stallion": "black horse",
    "falcon": "falcon", "yeti": "yeti", "bear": "bear", "horse": "horse", "crocodile": "crocodile",
    
}  # fmt: skip
_WESNOTH_SOLDIERS = re.compile(
    r"swordsman|spearman|halberdier|pikeman|infantry|guard|general|marshal|lieutenant|sergeant"
)
_WESNOTH_JOBS = frozenset(
    {"archer", "hero", "shaman", "captain", "lord", "fighter", "warrior", "scout", "soldier"}
)
_WESNOTH_PLACES = {
    "landscape-castle": "castle", "landscape-mountains-01": "mountains", "landscape-mountains-02": "mountains",
    "landscape-mountains-03": "mountains", "landscape-mountains-04": "mountains", "landscape-mountains-05": "mountains",
    "landscape-hills-01": "hills", "landscape-hills-02": "hills", "landscape-plain": "meadow",
    "landscape-coast": "beach",
    "landscape-bridge": "bridge", "landscape-bridge_sun": "bridge at sunset", "swamp-01": "swamp", "swamp-02": "swamp",
    "swamp-03": "swamp",
}  # fmt: skip


def read_wesnoth(folder: Path, words: WordNet) -> Iterator[Picture]:
    """Portraits of people and creatures, and painted places; `folder` is the game's data folder."""
    portraits = folder / "core/images/portraits"
    for path in sorted(portraits.rglob("*.png")):
        race = path.relative_to(portraits).parts[0]
        if "zombie" in path.stem or path.stem in (
            "soulless",
            "walking-corpse",
            "ghoul",
            "thunderer",
            "dragonguard",
        ):
            continue
        plain = re.sub(r"(\+female)?(-\d+)?$", "", path.stem)
        female = "+female" in path.stem
        kind = _WESNOTH_RACES.get(race, "")
        job = _WESNOTH_NAMES.get(plain) or ("soldier" if _WESNOTH_SOLDIERS.search(plain) else "")
        job = job or clean_label(plain.replace("-", " "))
        if job in _WESNOTH_NAMES.values() and race not in ("elves", "dwarves", "goblins"):
            caption = job
        elif kind:
            caption = f"{kind} {job}" if job in _WESNOTH_JOBS else kind
        else:
            caption = job
        if female:
            caption = "witch" if caption == "wizard" else f"woman {caption}"
        yield Picture(
            key=path.relative_to(folder).as_posix(),
            source="wesnoth",
            set="Battle for Wesnoth portraits",
            style="painting",
            caption=caption,
            payload=ImageFile(str(path)),
            synonyms=unique([kind, "fantasy character" if race != "monsters" else "monster"], caption, 4),
            keywords=(race, "fantasy", "portrait"),
            title=path.stem,
            author="the artists of Battle for Wesnoth",
            licence="GPL-2+ / CC-BY-SA-4.0",
            permissive=False,
            weight=0.7,
        )
    for path in sorted((folder / "core/images/story").glob("*.jpg")):
        if path.stem in _WESNOTH_PLACES:
            yield _background(
                f"story/{path.stem}", "wesnoth", "Battle for Wesnoth scenes", path, _WESNOTH_PLACES[path.stem],
                "painting", "the artists of Battle for Wesnoth", "GPL-2+ / CC-BY-SA-4.0",
            )  # fmt: skip


_SCRATCH_PLACES = {
    "bedroom1": "bedroom", "bedroom2": "bedroom", "chalkboard": "chalkboard", "hall": "hall", "kitchen": "kitchen",
    "clothing-store": "store", "party-room": "party room", "room1": "living room", "room2": "living room",
    "room3": "living room", "spotlight-stage": "stage", "beach-malibu": "beach", "canyon": "canyon", "desert": "desert",
    "flower-bed": "flowers", "flowers": "flowers", "forest": "forest", "garden-rock": "garden",
    "grand-canyon": "canyon", "gravel-desert": "desert", "hill": "hills", "lake": "lake", "moon": "moon surface",
    "pathway": "path in the woods", "stars": "night sky", "tree": "tree", "underwater": "underwater",
    "water-and-rocks": "sea", "wave": "sea", "woods-and-bench": "forest", "woods": "forest",
    "atom-playground": "playground", "bench-with-view": "park", "boardwalk": "boardwalk",
    "brick-wall-and-stairs": "brick wall", "brick-wall1": "brick wall", "brick-wall2": "brick wall",
    "castle": "castle", "city-with-water": "city", "city-with-water2": "city", "driveway": "street",
    "hay_field": "meadow", "houses": "street", "mansion": "house", "night-city-with-street": "city at night",
    "night-city": "city at night", "parking-ramp": "parking garage", "pool": "swimming pool", "route66": "road",
    "school1": "school", "school2": "school", "silos": "farm", "train-tracks1": "railway tracks",
    "train-tracks2": "railway tracks", "train-tracks3": "railway tracks", "village": "village",
    "wooden-house": "wooden house", "baseball-field": "baseball field", "basketball-court1-a": "basketball court",
    "basketball-court2": "basketball court", "football-field": "sports field", "playing-field": "sports field",
    "tennis-backboard": "tennis court",
}  # fmt: skip
_SCRATCH_NAMES = {
    "car-bug": "car", "car-cow": "cow car", "cub": "lion cub", "gobo": "creature", "wild": "wild creature",
    "fantasy": "fantasy creature", "monkeyking": "monkey king", "magiccarpet": "flying carpet",
    "roundman": "round man", "squaregirl": "girl", "squareguy": "man", "womanbun": "woman",
    "womanwaving": "woman waving",
    "boycurly": "boy with curly hair", "boyshorts": "boy in shorts", "royalperson": "queen", "thai-dancer": "dancer",
    "sunglassF": "sunglasses", "partyhat": "party hat", "wizardhat": "wizard hat", "palmtree": "palm tree",
    "beachball": "beach ball", "tennisball": "tennis ball", "soccer": "soccer ball", "mic": "microphone",
    "fruit_platter": "fruit platter", "cheesy-puffs": "cheese puffs", "marble-building": "building",
    "tug-boat": "tugboat", "street-cleaner-mit": "street cleaning machine", "convertible": "convertible car",
    "breakdancer": "break dancer", "football-run": "football player", "football-stand": "football player",
    "bird-flying": "flying bird", "ribbon-dancer": "ribbon dancer", "manhole": "manhole cover",
}  # fmt: skip
# Photographs and drawings of named people, and parts of an interface.
_SCRATCH_JUNK = re.compile(
    r"^(amon|anjuli|anna|calvrett|cassy|chamak|dan|ed|jay|jodi|lee|mako|marissa|nathan|nina|paul|sam|button|hair|"
    r"scoreboard|lego|ghoul|skull|all-sports)"
)


def read_scratch(folder: Path, words: WordNet) -> Iterator[Picture]:
    """Costumes as sprites and places as backgrounds; `folder` is Scratch's `Media`."""
    for group in ("Animals", "Fantasy", "People", "Things", "Transportation"):
        for path in sorted((folder / "Costumes" / group).iterdir()):
            if path.suffix not in (".png", ".gif", ".jpg") or _SCRATCH_JUNK.match(path.stem):
                continue
            plain = re.sub(
                r"\d*(-[a-z]|-\d+|-(walking|standing|sitting|running|laughing|shouting).*)?$", "", path.stem
            )
            caption = _SCRATCH_NAMES.get(plain) or clean_label(plain.replace("-", " "))
            if not caption or not head_noun(caption, words):
                continue
            yield Picture(
                key=path.relative_to(folder).as_posix(),
                source="scratch",
                set="Scratch costumes",
                style="clip art",
                caption=caption,
                payload=ImageFile(str(path)),
                synonyms=unique(list(words.other_names(head_noun(caption, words), 2)), caption, 3),
                title=path.stem,
                author="Massachusetts Institute of Technology",
                licence="CC-BY-SA-3.0",
                permissive=False,
                weight=0.7,
            )
    for path in sorted((folder / "Backgrounds").rglob("*")):
        if path.suffix in (".png", ".gif", ".jpg") and path.stem in _SCRATCH_PLACES:
            yield _background(
                f"backgrounds/{path.stem}", "scratch", "Scratch backgrounds", path, _SCRATCH_PLACES[path.stem],
                "clip art" if path.suffix == ".gif" else "photo", "Massachusetts Institute of Technology",
                "CC-BY-SA-3.0",
            )  # fmt: skip


def _background(
    key: str, source: str, name: str, path: Path, caption: str, style: Style, author: str, licence: str
) -> Picture:
    return Picture(
        key=key,
        source=source,
        set=name,
        style=style,
        caption=caption,
        payload=ImageFile(str(path)),
        title=path.stem,
        author=author,
        licence=licence,
        permissive=False,
        kind="background",
        concept=caption,
    )
