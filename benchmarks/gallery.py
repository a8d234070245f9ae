"""Draw the gallery of the documentation: fixed prompts, seed 0, as the shipped weights draw them.

python benchmarks/gallery.py [--model doodle] [--out docs]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nonet
from nonet.files import atomic_write
from nonet.training.evaluate import fixed_sheet

PROMPTS = (
    "a red apple",
    "a dog",
    "a cat",
    "a pizza",
    "a house",
    "a blue car",
    "a tree",
    "the moon",
    "a robot",
    "a fish",
    "a guitar",
    "a golden crown",
    "a rocket",
    "a flower",
    "a castle",
    "a bicycle",
    "a penguin",
    "a hat",
    "an avocado armchair",
    "a cat on the moon",
    "a penguin with a guitar",
    "a pizza in space",
    "a hamster Godzilla in a sombrero",
    "a red apple on a table",
)
SIDE = 390


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="doodle")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    lines = [
        "# Gallery",
        "",
        "Twenty-four fixed prompts with seed 0, as the shipped weights draw them, the first nine pictures each: good",
        "and bad ones. `python benchmarks/gallery.py` draws this page.",
        "",
    ]
    model = nonet.load(arguments.model)
    for number, (prompt, sheet) in enumerate(fixed_sheet(model, PROMPTS).items(), 1):
        name = f"gallery/{number:02d}.jpg"
        with atomic_write(arguments.out / name) as stream:
            sheet.convert("RGB").resize((SIDE, SIDE)).save(stream, "JPEG", quality=82)
        lines += [f"## {prompt}", "", f"![nine drawings of {prompt}]({name})", ""]
    with atomic_write(arguments.out / "gallery.md") as stream:
        stream.write("\n".join(lines).encode())


if __name__ == "__main__":
    main()
