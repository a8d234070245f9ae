"""Captions for composed scenes: many ways to say the same, all of which `nonet.model.phrases.parse` reads
back."""

from __future__ import annotations

import random
from functools import lru_cache

from nonet.model import words as w
from nonet.model.phrases import Scene, Thing, parse, thing
from nonet.model.plurals import plural, singular

NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}

RELATION_WORDS: dict[str, tuple[str, ...]] = {
    "on": ("on", "on", "on top of", "sitting on", "standing on"),
    "in": ("in", "in", "inside"),
    "front": ("in front of",),
    "behind": ("behind",),
    "under": ("under", "below", "beneath"),
    "above": ("above", "over"),
    "beside": ("next to", "beside", "near"),
    "left": ("to the left of", "left of", "on the left of"),
    "right": ("to the right of", "right of", "on the right of"),
    "with": ("with",),
    "wear": ("wearing", "wearing", "in", "with"),
    "hold": ("holding", "holding", "carrying"),
    "ride": ("riding", "riding", "driving"),
    "and": ("and", "and", ","),
}

STYLE_FORMS: dict[str, tuple[str, ...]] = {
    "emoji": ("an emoji of {np}", "{bare} emoji", "emoji of {np}"),
    "clip art": (
        "clip art of {np}",
        "a clip art of {np}",
        "{bare} clip art",
        "clipart of {np}",
        "a cartoon of {np}",
    ),
    "3D render": ("a 3D render of {np}", "3D render of {np}", "{np}, 3D render"),
    "photo": ("a photo of {np}", "a photo of {np}", "photo of {np}"),
    "pixel art": ("pixel art of {np}", "{np}, pixel art", "{bare} pixel art", "pixel art {bare}"),
    "flat icon": ("a flat icon of {np}", "an icon of {np}", "{bare} icon"),
    "line drawing": ("a line drawing of {np}", "a sketch of {np}", "a drawing of {np}"),
    "painting": ("a painting of {np}", "an oil painting of {np}"),
}

_VOWEL_EXCEPTIONS = ("uni", "use", "eu", "one", "ufo", "uk", "us ", "ukulele", "uran", "utensil")
_SILENT_H = ("hour", "honest", "heir", "honor")


def write(scene: Scene, rng: random.Random, tries: int = 4) -> str:
    """A caption of the scene.

    Where some wording is found that `parse` reads back as the same scene, such a wording is returned; labels
    that hold relations of their own ("bowl with spoon") have none.
    """
    caption = ""
    for attempt in range(tries):
        caption = _compose(scene, rng, plain=attempt == tries - 1)
        if parse(caption) == scene:
            return caption
    return caption


@lru_cache(maxsize=65536)
def is_simple(label: str) -> bool:
    """Whether a label is one noun phrase, so that it can be part of a longer caption."""
    if not label:
        return False
    read = parse(f"a {label}")
    return read == Scene((thing(label),)) and read == parse(label)


def noun_phrase(item: Thing, rng: random.Random, *, plain: bool = False) -> str:
    """The thing with an article or numeral before it."""
    if item.count > 1:
        head = item.text.split(" of ")[0].split()[-1] if " of " in item.text else item.text.split()[-1]
        many = item.text.replace(head, plural(item.noun), 1) if head == item.noun else item.text
        return f"{NUMBERS.get(item.count, str(item.count))} {many}"
    if _is_plural(item) or item.text.endswith("'s"):
        return item.text if plain or rng.random() < 0.8 else f"the {item.text}"
    roll = 0.0 if plain else rng.random()
    if roll < 0.88:
        return with_article(item.text)
    return f"the {item.text}" if roll < 0.96 else item.text


def with_article(text: str) -> str:
    """ "an apple", "a unicorn", "an hour"."""
    vowel = (text[:1] in "aeiou" and not text.startswith(_VOWEL_EXCEPTIONS)) or text.startswith(_SILENT_H)
    return f"{'an' if vowel else 'a'} {text}"


def setting_words(item: Thing, rng: random.Random, *, plain: bool = False) -> str:
    """How a background is said after its scene: "on a beach", "in space", "at night", "on a blue
    background"."""
    last = item.text.split()[-1]
    if item.noun in w.BACKDROPS:
        preposition = "on" if plain or rng.random() < 0.7 else rng.choice(("with", "against"))
        return f"{preposition} {with_article(item.text)}"
    known = last in w.PLACES or item.noun in w.PLACES
    if not known or (not plain and rng.random() < 0.06):
        return f"with {_setting_article(item, last, rng)} in the background"
    preposition = "on" if item.noun in w.SAID_ON else "at" if item.noun in w.SAID_AT else "in"
    return f"{preposition} {_setting_article(item, last, rng)}"


def _setting_article(item: Thing, last: str, rng: random.Random) -> str:
    if item.noun in w.SAID_BARE:
        return item.text
    if last in w.SAID_THE or item.noun in w.SAID_THE:
        return f"the {item.text}"
    if _is_plural(item):
        return item.text
    return f"the {item.text}" if rng.random() < 0.4 else with_article(item.text)


def _compose(scene: Scene, rng: random.Random, *, plain: bool) -> str:
    if len(scene.things) == 1 and scene.background is None and scene.things[0].count == 1:
        bare = scene.things[0].text
        # Short forms are how people type, and how the collection's labels read.
        body = bare if not plain and rng.random() < 0.35 else noun_phrase(scene.things[0], rng, plain=plain)
    else:
        bare = ""
        body = _things(scene, rng, plain)
    styled = scene.style is not None
    if scene.background is not None:
        where = setting_words(scene.background, rng, plain=plain)
        if not plain and not styled and rng.random() < 0.05:
            return f"{where}, {body}"
        if not body:
            return where
        if styled and rng.random() < 0.5:
            return f"{_style(scene.style or '', body, '', rng, plain)} {where}"
        body = f"{body} {where}"
    return _style(scene.style, body, bare, rng, plain) if scene.style is not None else body


def _things(scene: Scene, rng: random.Random, plain: bool) -> str:
    text = ""
    joined = {relation.object: relation.kind for relation in scene.relations}
    comma_free = len(scene.things) < 3
    for index, item in enumerate(scene.things):
        phrase = noun_phrase(item, rng, plain=plain)
        if index == 0:
            text = phrase
            continue
        kind = joined.get(index, "and")
        options = RELATION_WORDS[kind]
        word = options[0] if plain else rng.choice(options)
        if word == ",":
            word = "and" if comma_free or index == len(scene.things) - 1 else word
        text += f", {phrase}" if word == "," else f" {word} {phrase}"
    return text


def _style(style: str, body: str, bare: str, rng: random.Random, plain: bool) -> str:
    forms = STYLE_FORMS.get(style, (f"{{np}} in the style of {style}",))
    if not bare:
        forms = tuple(form for form in forms if "{bare}" not in form)
    form = forms[0] if plain else rng.choice(forms)
    return form.format(np=body, bare=bare)


def _is_plural(item: Thing) -> bool:
    head = item.text.split(" of ")[0].split()[-1] if item.text else ""
    return (
        singular(head) != head
        or head in w.EYEWEAR - {"mask", "monocle", "eyepatch"}
        or head.endswith("chips")
    )
