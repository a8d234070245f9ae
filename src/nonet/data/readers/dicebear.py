"""DiceBear's drawn characters and planets: every part is chosen here, so the captions are true."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nonet.data.pictures import Picture, Style
from nonet.data.render import SvgText

# One clear hex value per colour word, and a second shade.
_HUES: dict[str, tuple[str, ...]] = {
    "red": ("#ef4444", "#dc2626"), "orange": ("#fb923c", "#f97316"), "yellow": ("#facc15", "#fde047"),
    "green": ("#4ade80", "#22c55e"), "blue": ("#60a5fa", "#3b82f6"), "purple": ("#a78bfa", "#8b5cf6"),
    "pink": ("#f9a8d4", "#f472b6"), "brown": ("#a16207", "#92633a"), "gray": ("#9ca3af", "#94a3b8"),
    "white": ("#f8fafc", "#ffffff"), "black": ("#374151", "#27272a"),
}  # fmt: skip
_HAIR = {
    "black": "#26202b", "brown": "#6b4226", "blond": "#e6c15a", "red": "#c2410c", "gray": "#9ca3af",
    "pink": "#ec6ea8", "blue": "#4f7ce8", "white": "#ece7e1",
}  # fmt: skip
_SKIN = ("#ffdbb4", "#edb98a", "#d08b5b", "#ae5d29", "#7c4a2d", "#fcd5b5")

Options = dict[str, Any]
Plan = Callable[[random.Random], tuple[str, tuple[str, ...], Options]]


@dataclass(frozen=True, slots=True)
class _Kind:
    style: str
    count: int
    plan: Plan
    concept: str
    look: Style = "clip art"
    weight: float = 0.5
    kind: str = "sprite"


def _one(values: dict[str, str], rng: random.Random) -> tuple[str, str]:
    """A (variant, words) pair; variants with the same chance."""
    variant = rng.choice(sorted(values))
    return variant, values[variant]


def _hue(rng: random.Random, without: tuple[str, ...] = ()) -> tuple[str, str]:
    name = rng.choice([colour for colour in _HUES if colour not in without])
    return name, rng.choice(_HUES[name])


_TOPS = {
    "horns": "with horns", "hornsIn": "with horns", "hornsSmall": "with small horns", "spike": "with a spike",
    "antenna": "with an antenna", "antennae": "with two antennae", "earsRound": "with round ears",
    "earsPointy": "with pointy ears", "earsDroop": "with droopy ears", "spikes": "with spikes", "fin": "with a fin",
    "crown": "with a crown", "sprout": "with a sprout on its head",
}  # fmt: skip
_EYES = {
    "round": "", "dots": "", "bigPupils": "with big eyes", "mono": "one-eyed", "trio": "three-eyed",
    "four": "four-eyed", "happy": "happy", "angry": "angry", "sleepy": "sleepy", "wink": "winking",
}  # fmt: skip
_MOUTHS = {
    "smile": "",
    "grin": "grinning",
    "teeth": "with teeth",
    "frown": "sad",
    "laugh": "laughing",
    "tongue": "",
}
_PATTERNS = {"dots": "spotted", "stripes": "striped", "belly": "", "speckles": "speckled"}


def _monster(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    colour, body = _hue(rng, ("white", "brown"))
    top, top_words = _one(_TOPS, rng)
    eyes, eye_words = _one(_EYES, rng)
    mouth, _ = _one(_MOUTHS, rng)
    if eyes in ("happy",):
        mouth = "smile"
    if eyes == "angry":
        mouth = "frown"
    pattern, pattern_words = _one(_PATTERNS, rng)
    patterned = rng.random() < 0.5
    mood = "" if eye_words.startswith("with") else eye_words
    words = [mood, pattern_words if patterned else "", colour, "monster", top_words]
    options: Options = {
        "bodyColor": [body], "topVariant": [top], "topProbability": 100, "eyesVariant": [eyes],
        "mouthVariant": [mouth], "patternVariant": [pattern], "patternProbability": 100 if patterned else 0,
        "accentColor": [_hue(rng, (colour, "black"))[1]],
    }  # fmt: skip
    return _join(words), ("creature", "cute monster", f"{colour} creature"), options


def _clay(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    tops = {
        "horns": "with horns", "spikes": "with spikes", "antenna": "with an antenna", "ears": "with ears",
        "hornsSmall": "with small horns", "tuft": "with a tuft of hair", "curl": "",
    }  # fmt: skip
    colour, body = _hue(rng, ("white", "black", "gray"))
    top, top_words = _one(tops, rng)
    eyes, eye_words = _one(
        {"googly": "", "mono": "one-eyed", "trio": "three-eyed", "happy": "happy", "big": ""}, rng
    )
    options: Options = {
        "bodyColor": [body], "topVariant": [top], "topProbability": 100, "eyesVariant": [eyes],
        "mouthVariant": [rng.choice(["smile", "teeth", "grin", "tongue"])],
    }  # fmt: skip
    return _join([eye_words, colour, "clay monster", top_words]), ("monster", f"{colour} monster"), options


def _robot(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    tops = {
        "antenna": "with an antenna", "twin": "with two antennas", "dish": "with a dish", "siren": "with a siren",
        "fin": "with a fin", "lightbar": "with a light",
    }  # fmt: skip
    chests = {
        "heart": "with a heart",
        "screen": "with a screen",
        "buttons": "with buttons",
        "dial": "with a dial",
    }
    colour, body = _hue(rng)
    top, top_words = _one(tops, rng)
    chest, chest_words = _one(chests, rng)
    extra = top_words if rng.random() < 0.5 else chest_words
    options: Options = {
        "bodyColor": [body], "topVariant": [top], "topProbability": 100, "chestVariant": [chest],
        "chestProbability": 100, "eyesVariant": [rng.choice(["round", "square", "visor", "happy"])],
    }  # fmt: skip
    return _join([colour, "robot", extra]), ("bot", f"{colour} toy robot", "android"), options


def _plant(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    plants = {
        "cactus": "cactus", "ball": "round cactus", "succulent": "succulent", "bush": "bush", "flower": "flower",
        "tulip": "tulip", "palm": "palm", "grass": "grass", "sprout": "sprout", "tall": "tall plant",
    }  # fmt: skip
    colour, pot = _hue(rng)
    plant, name = _one(plants, rng)
    bloom = rng.choice(["red", "pink", "yellow", "orange", "purple"])
    if plant in ("flower", "tulip"):
        name = f"{bloom} {name}"
    options: Options = {
        "potColor": [pot], "plantVariant": [plant], "plantColor": ["#22a55e"], "bloomColor": [_HUES[bloom][0]],
        "eyesVariant": ["round"], "mouthVariant": ["smile"], "cheeksProbability": 0,
        "potVariant": [rng.choice(["taper", "cylinder", "bowl", "round"])],
    }  # fmt: skip
    return f"{name} in a {colour} pot", ("potted plant", f"potted {name}", "plant with a face"), options


def _planet(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    surfaces = {
        "banded": "banded",
        "cratered": "cratered",
        "swirl": "swirly",
        "spotted": "spotted",
        "terra": "",
    }
    surface, words = _one(surfaces, rng)
    colour, disc = _hue(rng, ("black", "white"))
    ringed = rng.random() < 0.5
    options: Options = {
        "planetColor": [disc], "surfaceVariant": [surface], "surfaceProbability": 100,
        "ringVariant": [rng.choice(["thin", "double", "bold"])], "ringProbability": 100 if ringed else 0,
        "moonsProbability": 0,
        **{f"star{number}Probability": 0 for number in ("", *(f"{n:02}" for n in range(2, 13)))},
    }  # fmt: skip
    return _join([words, colour, "planet", "with rings" if ringed else ""]), (f"{colour} planet",), options


def _big_smile(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    hairs = {
        "bangs": "with bangs", "bowlCutHair": "with a bowl cut", "braids": "with braids", "bunHair": "with a bun",
        "curlyShortHair": "with curly hair", "mohawk": "with a mohawk", "straightHair": "with long hair",
        "shavedHead": "with a shaved head", "wavyBob": "with wavy hair", "shortHair": "with short hair",
    }  # fmt: skip
    extras = {
        "catEars": "with cat ears", "clownNose": "with a clown nose", "glasses": "with glasses",
        "mustache": "with a mustache", "sunglasses": "with sunglasses",
    }  # fmt: skip
    eyes, mood = _one(
        {"normal": "", "sad": "sad", "angry": "angry", "cheery": "happy", "winking": "winking"}, rng
    )
    mouth = {"sad": "openSad", "angry": "unimpressed"}.get(
        eyes, rng.choice(["openedSmile", "teethSmile", "kawaii"])
    )
    hair, hair_words = _one(hairs, rng)
    extra, extra_words = _one(extras, rng)
    dressed = rng.random() < 0.5
    colour = rng.choice(sorted(_HAIR))
    words = extra_words if dressed else hair_words.replace(" hair", f" {colour} hair")
    options: Options = {
        "hairVariant": [hair], "hairColor": [_HAIR[colour]], "skinColor": [rng.choice(_SKIN)], "eyesVariant": [eyes],
        "mouthVariant": [mouth], "accessoriesVariant": [extra], "accessoriesProbability": 100 if dressed else 0,
    }  # fmt: skip
    return _join([mood, "face", words]), ("person", "cartoon face", "smiling person"), options


def _persona(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    hairs = {
        "bald": "bald person", "beanie": "person with a beanie", "bobCut": "person with a bob cut",
        "curly": "person with curly hair", "cap": "person with a cap", "long": "person with long hair",
        "curlyBun": "person with a curly bun", "buzzcut": "person with short hair",
    }  # fmt: skip
    hair, words = _one(hairs, rng)
    bearded = rng.random() < 0.35 and hair in ("bald", "beanie", "cap", "buzzcut", "curly")
    eyes, eye_words = _one(
        {"open": "", "glasses": "with glasses", "sunglasses": "with sunglasses", "happy": ""}, rng
    )
    colour, shirt = _hue(rng)
    if bearded:
        words = words.replace("person", "man", 1) + (" and a beard" if "with" in words else " with a beard")
    elif eye_words:
        words = words + (" and " + eye_words.removeprefix("with ") if "with" in words else " " + eye_words)
    else:
        words = f"{words} and a {colour} shirt" if "with" in words else f"{words} with a {colour} shirt"
    options: Options = {
        "hairVariant": [hair], "hairColor": [_HAIR[rng.choice(["black", "brown", "blond", "red"])]],
        "skinColor": [rng.choice(_SKIN)], "eyesVariant": [eyes], "clothingColor": [shirt],
        "facialHairVariant": ["beardMustache"], "facialHairProbability": 100 if bearded else 0,
        "mouthVariant": [rng.choice(["bigSmile", "smile", "smirk"])],
    }  # fmt: skip
    return words, ("person", "portrait of a person", "avatar"), options


def _peep(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    heads = {
        "afro": "person with an afro", "bun": "person with a bun", "cornrows": "person with cornrows",
        "flatTop": "person with a flat top", "bangs": "person with bangs", "bear": "person in a bear hat",
    }  # fmt: skip
    head, words = _one(heads, rng)
    glasses = rng.random() < 0.4
    colour, shirt = _hue(rng)
    if glasses:
        words += " and glasses"
    options: Options = {
        "headVariant": [head], "clothingColor": [shirt], "skinColor": [rng.choice(_SKIN)],
        "accessoriesVariant": ["glasses"], "accessoriesProbability": 100 if glasses else 0,
        "maskProbability": 0, "facialHairProbability": 0, "expressionVariant": [rng.choice(["calm", "cute", "cheeky"])],
    }  # fmt: skip
    return words, ("person", f"person in a {colour} shirt", "drawn person"), options


def _voxel(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    outfits = {
        "stripes": "a striped shirt", "overalls": "overalls", "hoodie": "a hoodie", "dress": "a dress",
        "suit": "a suit", "jacket": "a jacket",
    }  # fmt: skip
    outfit, words = _one(outfits, rng)
    colour, shirt = _hue(rng)
    if outfit in ("hoodie", "dress"):
        words = words.replace("a ", f"a {colour} ", 1)
    options: Options = {
        "outfitVariant": [outfit], "shirtColor": [shirt], "jacketColor": [shirt], "beardProbability": 0,
        "skinColor": [rng.choice(_SKIN)], "glassesProbability": 0,
        "topVariant": [rng.choice(["short", "spiky", "bob", "ponytail", "curly"])],
    }  # fmt: skip
    return f"voxel person in {words}", ("blocky person", "toy figure", "person"), options


def _landscape(rng: random.Random) -> tuple[str, tuple[str, ...], Options]:
    kinds = {
        "dunes": ("sand dunes", ("#e9c46a", "#e0b354", "#d39c3f", "#bf8430"), "#fdf0d5"),
        "rolling": ("green hills", ("#a7d49b", "#86c06c", "#5fa052", "#3f7f3c"), "#d5f0ff"),
        "peak": ("mountains", ("#b8c7dc", "#8fa6c4", "#6a84a6", "#46607f"), "#e3effb"),
        "rugged": ("snowy mountains", ("#f4f8ff", "#dde8f5", "#bccde2", "#93abc9"), "#a9cdf0"),
        "mesa": ("red canyon", ("#eba37a", "#dc7f55", "#c05f3b", "#93442a"), "#fde6cf"),
        "gentle": ("hills at sunset", ("#f7a072", "#e0736a", "#a8526b", "#5f3a63"), "#ffd08a"),
        "slope": ("hills at night", ("#3d4f7c", "#2e3d66", "#212d4f", "#161f3a"), "#1b2447"),
    }  # fmt: skip
    variant = rng.choice(sorted(kinds))
    name, colours, sky = kinds[variant]
    options: Options = {"backgroundColor": [sky], "orbVariant": ["sun"], "orbProbability": 100}
    for number, colour in enumerate(colours, 1):
        options[f"hill{number}Variant"] = [variant]
        options[f"hill{number}Color"] = [colour]
    options["orbColor"] = ["#f4f1de" if variant == "slope" else "#f9c74f"]
    return name, ("landscape", "drawn landscape"), options


_KINDS = (
    _Kind("critters", 360, _monster, "monster"),
    _Kind("clay", 120, _clay, "monster"),
    _Kind("voxel-bot", 220, _robot, "robot", "3D render"),
    _Kind("sprouts", 180, _plant, "potted plant"),
    _Kind("planets", 160, _planet, "planet"),
    _Kind("big-smile", 140, _big_smile, "face"),
    _Kind("personas", 160, _persona, "person"),
    _Kind("open-peeps", 90, _peep, "person", "line drawing", 0.4),
    _Kind("voxel-art", 100, _voxel, "person", "3D render", 0.4),
    _Kind("landscape", 70, _landscape, "landscape", kind="background"),
)


def _join(words: list[str]) -> str:
    return " ".join(word for word in words if word)


@lru_cache(maxsize=4)
def _definition(path: str) -> Any:
    from dicebear import Style as Definition

    return Definition(json.loads(Path(path).read_text("utf-8")))


@dataclass(frozen=True, slots=True)
class DiceBearSvg:
    """One drawing of a DiceBear style: the style's file and all options as JSON."""

    path: str
    options: str

    def draw(self) -> Any:
        from dicebear import Avatar

        return SvgText(str(Avatar(_definition(self.path), json.loads(self.options)).to_string())).draw()


def read_dicebear(folder: Path) -> Iterator[Picture]:
    """A fixed number of drawings per style; `folder` holds the styles' JSON files."""
    for kind in _KINDS:
        path = folder / f"{kind.style}.json"
        meta = json.loads(path.read_text("utf-8"))["meta"]
        known = set(json.loads(path.read_text("utf-8"))["components"])
        rng = random.Random(f"nonet {kind.style}")
        seen: dict[str, int] = {}
        for number in range(kind.count):
            caption, names, options = kind.plan(rng)
            # The same words may come a few times: their other parts differ.
            seen[caption] = seen.get(caption, 0) + 1
            if seen[caption] > (12 if kind.kind == "background" else 4):
                continue
            options = {
                "seed": f"{kind.style}-{number}",
                "size": 256,
                "backgroundColor": ["#00000000"],
                **options,
            }
            if "animation" in known:
                options["animationVariant"] = ["none"]
            yield Picture(
                key=f"{kind.style}/{number}",
                source="dicebear",
                set=f"DiceBear {kind.style}",
                style=kind.look,
                caption=caption,
                payload=DiceBearSvg(str(path), json.dumps(options, sort_keys=True)),
                synonyms=names,
                title=f"{kind.style} {number}",
                author=meta.get("creator", {}).get("name", "") or "DiceBear",
                licence={"CC BY 4.0": "CC-BY-4.0", "CC0 1.0": "CC0-1.0"}[meta["license"]["name"]],
                permissive=True,
                weight=kind.weight,
                kind="background" if kind.kind == "background" else "sprite",
                concept=kind.concept,
            )
