"""The second layer of the policy: what a prompt means, beside which words it has.

"Jetliners flying into a Manhattan high rise" has no word of the lists. A small network (one hidden layer) over the
sentence embedding of the embedded text encoder is fitted to the described scenes of `lists/scenes.txt`, each against
its harmless neighbours; `benchmarks/fit_scenes.py` fits it and `docs/safety.md` gives the error rates.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonet.errors import NonetError
from nonet.safety.lists import FOLDER, LEVELS
from nonet.safety.words import words_of

Floats = NDArray[np.float32]
# Texts to sentence embeddings (N, 384) of length 1: mean-pooled states of all-MiniLM-L6-v2.
Embed = Callable[[Sequence[str]], Any]

WEIGHTS = Path(__file__).parent / "scene_guard.safetensors"
SCENES = FOLDER / "scenes.txt"
CATEGORIES = ("harmless", "minors", "sexual", "self-harm", "hate", "gore", "tragedies")
# How much likelier than harmless, in logits, a prompt must be to be refused. Set on the calibration prompts.
THRESHOLDS = {"off": 4.0, "standard": 2.5, "strict": 0.5}
# A sentence whose embedding is stored with the weights, to notice another encoder.
PROBE = "nine cats read a newspaper on the moon"
_CLEARLY = 1.0
_MAX_TEXTS = 4
# Words that a model reads at most, those of a clause that is looked at alone, those that make a clause long, and those
# of its pieces, each of which begins in the middle of the one before.
_MAX_WORDS, _SHORTEST, _LONG, _PIECE = 64, 3, 12, 8
# A piece was torn out of its clause, and may be nonsense that is near to anything.
_TORN = 1.0
_CLAUSE_END = re.compile(r"[,;:.!?|/()\[\]]+| - | – | — ")
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


def _different(texts: Sequence[str]) -> list[str]:
    """The texts that differ in their words, the first ones of them, which are the plainest."""
    found = {" ".join(words_of(text)): text.strip() for text in reversed(texts)}
    found.pop("", None)
    return list(reversed(found.values()))[:_MAX_TEXTS]


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


class SceneGuard:
    """Judges prompts by their meaning.

    Args:
        embed: the embedded text encoder, see `Embed`.
        weights: the fitted network.

    Raises:
        NonetError: `weights_corrupt` if the network was fitted to another encoder or cannot be read.
    """

    def __init__(self, embed: Embed, weights: Path = WEIGHTS) -> None:
        from safetensors.numpy import load_file

        self._embed = embed
        # One at a time: each has hundreds of small operations, and several threads would wait for one another's.
        self._embedding = threading.Lock()
        try:
            tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(weights).items()}
            self._w1, self._b1 = tensors["hidden.weight"], tensors["hidden.bias"]
            self._w2, self._b2 = tensors["out.weight"], tensors["out.bias"]
            probe = tensors["probe"]
        except Exception as error:  # safetensors raises its own error type and OSError
            raise NonetError("weights_corrupt", f"Cannot read {weights.name}: {error}.") from error
        if float(self._embedded([PROBE])[0] @ probe) < 0.97:
            raise NonetError(
                "weights_corrupt",
                "The scene guard was fitted to another text encoder.",
                "Fit it again with benchmarks/fit_scenes.py.",
            )
        self._level_of = read_levels()

    def _embedded(self, texts: Sequence[str]) -> Floats:
        with self._embedding:
            return np.asarray(self._embed(texts), dtype=np.float32)

    def logits(self, embeddings_ND: Floats) -> Floats:
        """Scores (N, categories) of sentence embeddings (N, 384), in the order of `CATEGORIES`."""
        hidden = np.maximum(embeddings_ND @ self._w1.T + self._b1, 0)
        return np.asarray(hidden @ self._w2.T + self._b2, dtype=np.float32)

    def scores(self, texts: Sequence[str]) -> list[tuple[float, str]]:
        """For each text, how much likelier than harmless it is in logits, and its likeliest category."""
        logits = self.logits(self._embedded(texts))
        return [self._score(row, range(1, len(CATEGORIES))) for row in logits]

    def _score(self, logits: Floats, categories: Sequence[int]) -> tuple[float, str]:
        refused = logits[list(categories)]
        top = float(refused.max())
        score = top + float(np.log(np.exp(refused - top).sum())) - float(logits[0])
        return score, CATEGORIES[categories[int(refused.argmax())]]

    def nearest(self, texts: Sequence[str], level: str) -> tuple[str, str] | None:
        """Category and a word on the score if one of the texts is refused at `level`, else None."""
        counted = [
            index
            for index, category in enumerate(CATEGORIES)
            if index and LEVELS.index(self._level_of[category]) <= LEVELS.index(level)
        ]
        found = _different(texts)
        if not found or not counted:
            return None
        margins = dict(_parts(found[0])) | dict.fromkeys(found, 0.0)
        for logits, margin in zip(self.logits(self._embedded(list(margins))), margins.values(), strict=True):
            # What is nothing harmless, and clearly a scene of a category that does not count here, is none of ours.
            if logits[counted].max() < logits[1:].max() - _CLEARLY:
                continue
            score, category = self._score(logits, counted)
            if score > THRESHOLDS[level] + margin:
                return category, f"scene score {score:.1f}"
        return None


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
    from nonet.safety.sentences import SentenceEncoder

    return SceneGuard(SentenceEncoder(DOODLE)) if (DOODLE / "text.safetensors").is_file() else None
