"""The model card: what a model is, what it was made from and what was measured, in `README.md` beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from nonet.files import atomic_write
from nonet.training.evaluate import Measures
from nonet.training.run import load_state, read_run_config

INTRODUCTION = """\
# {name}

The embedded model of Nonet: 256x256 pictures from one line of English, on any computer, without a download.

It draws clip art, emoji-like figures, 3D-rendered things and simple scenes. It does not draw photographs, real people,
lettering, or scenes of more than about three things. Counts above two are rarely right, and so are relations that no
layout rule knows. Words that none of its pictures have are drawn after the nearest ones it knows.

It is a small DALL-E Mini (NormFormer decoder over VQGAN tokens) with two differences. Its text encoder is
all-MiniLM-L6-v2, frozen; and it has a picture memory. Every drawing remembers up to four pictures, found by the words
of the prompt, and is drawn after them; `nonet draw --sources` names them. Only pictures under permissive licences are
in the memory. A drawing may come out near to a remembered picture: how near is measured below. Pictures are what
their words say, not what is true.

What it learnt is as one-sided as its sources: Western emoji and clip art of the last twenty years, with yellow or light
figures as the default person. It is meant for play and study, not for facts, likenesses or decisions.

Its pictures and their words were filtered before training (counts below), and prompts are checked before they are
drawn. Its finished drawings are not looked at by a classifier: those that may be shipped learned from photographs and
say little about clip art. Every drawing carries an invisible mark, unless whoever draws it switches that off.
"""


def write_card(
    folder: Path,
    name: str,
    measures: Measures,
    sheets: Mapping[str, Image.Image],
    *,
    summary: Mapping[str, Any],
    runs: Path | None,
    sizes: Mapping[str, int],
) -> None:
    """Write `README.md`, `evaluation.json` and the sheets (as JPEG, for their size) into a model's folder.

    Args:
        summary: of the collection (`summary.json`).
        runs: the folder of the runs that made the model, for the compute that was used; None leaves that out.
        sizes: parameters of each network.
    """
    parts = [INTRODUCTION.format(name=name), measured_table(measures), size_table(sizes)]
    if runs is not None:
        parts.append(compute_table(runs))
    parts.append(data_section(summary))
    for key, sheet in sheets.items():
        file = f"{key}.jpg"
        with atomic_write(folder / file) as stream:
            sheet.convert("RGB").save(stream, "JPEG", quality=80)
        parts.append(f"![{key}]({file})\n")
    with atomic_write(folder / "evaluation.json") as stream:
        stream.write((json.dumps(measures.to_dict(), indent=2) + "\n").encode())
    with atomic_write(folder / "README.md") as stream:
        stream.write("\n".join(parts).encode())


def measured_table(m: Measures) -> str:
    """The numbers, each with what it means."""
    rows = [
        (
            "codec, PSNR on held-out pictures",
            f"{m.codec_psnr:.2f} dB",
            f"{m.codec_pictures} pictures on white",
        ),
        ("judge on real held-out pictures", f"{m.judge_real:.1%}", "true caption first among 100"),
        (
            "R-precision of single drawings",
            f"{m.precision_one:.1%}",
            f"{m.captions} held-out captions; {ratio(m.precision_one, m.judge_real)} of the judge's own",
        ),
    ]
    if m.precision_best is not None:
        note = f"{m.candidate_captions} captions; {ratio(m.precision_best, m.judge_real)} of the judge's own"
        rows.append((f"R-precision of the best of {m.candidates}", f"{m.precision_best:.1%}", note))
    rows.append(
        (
            "distance to the nearest remembered picture",
            f"{m.nearest:.3f}",
            "median RMS of pixels at 64x64, 0 to 1",
        )
    )
    rows.append(("the same between two remembered pictures", f"{m.apart:.3f}", "of one drawing"))
    rows.append(("near copies", f"{m.copies:.1%}", "drawings nearer than a tenth of that"))
    lines = [
        "## Measured",
        "",
        "`nonet evaluate` makes this table.",
        "",
        "| what | value | of |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *(f"| {a} | {b} | {c} |" for a, b, c in rows), ""])


def ratio(part: float, whole: float) -> str:
    """One share as a percentage of another."""
    return f"{part / whole:.0%}" if whole else "nothing"


def size_table(sizes: Mapping[str, int]) -> str:
    """Parameters of each network."""
    lines = ["## Sizes", "", "| part | parameters |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {count:,} |" for name, count in sizes.items()), ""])


def compute_table(runs: Path) -> str:
    """Steps and hours of each run, and on what."""
    lines = ["## Compute used", "", "| run | steps | hours | on |", "|---|---|---|---|"]
    for kind in ("codec", "judge", "seq2seq"):
        path = runs / kind / "state.pt"
        if path.is_file():
            state = load_state(path)
            settings = read_run_config(state)["run"]
            steps = f"{state['steps_done']:,}"
            if kind == "codec":
                steps += f" of {settings['pictures'] * settings['crops']} crops"
            elif batch := settings.get("batch"):
                steps += f" of {batch} pictures"
            if origin := state.get("started_from"):
                steps += f", from {origin}'s earlier weights"
            lines.append(
                f"| {kind} | {steps} | {state['seconds'] / 3600:.2f} | {state.get('device', 'processor')} |"
            )
    return "\n".join([*lines, ""])


def data_section(summary: Mapping[str, Any]) -> str:
    """Where the pictures came from, under which terms, and what was left out."""
    lines = ["## Data", ""]
    lines.append(
        f"{summary['sprites']:,} cut-outs and {summary['backgrounds']:,} backgrounds"
        f" ({summary['permissive_sprites'] + summary['permissive_backgrounds']:,} under permissive terms),"
        f" {summary['concepts']:,} concepts, {summary['heldout_concepts']:,} of them held out. `ATTRIBUTION.md` names"
        " sets and authors."
    )
    tables = {
        "set": grouped(summary["by_set"]),
        "licence": summary["by_licence"],
        "left out before training, by category": summary["filtered"],
    }
    for title, counts in tables.items():
        lines += ["", f"| {title} | pictures |", "|---|---|"]
        lines += [f"| {name} | {count:,} |" for name, count in counts.items()]
    return "\n".join([*lines, ""])


def grouped(counts: Mapping[str, int], smallest: int = 25) -> dict[str, int]:
    """Counts of sets, small ones together at the end."""
    large = {name: count for name, count in counts.items() if count >= smallest}
    rest = sum(counts.values()) - sum(large.values())
    return large | ({"smaller sets together": rest} if rest else {})
