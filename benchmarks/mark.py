"""Measure the invisible mark: `python benchmarks/mark.py --count 1000 --unmarked 5000 --jobs 2`.

For each picture the mark is embedded, and looked for after every attack and every pair of attacks; then it is looked
for in pictures that have none. Prints two tables: shares of pictures whose very payload came back, and what was found
where there was nothing.

Every picture's result is a line of `--results`; a run that was stopped goes on where it was, and a smaller run of the
same command is a part of the larger one. Pictures are decoded by the embedded model's codec from the tokens of its
memory, which is what its drawings look like; `--source drawings` draws them, `--source shapes` needs no model.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import multiprocessing
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nonet.checkpoints.places import DOODLE
from nonet.model.repaint import CodecFancy
from nonet.safety.provenance import detection
from nonet.safety.provenance.convolution import likeliest
from nonet.safety.provenance.detection import FIXED_THRESHOLD, PAYLOAD_THRESHOLD, detect
from nonet.safety.provenance.mark import Payload, embed
from nonet.safety.provenance.metadata import to_image
from nonet.sheet import compose_sheet

Pixels = NDArray[np.uint8]
Attack = Callable[[Image.Image], Image.Image]
ROOT = Path(__file__).resolve().parent.parent
CAPTIONS = ROOT / "tests" / "data" / "policy" / "benign_captions.txt"
# Of the unmarked pictures one in so many is searched at all sizes, the others at the likely ones, unless --thorough.
SEARCHED = 5


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def shapes(number: int) -> Pixels:
    """A drawing like clip art: flat colours, mostly on white."""
    chance = random.Random(number)

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


@cache
def _doodle() -> Any:
    import nonet

    return nonet.load("doodle")


@cache
def _order() -> list[int]:
    order: list[int] = (
        np.random.Generator(np.random.PCG64(0)).permutation(len(_doodle().memory.full_NT)).tolist()
    )
    return order


def memory(number: int) -> Pixels:
    """A remembered picture as the codec decodes it; numbers are shuffled."""
    with torch.inference_mode():
        tokens_1T = _doodle().memory.full_NT[_order()[number] : _order()[number] + 1]
        pixels_BHWC = _doodle().codec.decode(CodecFancy(_doodle().codec).filled(tokens_1T))
    return np.asarray(to_image(pixels_BHWC[0].numpy()))


@cache
def _captions() -> list[str]:
    return [line for line in CAPTIONS.read_text("utf-8").splitlines() if line and not line.startswith("#")]


@cache
def _nine(start: int) -> list[Pixels]:
    import nonet

    prompt = _captions()[start * 7 % len(_captions())]
    return [np.asarray(one) for one in nonet.draw(prompt, seed=start, provenance="metadata", model=_doodle())]


def drawings(number: int) -> Pixels:
    """One of nine drawings of a caption."""
    return _nine(number // 9)[number % 9]


SOURCES: dict[str, Callable[[int], Pixels]] = {"memory": memory, "drawings": drawings, "shapes": shapes}


def jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=quality)
    return Image.open(stream).convert("RGB")


def half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def crop(image: Image.Image) -> Image.Image:
    """A tenth of width and height cut off, left and top."""
    return image.crop((round(image.width * 0.1), round(image.height * 0.1), image.width, image.height))


@cache
def _others() -> list[Image.Image]:
    return [Image.fromarray(shapes(90_000 + index)) for index in range(8)]


def in_sheet(image: Image.Image) -> Image.Image:
    """The third picture of a sheet of nine; the others are unmarked, which is the harder case."""
    rest = [other.resize(image.size) for other in _others()]
    return compose_sheet([*rest[:2], image, *rest[2:]])


ATTACKS: dict[str, Attack] = {"half size": half, "JPEG 60": jpeg, "crop 10%": crop, "in a sheet": in_sheet}
PAIRS = [(a, b) for a in ATTACKS for b in ATTACKS if a != b and b != "in a sheet"] + [
    (a, "in a sheet") for a in ("half size", "JPEG 60", "crop 10%")
]
TRIES: list[tuple[str, ...]] = [(), *((name,) for name in ATTACKS), *PAIRS]


def marked(source: str, number: int) -> dict[str, Any]:
    """What comes back of the mark in one picture."""
    image = SOURCES[source](number)
    payload = Payload("doodle", random.Random(number).randrange(1 << 24))
    with_mark = embed(image, payload)
    error = np.mean((with_mark.astype(np.float64) - image) ** 2)
    found = {}
    for tries in TRIES:
        attacked = Image.fromarray(with_mark)
        for name in tries:
            attacked = ATTACKS[name](attacked)
        found[", then ".join(tries)] = any(mark.payload == payload for mark in detect(np.asarray(attacked)))
    return {"kind": "marked", "number": number, "psnr": 10 * math.log10(255**2 / error), "found": found}


def unmarked(source: str, number: int, thorough: bool) -> dict[str, Any]:
    """Whether a picture without a mark is called marked, and the loudest payload that was read in it."""
    loudest = [0.0]
    reads = 0

    def listening(soft: Any) -> tuple[int | None, float]:
        nonlocal reads
        reads += 1
        value, said = likeliest(soft)
        loudest.append(said)
        return value, said

    with patch.object(detection, "likeliest", listening):
        called = bool(detect(SOURCES[source](number), thorough=thorough))
    kind = "thorough" if thorough else "quick"
    return {"kind": kind, "number": number, "called": called, "reads": reads, "loudest": max(loudest)}


def work(task: tuple[str, str, int]) -> dict[str, Any]:
    kind, source, number = task
    torch.set_num_threads(1)
    return marked(source, number) if kind == "marked" else unmarked(source, number, kind == "thorough")


def digest(source: str) -> str:
    """The source's name with what its pictures depend on, so that results of other weights are not counted."""
    if source == "shapes":
        return source
    parts = (DOODLE / name for name in ("codec.safetensors", "memory.safetensors", "seq2seq.safetensors"))
    return f"{source} {hashlib.sha256(b''.join(path.read_bytes() for path in parts)).hexdigest()[:12]}"


def read_results(path: Path, source: str) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = path.read_text("utf-8").splitlines()
    # A stopped run may have left half a line.
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return [result for result in found if result["source"] == source]


def share(parts: Iterable[bool]) -> str:
    parts = list(parts)
    return f"{sum(parts):,} of {len(parts):,} | {sum(parts) / max(1, len(parts)):.2%}"


def report(results: list[dict[str, Any]]) -> Iterator[str]:
    with_mark = [result for result in results if result["kind"] == "marked"]
    if with_mark:
        psnrs = [result["psnr"] for result in with_mark]
        yield f"PSNR of {len(psnrs):,} marked pictures: mean {np.mean(psnrs):.1f} dB, lowest {min(psnrs):.1f} dB"
        yield "| after | payload found | share |\n|---|---|---|"
        for tries in TRIES:
            name = ", then ".join(tries)
            yield f"| {name or 'nothing'} | {share(result['found'][name] for result in with_mark)} |"
    without = [result for result in results if result["kind"] != "marked"]
    if without:
        yield "| unmarked pictures, searched at | called marked | share |\n|---|---|---|"
        for kind, words in (("quick", "likely sizes"), ("thorough", "all sizes")):
            some = [result["called"] for result in without if result["kind"] == kind]
            if some:
                yield f"| {words} | {share(some)} |"
        reads = sum(result["reads"] for result in without)
        loudest = max(result["loudest"] for result in without)
        yield (
            f"payloads read in them: {reads:,}, the loudest with {loudest:.2f} standard deviations; "
            f"{PAYLOAD_THRESHOLD} are needed, and a fixed pattern of {FIXED_THRESHOLD}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", choices=list(SOURCES), default="memory")
    parser.add_argument("--count", type=int, default=100, help="marked pictures")
    parser.add_argument("--unmarked", type=int, default=0, help="pictures without a mark")
    parser.add_argument("--thorough", action="store_true", help="search every unmarked picture at all sizes")
    parser.add_argument("--report", action="store_true", help="measure nothing, print what is there")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "runs" / "mark.jsonl")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    source = digest(given.source)
    done = {(result["kind"], result["number"]) for result in read_results(given.results, source)}
    tasks = [("marked", number) for number in range(given.count)]
    # Other pictures than the marked ones, whatever the counts are.
    for number in range(5_000, 5_000 + given.unmarked):
        tasks.append(("thorough" if given.thorough or number % SEARCHED == 0 else "quick", number))
    left = [(kind, given.source, number) for kind, number in tasks if (kind, number) not in done]
    if given.report:
        left = []
    given.results.parent.mkdir(parents=True, exist_ok=True)
    if left:
        with (
            given.results.open("a", encoding="utf-8") as stream,
            multiprocessing.get_context("spawn").Pool(given.jobs) as pool,
        ):
            for result in pool.imap_unordered(work, left, chunksize=9):
                stream.write(json.dumps({"source": source, **result}) + "\n")
                stream.flush()
    wanted = set(tasks)
    results = read_results(given.results, source)
    for line in report([result for result in results if (result["kind"], result["number"]) in wanted]):
        say(line)


if __name__ == "__main__":
    main()
