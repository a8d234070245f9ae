"""Drawing the pictures of one part into its store, in worker processes."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from nonet.data.catalogue import Part
from nonet.data.clean import fingerprint, reason_to_drop
from nonet.data.fetch import version_in_cache
from nonet.data.pictures import Picture, Pixels
from nonet.data.render import SvgFile, SvgText, alpha_box, fill_background, fit_square
from nonet.data.sources import source_named
from nonet.data.store import Drawn, PictureStore

# Counts up when drawing itself changes (cropping, sizes), so that nothing old is taken for new.
_DRAWING_REVISION = 1
_SMALLEST_BACKGROUND = 200


def store_of(part: Part, cache: Path) -> PictureStore:
    """The store of a part as it is drawn from the packages in the cache."""
    versions = [version_in_cache(source_named(name), cache) for name in part.sources]
    text = "|".join([part.name, str(part.revision), str(_DRAWING_REVISION), *versions])
    return PictureStore(cache / "drawn" / f"{part.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}")


def draw_part(
    pictures: Iterable[Picture],
    store: PictureStore,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Draw what the store lacks; returns how many were drawn. `progress(count)` is called after each."""
    done = 0
    with store.writing():
        missing = [picture for picture in pictures if picture.key not in store]
        for key, drawn, pixels in _drawn(missing, workers):
            store.append(key, drawn, pixels)
            done += 1
            if progress is not None:
                progress(done)
    return done


def _drawn(pictures: list[Picture], workers: int) -> Iterator[tuple[str, Drawn, Pixels | None]]:
    if workers <= 1 or len(pictures) < 16:
        yield from map(draw_one, pictures)
        return
    # Spawned, not forked: the parent may hold threads (progress bars, torch).
    with multiprocessing.get_context("spawn").Pool(min(workers, 2)) as pool:
        yield from pool.imap(draw_one, pictures, chunksize=8)


def draw_one(picture: Picture) -> tuple[str, Drawn, Pixels | None]:
    """Draw, crop, fit and judge one picture; never raises: what cannot be drawn is dropped with its reason."""
    try:
        pixels = picture.payload.draw()
        if picture.kind == "background":
            return _background(picture, pixels)
        box = alpha_box(pixels)
        if box is None:
            return picture.key, _dropped(picture, "blank"), None
        native = max(box[1] - box[0], box[3] - box[2])
        if isinstance(picture.payload, SvgText | SvgFile):
            native = max(native, 224)
        sprite = fit_square(pixels, fit=picture.fit)
    except Exception as error:
        return picture.key, _dropped(picture, "unreadable" if str(error) != "blank" else "blank"), None
    smallest_ok = picture.fit == "pixels"
    reason = reason_to_drop(sprite, 224 if smallest_ok else native)
    if reason is not None:
        return picture.key, _dropped(picture, reason), None
    mark = fingerprint(sprite)
    drawn = Drawn("sprite", 0, "", native, mark.bits_4.tobytes(), mark.thumb.tobytes())
    return picture.key, drawn, sprite


def _background(picture: Picture, pixels: Pixels) -> tuple[str, Drawn, Pixels | None]:
    if min(pixels.shape[:2]) < _SMALLEST_BACKGROUND:
        return picture.key, _dropped(picture, "tiny"), None
    filled = fill_background(pixels)
    with_alpha = np.concatenate([filled, np.full((*filled.shape[:2], 1), 255, np.uint8)], axis=2)
    mark = fingerprint(with_alpha)
    native = min(pixels.shape[:2])
    return (
        picture.key,
        Drawn("background", 0, "", native, mark.bits_4.tobytes(), mark.thumb.tobytes()),
        filled,
    )


def _dropped(picture: Picture, reason: str) -> Drawn:
    return Drawn(picture.kind, -1, reason, 0, b"", b"")
