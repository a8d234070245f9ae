"""Building a collection: read every source, draw, filter, remove duplicates, hold out, write."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nonet.data.attribution import write_attribution
from nonet.data.captions import concept_of, named_colours, unique
from nonet.data.catalogue import PARTS, Part, Words
from nonet.data.clean import find_duplicates
from nonet.data.collection import BackgroundRecord, SpriteRecord, record_line
from nonet.data.colours import dominant_colours, painted_colours
from nonet.data.drawing import draw_part, store_of
from nonet.data.fetch import cache_folder
from nonet.data.filter import WordFilter, default_filter
from nonet.data.pictures import Picture
from nonet.data.splits import heldout_pairs, split_of
from nonet.data.store import Drawn, PictureStore
from nonet.files import atomic_write

Report = Callable[[str, int, int], None]
# A concept with more pictures than this in one style is sampled no more often than one with about this many.
_PLENTY = 24


@dataclass(frozen=True, slots=True)
class _Candidate:
    picture: Picture
    drawn: Drawn
    store: PictureStore
    concept: str
    colours: dict[str, float]


def build(
    out: str | Path,
    cache: Path | None = None,
    *,
    parts: Sequence[Part] = PARTS,
    workers: int = 1,
    permissive_only: bool = False,
    progress: Report | None = None,
) -> dict[str, Any]:
    """Write the collection folder `out` from the fetched packages in `cache`; returns its summary.

    Pictures drawn by an earlier, stopped run are taken from the cache. The result depends only on the packages and
    this code. `progress(part, done, total)` is called after every drawn picture. At most two workers are used.

    Raises:
        NonetError: `data_missing` (fetch first), `data_corrupt`, `disk_full`, `output_unwritable`.
    """
    out, cache = Path(out), cache_folder() if cache is None else cache
    words = Words(cache)
    dropped: Counter[str] = Counter()
    filtered: Counter[str] = Counter()
    candidates: list[_Candidate] = []
    word_filter = default_filter()
    for part in parts:
        pictures = list(part.read(words))
        if permissive_only:
            pictures = [picture for picture in pictures if picture.permissive]
        store = store_of(part, cache)
        missing = sum(picture.key not in store for picture in pictures)

        def report(done: int, name: str = part.name, total: int = missing) -> None:
            if progress is not None:
                progress(name, done, total)

        draw_part(pictures, store, workers, report)
        candidates.extend(_allowed(pictures, store, words, word_filter, dropped, filtered))
    sprites = _without_duplicates([one for one in candidates if one.drawn.kind == "sprite"], dropped)
    backgrounds = _without_duplicates([one for one in candidates if one.drawn.kind == "background"], dropped)
    return _write(out, sprites, backgrounds, dropped, filtered)


def _allowed(
    pictures: list[Picture],
    store: PictureStore,
    words: Words,
    word_filter: WordFilter,
    dropped: Counter[str],
    filtered: Counter[str],
) -> list[_Candidate]:
    kept = []
    for picture in pictures:
        drawn = store[picture.key]
        category = word_filter.is_allowed([picture.caption, picture.title, *picture.evidence])
        if category is not None:
            filtered[category] += 1
        elif drawn.drop:
            dropped[drawn.drop] += 1
        else:
            colours: dict[str, float] | None = dominant_colours(store.pixels(drawn.kind)[drawn.at])
            if picture.paint:
                colours = painted_colours(colours or {}, picture.paint)
            if colours is None:
                dropped["paint hidden"] += 1
                continue
            # Other names may be slang, or a homonym's: they go, the picture stays.
            picture = replace(
                picture,
                synonyms=tuple(name for name in picture.synonyms if word_filter.is_allowed(name) is None),
                keywords=tuple(word for word in picture.keywords if word_filter.is_allowed(word) is None),
            )
            concept = picture.concept or concept_of(picture.caption, words.nouns)
            kept.append(_Candidate(picture, drawn, store, concept, colours))
    return kept


def _without_duplicates(candidates: list[_Candidate], dropped: Counter[str]) -> list[_Candidate]:
    """Keep the first of pictures that look the same; permissive ones come first. Lost captions become keywords."""
    ordered = sorted(candidates, key=lambda one: not one.picture.permissive)
    if not ordered:
        return []
    bits = np.stack([np.frombuffer(one.drawn.bits, np.uint64) for one in ordered])
    thumbs = np.stack([np.frombuffer(one.drawn.thumb, np.uint8) for one in ordered])
    repeats = find_duplicates(bits, thumbs)
    extra: dict[int, list[str]] = defaultdict(list)
    for index, original in enumerate(repeats):
        if original >= 0:
            dropped["duplicate"] += 1
            lost, kept_one = ordered[index], ordered[original]
            # The name of a twin helps to find it, but not one that gives it another colour.
            if set(named_colours(lost.picture.caption)) <= set(named_colours(kept_one.picture.caption)):
                extra[int(original)].append(lost.picture.caption)
    kept = []
    for index, one in enumerate(ordered):
        if repeats[index] < 0:
            picture = one.picture
            keywords = unique([*picture.keywords, *extra[index]], picture.caption, 20)
            kept.append(replace(one, picture=replace(picture, keywords=keywords)))
    return kept


def _write(
    out: Path,
    sprites: list[_Candidate],
    backgrounds: list[_Candidate],
    dropped: Counter[str],
    filtered: Counter[str],
) -> dict[str, Any]:
    crowd = Counter((one.concept, one.picture.style) for one in sprites)
    shares = [min(1.0, (_PLENTY / crowd[one.concept, one.picture.style]) ** 0.5) for one in sprites]
    _write_pixels(out / "sprites.u8", sprites)
    _write_pixels(out / "backgrounds.u8", backgrounds)
    records = [SpriteRecord(**_fields(one, share)) for one, share in zip(sprites, shares, strict=True)]
    background_records = [BackgroundRecord(**_fields(one, 1.0)) for one in backgrounds]
    with atomic_write(out / "backgrounds.jsonl") as stream:
        stream.writelines(record_line(record).encode() for record in background_records)
    summary = _summary(records, background_records, dropped, filtered)
    _write_json(out / "heldout_pairs.json", heldout_pairs())
    _write_json(out / "summary.json", summary)
    write_attribution([*records, *background_records], out)
    # Last: its presence says that the folder is complete.
    with atomic_write(out / "records.jsonl") as stream:
        stream.writelines(record_line(record).encode() for record in records)
    return summary


def _fields(one: _Candidate, share: float) -> dict[str, Any]:
    picture = one.picture
    return {
        "id": f"{picture.source}/{picture.key}",
        "caption": picture.caption,
        "synonyms": list(picture.synonyms),
        "style": picture.style,
        "source": picture.source,
        "set": picture.set,
        "title": picture.title,
        "author": picture.author,
        "licence": picture.licence,
        "permissive": picture.permissive,
        "concept": one.concept,
        "colours": one.colours,
        "split": split_of(one.concept),
        "weight": round(picture.weight * share, 3),
        "keywords": list(picture.keywords),
    }


def _write_pixels(path: Path, chosen: list[_Candidate]) -> None:
    with atomic_write(path) as stream:
        for one in chosen:
            stream.write(np.asarray(one.store.pixels(one.drawn.kind)[one.drawn.at]).tobytes())


def _write_json(path: Path, content: Any) -> None:
    with atomic_write(path) as stream:
        stream.write(json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def _summary(
    sprites: list[SpriteRecord],
    backgrounds: list[BackgroundRecord],
    dropped: Counter[str],
    filtered: Counter[str],
) -> dict[str, Any]:
    def count(values: Sequence[str]) -> dict[str, int]:
        return dict(Counter(values).most_common())

    return {
        "sprites": len(sprites),
        "permissive_sprites": sum(record.permissive for record in sprites),
        "heldout_sprites": sum(record.split == "heldout" for record in sprites),
        "backgrounds": len(backgrounds),
        "permissive_backgrounds": sum(record.permissive for record in backgrounds),
        "captions": len({record.caption for record in sprites}),
        "concepts": len({record.concept for record in sprites}),
        "heldout_concepts": len({record.concept for record in sprites if record.split == "heldout"}),
        "by_set": count([record.set for record in sprites]),
        "by_style": count([record.style for record in sprites]),
        "by_licence": count([record.licence for record in sprites]),
        "backgrounds_by_set": count([record.set for record in backgrounds]),
        "backgrounds_by_caption": count([record.caption for record in backgrounds]),
        "dropped": dict(dropped.most_common()),
        "filtered": dict(filtered.most_common()),
    }
