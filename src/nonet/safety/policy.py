"""May this prompt be drawn? The lists first, then the nearness to described scenes.

    refusal = check("two towers hit by planes", level="strict")
    if refusal is not None:
        print(refusal.message)

A refusal is an answer, not a crash: it says why, that it may be wrong, and what else helps. Prompts are never
logged here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Protocol

from nonet.errors import NonetError
from nonet.safety.confusables import fold, is_folded
from nonet.safety.lists import LEVELS, Lists, common_words, load_lists
from nonet.safety.matcher import Hit, Matcher
from nonet.safety.semantic import EmbeddedScenes
from nonet.safety.views import ModelViews, Reading, Vocabulary, readings, texts

APPEAL = "If this is a mistake, please word it differently; whoever runs this can change the list."
HELP_LINE = (
    "If you are thinking of hurting yourself, you are not alone, and talking helps: call 988 in the US and "
    "Canada, 116 123 in the UK, Ireland and much of Europe, or find a free line in your country at "
    "findahelpline.com."
)
REASONS = {
    "minors": "it would show minors in a sexual way, which is never drawn",
    "sexual": "it asks for nudity or sexual content",
    "self-harm": "it asks for a picture of suicide or self-harm",
    "hate": "it asks for hatred of people for what they are, or for its signs",
    "gore": "it asks for cruelty or bloody violence",
    "tragedies": "it asks for a picture of a real tragedy, which would hurt people or pass for evidence",
    "harassment": "it would humiliate or threaten a private person",
}


@dataclass(frozen=True)
class Refusal:
    """Why a prompt is not drawn.

    Attributes:
        category: minors, sexual, self-harm, hate, gore, tragedies, harassment, or an operator's own.
        field: `prompt` or `negative_prompt`.
        layer: `lists` or `scenes`, for counting.
        rule: the entry or scene that it met; for an operator's eyes, not for the answer.
        message: a sentence for a human.
        appeal: what to do when the refusal is wrong.
        help: a help-line text for self-harm, else empty.
    """

    category: str
    field: str
    layer: str
    rule: str
    message: str
    appeal: str
    help: str = ""

    @property
    def hint(self) -> str:
        """What stands after the message: help first, then the appeal."""
        return f"{self.help} {self.appeal}".strip()


class PromptRefusedError(NonetError):
    """`prompt_refused`; carries its `Refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__("prompt_refused", refusal.message, refusal.hint)
        self.refusal = refusal

    @property
    def category(self) -> str:
        """The category, also for counting."""
        return self.refusal.category

    def __reduce__(self) -> tuple[type[PromptRefusedError], tuple[Refusal]]:  # type: ignore[override]
        return (PromptRefusedError, (self.refusal,))


class Scenes(Protocol):
    """The semantic layer as the policy sees it; `semantic.SceneGuard` is one."""

    def nearest(self, texts: Sequence[str], level: str) -> tuple[str, str] | None:
        """Category and described scene that one of `texts` comes too near to at `level`, or None."""
        ...


class _Compiled:
    """The lists made ready for one level."""

    def __init__(self, lists: Lists, level: str) -> None:
        self._common = common_words()
        self._plain = lists.matcher(level)
        self._folded: Matcher | None = None
        self.known = Vocabulary(self._common, *self._plain.vocabulary())
        # What an operator allows is allowed at their level only; what is refused at every level is looked for apart.
        self._always = lists.matcher("off") if lists.operator_allowed and level != "off" else None
        self._always_folded: Matcher | None = None

    def hit(self, reading: Reading) -> Hit | None:
        """The rule that a reading breaks."""
        if reading.folded and self._folded is None:
            self._folded = self._plain.folded(fold)
            self._always_folded = self._always.folded(fold) if self._always else None
        matchers = (self._always_folded, self._folded) if reading.folded else (self._always, self._plain)
        counts = partial(self._counts, reading) if reading.disguised else None
        for matcher in matchers:
            hit = matcher.first(reading.words, counts) if matcher else None
            if hit is not None:
                return hit
        return None

    def _counts(self, reading: Reading, start: int, end: int) -> bool:
        """Whether words that a disguise was taken from are more than an accident."""
        written = reading.written[start:end]
        if reading.folded and not any(is_folded(word) for word in written):
            return False  # nothing was folded here, so the plain reading has judged it already
        if list(written) == list(reading.words[start:end]):
            return False  # "tit" and "kkk" read backwards are what they were
        return not all(word in self._common for word in written)


class Policy:
    """The prompt policy with its lists, an operator's file and the optional semantic layer.

    Args:
        file: an operator's list (see `lists/README.txt`); the shipped lists alone without it.
        scenes: the semantic layer.
        model_views: what the model in use makes of a prompt (its normaliser's text, its tokens' text); each
            is judged like the prompt itself.
        appeal: what a refusal says about mistakes.

    Raises:
        NonetError: `config_invalid` or `file_unreadable` for the operator's file.
    """

    def __init__(
        self,
        *,
        file: Path | None = None,
        scenes: Scenes | None = None,
        model_views: Sequence[ModelViews] = (),
        appeal: str = APPEAL,
    ) -> None:
        self.scenes = scenes
        self.model_views = tuple(model_views)
        self.appeal = appeal
        self.problem: NonetError | None = None
        self._file = file
        self._lock = threading.Lock()
        self._stamp = self._file_stamp()
        self._lists = load_lists(file)
        self._compiled: dict[str, _Compiled] = {}

    def check(
        self,
        prompt: str,
        *,
        negative: str = "",
        level: str = "standard",
        model_views: Sequence[ModelViews] = (),
    ) -> Refusal | None:
        """Say why a prompt may not be drawn, or None when it may.

        Args:
            prompt, negative: as the user wrote them.
            level: strict, standard or off.
            model_views: further views for this call.

        Raises:
            NonetError: `setting_invalid` for an unknown level.
        """
        if level not in LEVELS:
            raise NonetError(
                "setting_invalid", f"The safety level is one of {', '.join(LEVELS)}, not {level!r}."
            )
        compiled = self._at(level)
        views = (*self.model_views, *model_views)
        for field, text in (("prompt", prompt), ("negative_prompt", negative)):
            if not text:
                continue
            found = texts(text, views)
            for one in found:
                for reading in readings(one, compiled.known):
                    hit = compiled.hit(reading)
                    if hit is not None:
                        return self._refusal(hit.category, field, "lists", hit.rule)
            if self.scenes is not None and field == "prompt":
                near = self.scenes.nearest(found, level)
                if near is not None:
                    return self._refusal(near[0], field, "scenes", near[1])
        return None

    def warm_up(self, level: str) -> None:
        """Make ready what the first prompts would wait for: lists, text encoder, and the rules for disguised words."""
        self.check("an app1e", level=level)

    def require(
        self,
        prompt: str,
        *,
        negative: str = "",
        level: str = "standard",
        model_views: Sequence[ModelViews] = (),
    ) -> None:
        """Like `check`, but a refusal is raised.

        Raises:
            PromptRefusedError: with the code `prompt_refused`.
        """
        refusal = self.check(prompt, negative=negative, level=level, model_views=model_views)
        if refusal is not None:
            raise PromptRefusedError(refusal)

    def reload(self) -> bool:
        """Read the operator's file again if it changed; True when new lists are in force.

        A file that cannot be understood changes nothing: the last good lists stay, and `problem` says why.
        """
        with self._lock:
            stamp = self._file_stamp()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            try:
                lists = load_lists(self._file)
            except NonetError as error:
                self.problem = error
                return False
            self.problem = None
            self._lists, self._compiled = lists, {}
            return True

    def _at(self, level: str) -> _Compiled:
        compiled = self._compiled.get(level)
        if compiled is None:
            with self._lock:
                compiled = self._compiled[level] = _Compiled(self._lists, level)
        return compiled

    def _file_stamp(self) -> tuple[int, int, int] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _refusal(self, category: str, field: str, layer: str, rule: str) -> Refusal:
        reason = REASONS.get(category, f"it is against this site's rule on {category}")
        where = "the negative prompt: " if field == "negative_prompt" else ""
        return Refusal(
            category=category,
            field=field,
            layer=layer,
            rule=rule,
            message=f"Not drawn, because of {where}{reason}." if where else f"Not drawn, because {reason}.",
            appeal=self.appeal,
            help=HELP_LINE if category == "self-harm" else "",
        )


@cache
def default_policy() -> Policy:
    """The policy of this process: the shipped lists, the file that NONET_POLICY names, and the described scenes."""
    file = os.environ.get("NONET_POLICY", "")
    return Policy(file=Path(file) if file else None, scenes=EmbeddedScenes())


def check(
    prompt: str, *, negative: str = "", level: str = "standard", views: Sequence[ModelViews] = ()
) -> Refusal | None:
    """`Policy.check` of the process's policy."""
    return default_policy().check(prompt, negative=negative, level=level, model_views=views)


def require(
    prompt: str, *, negative: str = "", level: str = "standard", views: Sequence[ModelViews] = ()
) -> None:
    """`Policy.require` of the process's policy.

    Raises:
        PromptRefusedError: with the code `prompt_refused`.
    """
    default_policy().require(prompt, negative=negative, level=level, model_views=views)
