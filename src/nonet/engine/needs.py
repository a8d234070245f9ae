"""What an engine needs of a model; `nonet.load` gives one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from torch import Tensor

from nonet.engine.request import DrawRequest
from nonet.model.seq2seq import ImageDecoder
from nonet.model.vqgan import VQGAN


class Text(Protocol):
    """Encoded prompts."""

    @property
    def states_BSD(self) -> Tensor:
        """The text encoder's states."""

    @property
    def mask_BS(self) -> Tensor:
        """True (or 1) at tokens, False at padding."""

    @property
    def cut(self) -> Sequence[int]:
        """For each prompt, how many of its tokens did not fit and were left out."""


class Plan(Protocol):
    """What pictures of a request remember."""

    @property
    def memory_PST(self) -> Tensor:
        """int64 (pictures, slots, image length), tokens as `ImageDecoder.memory_hint` takes them."""

    @property
    def sources(self) -> Sequence[Sequence[Mapping[str, str]]]:
        """For each picture the remembered pictures' titles, sets and licences."""


class DrawingModel(Protocol):
    """The networks and numbers of one model."""

    @property
    def name(self) -> str: ...

    @property
    def defaults(self) -> Mapping[str, Any]:
        """`guidance`, `temperature`, `top_k` and `top_p` of requests that leave them open."""

    @property
    def decoder(self) -> ImageDecoder: ...

    @property
    def codec(self) -> VQGAN: ...

    @property
    def judge(self) -> object | None: ...

    @property
    def memory(self) -> object | None: ...

    @property
    def codebook_size(self) -> int:
        """Columns of the logits from here on are never sampled."""

    @property
    def start_token(self) -> int: ...

    @property
    def image_length(self) -> int: ...

    def encode_text(self, prompts: Sequence[str]) -> Text: ...

    def plan(self, request: DrawRequest, pictures: range) -> Plan:
        """What these of the request's pictures remember; asked only of a model with a memory, by several threads."""

    def score(self, pixels_BHWC: Tensor, prompt: str) -> Tensor:
        """The judge's scores (B,) of pixels in [0, 1]; asked only of a model with a judge."""


def settled(request: DrawRequest, defaults: Mapping[str, Any]) -> DrawRequest:
    """The request with the model's defaults in the place of None."""
    fallback = {"guidance": 1.0, "temperature": 1.0, "top_k": 0, "top_p": 1.0} | dict(defaults)
    names = ("guidance", "temperature", "top_k", "top_p")
    return replace(request, **{n: fallback[n] for n in names if getattr(request, n) is None})
