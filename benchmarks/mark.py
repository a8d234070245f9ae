"""Measure the invisible mark: `python benchmarks/mark.py [--pictures FOLDER] [--count 100]`.

For each picture (drawings of the shapes generator below, or the files of a folder) the mark is embedded, and looked
for after every attack and every pair of attacks; then it is looked for in pictures that have none. Prints shares of
pictures whose payload came back, and the distance that the mark costs.
"""

from __future__ import annotations

import argparse
import io
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nonet.safety.provenance.detection import detect
from nonet.safety.provenance.mark import Payload, embed
from nonet.sheet import compose_sheet

Attack = Callable[[Image.Image], Image.Image]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def shapes(seed: int) -> NDArray[np.uint8]:
    """A drawing like clip art: flat colours, mostly on white."""
    chance = random.Random(seed)

    def colour() -> tuple[int, int, int]:
        return chance.randrange(256), chance.randrange(256), chance.randrange(256)

    image = Image.new("RGB", (512, 512), "white" if chance.random() < 0.7 else colour())
    draw = ImageDraw.Draw(image)
    for _ in range(chance.randint(3, 14)):
        x, y = chance.randint(40, 470), chance.randint(40, 470)
        w, h = chance.randint(15, 150), chance.randint(15, 150)
        kind = chance.randrange(4)
        if kind == 0:
            draw.ellipse((x - w, y - h, x + w, y + h), fill=colour())
        elif kind == 1:
            draw.rounded_rectangle((x - w, y - h, x + w, y + h), chance.randint(0, 14), fill=colour())
        elif kind == 2:
            points = [
                (x + w * math.cos(angle), y + h * math.sin(angle))
                for angle in sorted(chance.random() * 6.283 for _ in range(chance.randint(3, 7)))
            ]
            draw.polygon(points, fill=colour())
        else:
            line = [(chance.randint(0, 512), chance.randint(0, 512)) for _ in range(4)]
            draw.line(line, fill=colour(), width=chance.randint(2, 16))
    return np.asarray(image.resize((256, 256), Image.Resampling.LANCZOS))


def pictures(folder: Path | None, count: int, start: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Pictures (256, 256, 3): generated ones, or a folder's, cut to squares."""
    if folder is None:
        yield from (shapes(seed) for seed in range(start, start + count))
        return
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".png", ".jpg", ".webp")]
    for path in files[start : start + count]:
        image = Image.open(path).convert("RGB")
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side))
        yield np.asarray(square if side == 256 else square.resize((256, 256), Image.Resampling.LANCZOS))


def jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=quality)
    return Image.open(stream).convert("RGB")


def half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def crop(image: Image.Image) -> Image.Image:
    """A tenth of width and height cut off, left and top."""
    return image.crop((round(image.width * 0.1), round(image.height * 0.1), image.width, image.height))


def in_sheet(image: Image.Image) -> Image.Image:
    """The third picture of a sheet of nine; the others are unmarked, which is the harder case."""
    rest = [Image.fromarray(shapes(90_000 + index)) for index in range(8)]
    return compose_sheet([*rest[:2], image, *rest[2:]])


ATTACKS: dict[str, Attack] = {"half size": half, "JPEG 60": jpeg, "crop 10%": crop, "in a sheet": in_sheet}


def found(image: Image.Image, payload: Payload) -> bool:
    return any(mark.payload == payload for mark in detect(np.asarray(image)))


def measure(images: list[NDArray[np.uint8]], pair_share: float) -> None:
    chance = random.Random(0)
    names = list(ATTACKS)
    pairs = [(a, b) for a in names for b in names if a != b and b != "in a sheet"]
    pairs += [(a, "in a sheet") for a in ("JPEG 60",)]
    hits: dict[tuple[str, ...], list[bool]] = {}
    psnrs, seconds = [], 0.0
    for image in images:
        payload = Payload("doodle", chance.randrange(1 << 24))
        start = time.thread_time()
        marked = embed(image, payload)
        seconds += time.thread_time() - start
        error = np.mean((marked.astype(np.float64) - image) ** 2)
        psnrs.append(10 * math.log10(255**2 / error))
        plain = Image.fromarray(marked)
        for tries in [(), *((name,) for name in names), *(p for p in pairs if chance.random() < pair_share)]:
            attacked = plain
            for name in tries:
                attacked = ATTACKS[name](attacked)
            hits.setdefault(tries, []).append(found(attacked, payload))
    low, mean = min(psnrs), sum(psnrs) / len(psnrs)
    say(
        f"{len(images)} pictures, PSNR {mean:.1f} dB, lowest {low:.1f} dB, {seconds / len(images):.2f} s each"
    )
    for tries, results in sorted(hits.items(), key=lambda item: len(item[0])):
        name = ", then ".join(tries) or "none"
        say(f"  {name}: {sum(results)} of {len(results)} ({sum(results) / len(results):.1%})")


def unmarked(images: Iterator[NDArray[np.uint8]], thorough: bool) -> None:
    count = wrong = 0
    start = time.thread_time()
    for image in images:
        count += 1
        wrong += bool(detect(image, thorough=thorough))
    how = "all sizes tried" if thorough else "likely sizes tried"
    each = (time.thread_time() - start) / max(count, 1)
    say(f"unmarked, {how}: {wrong} of {count} called marked; {each:.2f} s each")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, help="folder of drawings; generated shapes without it")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--pairs", type=float, default=1.0, help="share of the pairs to try on each picture")
    parser.add_argument("--unmarked", type=int, default=0, help="how many unmarked pictures to look at")
    parser.add_argument("--quick", action="store_true", help="unmarked pictures: likely sizes only")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.count:
        measure(list(pictures(given.pictures, given.count)), given.pairs)
    if given.unmarked:
        unmarked(pictures(given.pictures, given.unmarked, start=given.count), thorough=not given.quick)


if __name__ == "__main__":
    main()
