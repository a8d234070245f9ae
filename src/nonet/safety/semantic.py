"""The second layer of the policy: what a prompt means, beside which words it has.

"Jetliners flying into a Manhattan high rise" has no word of the lists. Small networks (one hidden layer) over the
sentence embeddings of the embedded text encoder are fitted to the described scenes of `lists/scenes.txt`, each against
its harmless neighbours; `benchmarks/fit_scenes.py` fits them and `docs/safety.md` gives the error rates.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nonet.errors import NonetError
from nonet.safety.lists import FOLDER, LEVELS
from nonet.safety.sentences import SentenceEncoder
from nonet.safety.words import words_of

Floats = NDArray[np.float32]
WEIGHTS = Path(__file__).parent / "scene_guard.safetensors"
SCENES = FOLDER / "scenes.txt"
CATEGORIES = ("harmless", "minors", "sexual", "self-harm", "hate", "gore", "tragedies")
# How much likelier than harmless, in logits, a prompt must be to be refused. Set on the calibration prompts.
THRESHOLDS = {"off": 4.0, "standard": 2.5, "strict": 0.5}
# A sentence whose embedding is stored with the weights, to notice another encoder.
PROBE = "nine cats read a newspaper on the moon"
# Texts that are less likely than this by their words alone are harmless, and read no further.
HARMLESS = -1.5
_CLEARLY = 1.0
_MAX_TEXTS = 4
# Words that a model reads at most, those of a clause that is looked at alone, those that make a clause long, and those
# of its pieces, each of which begins in the middle of the one before.
_MAX_WORDS, _SHORTEST, _LONG, _PIECE = 64, 3, 12, 8
# An apostrophe between spaces, as a tokenizer's words put together have it.
_LOOSE = re.compile(r"\s+(['’])\s+")
# A piece was torn out of its clause, and may be nonsense that is near to anything.
_TORN = 1.0
_CLAUSE_END = re.compile(r"[,;:.!?|/()\[\]]+| - | – | — ")
_TENSORS = ("hidden.weight", "hidden.bias", "out.weight", "out.bias")
_HEADER = re.compile(r"\[([\w-]+) (off|standard|strict)\]")


@dataclass(frozen=True)
class Scene:
    """One line of `scenes.txt`.

    Attributes:
        category: of the section; `harmless` for '-' lines.
        level: the level from which on the section counts.
        spellings: every sentence that the line's choices make.
    """

    category: str
    level: str
    spellings: tuple[str, ...]


def read_scenes(path: Path = SCENES) -> list[Scene]:
    """The described scenes.

    Raises:
        NonetError: `config_invalid`, with the line.
    """
    scenes: list[Scene] = []
    category = level = ""
    for number, raw in enumerate(path.read_text("utf-8").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        header = _HEADER.fullmatch(line)
        if header:
            category, level = header[1], header[2]
        elif category and line[:2] in ("+ ", "- "):
            kind = category if line[0] == "+" else "harmless"
            scenes.append(Scene(kind, level, tuple(_spellings(line[2:]))))
        else:
            raise NonetError("config_invalid", f"{path.name}, line {number}: {line!r} is not a scene.")
    return scenes


def _spellings(line: str) -> Iterator[str]:
    pieces = re.split(r"\(([^()]*)\)", line)
    choices = [piece.split("/") if index % 2 else [piece] for index, piece in enumerate(pieces)]
    for chosen in itertools.product(*choices):
        yield " ".join("".join(chosen).split())


def read_levels(path: Path = SCENES) -> dict[str, str]:
    """The level from which on each category counts; the headers alone are read."""
    headers = map(_HEADER.fullmatch, path.read_text("utf-8").splitlines())
    return {found[1]: found[2] for found in headers if found}


def _key(text: str) -> str:
    return " ".join(words_of(_LOOSE.sub(r"\1", text)))


def _to_judge(texts: Sequence[str]) -> dict[str, float]:
    """Texts that differ in their words, and parts of the first, each with what it must score more."""
    # The first ones are the plainest.
    different = {key: text.strip() for text in reversed(texts) if (key := _key(text))}
    whole = list(reversed(different.values()))[:_MAX_TEXTS]
    found = {_key(text): (text, margin) for text, margin in _parts(whole[0] if whole else "")}
    for text in whole:
        found.setdefault(_key(text), (text, 0.0))
    return dict(found.values())


def _parts(text: str) -> Iterator[tuple[str, float]]:
    """Clauses of a text, and pieces of long ones, as far as a model reads it, each with what it must score more.

    A text's embedding is a mean of its words: a scene among "cute kittens, flowers, trending" is not near it any more.
    """
    for clause in _CLAUSE_END.split(" ".join(text.split()[:_MAX_WORDS])):
        words = clause.split()
        if len(words) > _LONG:
            for start in range(0, len(words) - _PIECE // 2, _PIECE // 2):
                yield " ".join(words[start : start + _PIECE]), _TORN
        elif len(words) >= _SHORTEST:
            yield " ".join(words), 0.0


def features(encoder: SentenceEncoder, texts: Sequence[str]) -> Floats:
    """What the second network judges (N, 768): embeddings before the layers and after them, at length 1."""
    reading = encoder.begin(texts)
    return _both(reading.embeddings, encoder.finish(reading, range(len(texts))))


def _both(early_ND: Floats, late_ND: Floats) -> Floats:
    return np.concatenate([early_ND, late_ND], 1) * np.float32(0.5**0.5)


class SceneGuard:
    """Judges prompts by their meaning, in two looks.

    Nearly every text is so plainly harmless that its words alone tell. The others go through the layers of the encoder,
    and a second network judges what both say.

    Args:
        encoder: the embedded text encoder.
        weights: the fitted networks.

    Raises:
        NonetError: `weights_corrupt` if the networks were fitted to another encoder or cannot be read.
    """

    def __init__(self, encoder: SentenceEncoder, weights: Path = WEIGHTS) -> None:
        from safetensors.numpy import load_file

        self._encoder = encoder
        # One at a time: each has hundreds of small operations, and several threads would wait for one another's.
        self._reading = threading.Lock()
        try:
            tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(weights).items()}
            self._looks = tuple(
                tuple(tensors[f"{look}.{part}"] for part in _TENSORS) for look in ("first", "second")
            )
            probe = tensors["probe"]
        except Exception as error:  # safetensors raises its own error type and OSError
            raise NonetError("weights_corrupt", f"Cannot read {weights.name}: {error}.") from error
        if float(features(encoder, [PROBE])[0] @ probe) < 0.97:
            raise NonetError(
                "weights_corrupt",
                "The scene guard was fitted to another text encoder.",
                "Fit it again with benchmarks/fit_scenes.py.",
            )
        self._level_of = read_levels()

    def logits(self, texts: Sequence[str], margins: Sequence[float]) -> list[Floats | None]:
        """Scores of the categories in the order of `CATEGORIES`, or None for a text that is plainly harmless.

        Args:
            margins: in logits, how much likelier a text may be and still be harmless.
        """
        with self._reading:
            reading = self._encoder.begin(texts)
            early = reading.embeddings
            first = _perceptron(early, *self._looks[0])
            rows = [
                row
                for row, (logits, margin) in enumerate(zip(first, margins, strict=True))
                if score_of(logits)[0] > HARMLESS + margin
            ]
            late = self._encoder.finish(reading, rows) if rows else early[:0]
        second = _perceptron(_both(early[rows], late), *self._looks[1])
        found: list[Floats | None] = [None] * len(texts)
        for row, logits in zip(rows, second, strict=True):
            found[row] = logits
        return found

    def nearest(self, texts: Sequence[str], level: str) -> tuple[str, str] | None:
        """Category and a word on the score if one of the texts is refused at `level`, else None."""
        counted = [
            index
            for index, category in enumerate(CATEGORIES)
            if index and LEVELS.index(self._level_of[category]) <= LEVELS.index(level)
        ]
        judged = _to_judge(texts)
        if not judged or not counted:
            return None
        margins = list(judged.values())
        for logits, margin in zip(self.logits(list(judged), margins), margins, strict=True):
            # What is nothing harmless, and clearly a scene of a category that does not count here, is none of ours.
            if logits is None or logits[counted].max() < logits[1:].max() - _CLEARLY:
                continue
            score, category = score_of(logits, counted)
            if score > THRESHOLDS[level] + margin:
                return category, f"scene score {score:.1f}"
        return None


def score_of(logits: Floats, counted: Sequence[int] = range(1, len(CATEGORIES))) -> tuple[float, str]:
    """How much likelier than harmless a text is, and its likeliest category, of those with the given numbers."""
    refused = logits[list(counted)]
    top = float(refused.max())
    score = top + float(np.log(np.exp(refused - top).sum())) - float(logits[0])
    return score, CATEGORIES[counted[int(refused.argmax())]]


def _perceptron(x_ND: Floats, w1: Floats, b1: Floats, w2: Floats, b2: Floats) -> Floats:
    hidden = np.maximum(x_ND @ w1.T + b1, 0)
    return np.asarray(hidden @ w2.T + b2, dtype=np.float32)


class EmbeddedScenes:
    """A `policy.Scenes`: the scene guard with the embedded text encoder, read when it is first asked.

    An installation without the embedded model has no encoder, and then this layer says nothing; one whose files are
    damaged is an error.
    """

    def nearest(self, texts: Sequence[str], level: str) -> tuple[str, str] | None:
        """See `SceneGuard.nearest`.

        Raises:
            NonetError: `weights_corrupt`.
        """
        guard = embedded_guard()
        return guard.nearest(texts, level) if guard else None


@cache
def embedded_guard() -> SceneGuard | None:
    """The process's scene guard, about 50 MB; None where the embedded model is not installed.

    Raises:
        NonetError: `weights_corrupt`.
    """
    from nonet.checkpoints.places import DOODLE

    return SceneGuard(SentenceEncoder(DOODLE)) if (DOODLE / "text.safetensors").is_file() else None
