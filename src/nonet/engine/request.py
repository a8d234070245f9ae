"""What somebody wants drawn. Nothing here needs torch, so a wrong setting is answered at once."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from typing import Any

from nonet.errors import NonetError

PROMPT_CHARACTERS = 2_000
COUNT_MAX = 64
CANDIDATES_MAX = 256
# What JSON numbers hold exactly in every language; a seed must survive the way through a browser.
SEED_MAX = 2**53 - 1
GUIDANCE_MAX = 1_000.0
TEMPERATURE_MAX = 100.0
TOP_K_MAX = 1_000_000


def random_seed() -> int:
    """A seed that nobody chose: any 32 bit number."""
    return secrets.randbits(32)


@dataclass(frozen=True, kw_only=True)
class DrawRequest:
    """One line of text and how to draw it, checked when it is made.

    A setting that is None has the model's default.

    Attributes:
        prompt: what to draw, 1 to 2,000 characters.
        negative_prompt: what to stay away from; takes the place of the empty prompt in guidance.
        count: pictures, 1 to 64.
        seed: picture i is drawn with seed + i, from 0 to 2**53 - 1; None chooses a random 32 bit number.
        guidance: the condition scale, 0 to 1,000. 1 follows the prompt without comparing, 0 ignores it.
        temperature: 0 to 100; 0 always takes the likeliest token.
        top_k: choose among the likeliest k tokens; 0 among all.
        top_p: choose among the likeliest tokens of this probability together, above 0 and up to 1.
        candidates: pictures to draw, up to 256, of which the judge's best `count` are kept; 0 is `count`.

    Raises:
        NonetError: `prompt_empty`, `prompt_too_long` or `setting_invalid`.
    """

    prompt: str
    negative_prompt: str = ""
    count: int = 9
    seed: int = field(default_factory=random_seed)
    guidance: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    candidates: int | None = None

    def __post_init__(self) -> None:
        _check_text("prompt", self.prompt)
        if not any(character.isprintable() and not character.isspace() for character in self.prompt):
            raise NonetError("prompt_empty", "The prompt is empty.", "Say what to draw.")
        _check_text("negative prompt", self.negative_prompt)
        _check_int("count", self.count, 1, COUNT_MAX)
        if self.seed is None:
            object.__setattr__(self, "seed", random_seed())
        _check_int("seed", self.seed, 0, SEED_MAX)
        if self.guidance is not None:
            _check_float("guidance", self.guidance, 0.0, GUIDANCE_MAX)
        if self.temperature is not None:
            _check_float("temperature", self.temperature, 0.0, TEMPERATURE_MAX)
        if self.top_k is not None:
            _check_int("top_k", self.top_k, 0, TOP_K_MAX)
        if self.top_p is not None:
            _check_float("top_p", self.top_p, 0.0, 1.0)
            if self.top_p == 0:
                raise _invalid("top_p", self.top_p, "above 0 and at most 1")
        if self.candidates is not None:
            _check_int("candidates", self.candidates, 0, CANDIDATES_MAX)
            if 0 < self.candidates < self.count:
                raise _invalid("candidates", self.candidates, f"0 or at least count, which is {self.count}")

    @property
    def pictures(self) -> int:
        """How many pictures are drawn, before the judge chooses."""
        return self.candidates or self.count


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise NonetError("setting_invalid", f"The {name} is no text but {type(value).__name__}.")
    if len(value) > PROMPT_CHARACTERS:
        raise NonetError(
            "prompt_too_long",
            f"The {name} has {len(value):,} characters, but at most {PROMPT_CHARACTERS:,} are read.",
            "Shorten it.",
        )
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        # Half of a surrogate pair: what a command line or a broken client makes of bytes that are no UTF-8.
        raise NonetError(
            "setting_invalid", f"The {name} holds characters that are no Unicode text.", "Send it as UTF-8."
        ) from None


def _check_int(name: str, value: Any, low: int, high: int) -> None:
    # A bool is an int to Python, but count=True is a mistake.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _invalid(name, value, f"a whole number from {low:,} to {high:,}")


def _check_float(name: str, value: Any, low: float, high: float) -> None:
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right or not math.isfinite(value) or not low <= value <= high:
        raise _invalid(name, value, f"a number from {low:g} to {high:g}")


def _invalid(name: str, value: Any, wanted: str) -> NonetError:
    shown = repr(value)
    if len(shown) > 40:
        shown = shown[:37] + "..."
    return NonetError("setting_invalid", f"{name} is {shown}, but must be {wanted}.")
