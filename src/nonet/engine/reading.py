"""The texts of requests, as the decoder attends to them."""

from __future__ import annotations

from collections import OrderedDict

from nonet.engine.job import Job
from nonet.engine.needs import DrawingModel
from nonet.model.stepping import CrossKV

NEGATIVES_KEPT = 16

Read = tuple[CrossKV, list[str]]


class Reader:
    """Reads prompts, and remembers negative ones, of which the empty one comes with nearly every request."""

    def __init__(self, model: DrawingModel) -> None:
        self._model = model
        self._negatives: OrderedDict[str, Read] = OrderedDict()

    def read(self, job: Job) -> list[str]:
        """Prepare a request's text; returns what is to be said about it."""
        context, notes = self._context("prompt", job.request.prompt)
        if job.guided:
            job.unconditional, more = self._negative(job.request.negative_prompt)
            notes = [*notes, *more]
        job.conditional = context
        return notes

    def _context(self, name: str, prompt: str) -> Read:
        """Keys and values of a prompt, and what is to be said about reading it."""
        # Each prompt by itself, without its padding: then nothing of it depends on what else is drawn.
        text = self._model.encode_text([prompt])
        decoder = self._model.decoder
        states_BSD = text.states_BSD[:, text.mask_BS[0].bool()].to(decoder.lm_head.weight)
        cut = text.cut[0]
        notes = [f"The {name} is too long: its last {cut} tokens were not read."] if cut else []
        return decoder.cross_keys_values(states_BSD), notes

    def _negative(self, prompt: str) -> Read:
        if prompt not in self._negatives:
            self._negatives[prompt] = self._context("negative prompt", prompt)
            if len(self._negatives) > NEGATIVES_KEPT:
                self._negatives.popitem(last=False)
        self._negatives.move_to_end(prompt)
        return self._negatives[prompt]
