"""Measure the prompt policy: `python benchmarks/policy.py [--captions FILE]`.

Prints false refusals on harmless prompts, refused paraphrases, caught disguises and the time of a check, with and
without the semantic layer, judging what the embedded model reads beside the prompt itself.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from ordinary_prompts import ordinary_prompts

from nonet.checkpoints.places import DOODLE
from nonet.safety.model_reads import model_reader
from nonet.safety.policy import Policy
from nonet.safety.semantic import SceneGuard
from nonet.safety.sentences import SentenceEncoder

LONG = (
    "a quiet village by a river with old stone bridges and boats tied to wooden posts while children fly kites over "
    "a green hill and a baker carries warm bread past a yellow door under a sky full of small clouds at the end of a "
    "long summer"
)
PADDING = "a sunny meadow with butterflies, {}, highly detailed, warm light, trending"
ROOT = Path(__file__).resolve().parent.parent
CORPORA = ROOT / "tests" / "data" / "policy"
sys.path.insert(0, str(ROOT / "tests"))


def lines(name: str) -> list[str]:
    """The prompts of one of the corpora."""
    text = (CORPORA / f"{name}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pairs(name: str) -> list[tuple[str, str]]:
    """Category and prompt of one of the corpora."""
    return [(category, text) for category, _, text in (line.partition(" | ") for line in lines(name))]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def false_refusals(policy: Policy, sets: dict[str, list[str]], *, level: str, show: bool) -> None:
    total = count = 0
    for name, prompts in sets.items():
        refused = [(p, r) for p in prompts if (r := policy.check(p, level=level))]
        say(
            f"  harmless, {name}: {len(refused)} of {len(prompts)} refused ({len(refused) / len(prompts):.2%})"
        )
        for prompt, refusal in refused if show else ():
            say(f"    {refusal.category}: {prompt}  [{refusal.rule}]")
        total, count = total + len(refused), count + len(prompts)
    say(f"  harmless, all: {total} of {count} refused ({total / count:.2%})")


def paraphrases(policy: Policy, level: str, show: bool) -> None:
    prompts = pairs("paraphrases_held_out")
    explicit = ("tragedies", "sexual", "minors", "gore")
    every = Counter(category for category, _ in prompts)
    main = sum(every[category] for category in explicit)
    for place, pad in (("alone", "{}"), ("among other words", PADDING)):
        caught: Counter[str] = Counter()
        for category, prompt in prompts:
            refused = policy.check(pad.format(prompt), level=level) is not None
            caught[category] += refused
            if show and not refused and pad == "{}":
                say(f"    missed {category}: {prompt}")
        share = sum(caught[category] for category in explicit) / main
        said = ", ".join(f"{category} {caught[category]}/{every[category]}" for category in every)
        say(f"  paraphrases held out, {place}, tragedies and explicit: {share:.1%} of {main} refused")
        say(f"    all: {caught.total()} of {every.total()} ({caught.total() / every.total():.1%}): {said}")


def timing(policy: Policy, prompts: list[str], level: str) -> None:
    policy.warm_up(level)

    def sorted_times(asked: list[str]) -> list[float]:
        times = []
        for prompt in asked:
            start = time.thread_time()
            policy.check(prompt, level=level)
            times.append(1000 * (time.thread_time() - start))
        return sorted(times)

    times, long = sorted_times(prompts[:300]), sorted_times([LONG] * 9)
    say(
        f"  one check: median {times[len(times) // 2]:.2f} ms, 99th percentile {times[len(times) * 99 // 100]:.2f} ms; "
        f"of a prompt of {len(LONG.split())} words {long[len(long) // 2]:.2f} ms"
    )


def disguises(policy: Policy) -> None:
    from disguises import DISGUISES, PHRASES, fits, pairs_of

    singles = [((name,), phrase) for phrase in PHRASES for name in DISGUISES]
    # Every pair of disguises, over all phrases in turn.
    doubles = [
        (pair, PHRASES[(7 * row + 31 * column) % len(PHRASES)])
        for row, pair in enumerate(pairs_of())
        for column in range(10)
    ]
    for what, tries in (("single", singles), ("double", doubles)):
        missed, count = [], 0
        for names, phrase in tries:
            if all(fits(name, phrase) for name in names):
                text = phrase
                for name in names:
                    text = DISGUISES[name](text)
                count += 1
                if policy.check(text, level="strict") is None:
                    missed.append((names, phrase, text))
        say(f"  {what} disguises of {len(PHRASES)} phrases: {count - len(missed)} of {count} caught")
        for names, phrase, text in missed[:40]:
            say(f"    missed {', then '.join(names)}: {phrase!r} as {text!r}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--captions", type=Path, help="further harmless prompts, one a line")
    parser.add_argument("--show", action="store_true", help="list every wrong decision")
    parser.add_argument("--no-scenes", action="store_true", help="the lists alone")
    parser.add_argument("--only-disguises", action="store_true")
    given = parser.parse_args()
    if given.only_disguises:
        disguises(Policy())
        return
    sets = {
        "hard": lines("benign_tricky"),
        "ordinary": ordinary_prompts(2000, seed=0),
        "captions": lines("benign_captions"),
    }
    if given.captions:
        sets["further"] = [line for line in given.captions.read_text("utf-8").splitlines() if line.strip()]
    reader = model_reader("doodle")
    views = [reader] if reader else []
    policies = {"lists alone": Policy(model_views=views)}
    if not given.no_scenes:
        guard = SceneGuard(SentenceEncoder(DOODLE))
        policies["lists and scenes"] = Policy(scenes=guard, model_views=views)
    for name, policy in policies.items():
        for level in ("strict", "standard"):
            say(f"{name}, {level}:")
            false_refusals(policy, sets, level=level, show=given.show)
            paraphrases(policy, level, given.show and level == "strict")
            timing(policy, sets["ordinary"], level)
    say("disguises, lists alone, strict:")
    disguises(policies["lists alone"])


if __name__ == "__main__":
    main()
