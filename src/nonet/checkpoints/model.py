"""A loaded model: its networks, its text side and how it likes to be drawn with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from nonet.checkpoints.clip import ClipJudge
from nonet.checkpoints.textside import TextContext, TextSide
from nonet.errors import NonetError
from nonet.model.config import Seq2SeqConfig
from nonet.model.judge import Judge
from nonet.model.memory import PictureMemory
from nonet.model.recollect import Fancy, recollect
from nonet.model.repaint import CodecFancy
from nonet.model.seq2seq import ImageDecoder, Seq2Seq
from nonet.model.vqgan import VQGAN

# What the original's notebook draws with: its top_k of None fell back to the library's default of 50.
PUBLISHED_DEFAULTS: dict[str, Any] = {"guidance": 10.0, "temperature": 1.0, "top_k": 50, "top_p": 1.0}
SENTENCES_KEPT = 1024
"""Embeddings of phrases, a kilobyte or two each."""


class Wanted(Protocol):
    """What of a request decides which pictures are remembered."""

    @property
    def prompt(self) -> str: ...

    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class MemoryPlan:
    """What pictures of a request remember.

    Attributes:
        memory_PST: int64 (pictures, slots, image length), as `ImageDecoder.memory_hint` takes it.
        sources: for each picture the remembered pictures' titles, sets and licences.
    """

    memory_PST: Tensor
    sources: list[list[dict[str, str]]]


@dataclass(kw_only=True)
class Model:
    """A model that can be drawn with; `nonet.load` makes one.

    Attributes:
        name: what it is called in answers and metadata.
        config: the seq2seq's sizes and ids.
        seq2seq: the networks from tokens to tokens.
        text: prompts to states.
        vqgan: the codec, None where the folder had none.
        judge: scores pictures against captions, where there is one: the model's own, or CLIP.
        memory: remembered pictures, where there are any.
        defaults: guidance, temperature, top_k and top_p of requests that leave them open.
        licence, origin: of the weights.
        folder: where they were read.
    """

    name: str
    config: Seq2SeqConfig
    seq2seq: Seq2Seq
    text: TextSide
    vqgan: VQGAN | None = None
    judge: Judge | ClipJudge | None = None
    memory: PictureMemory | None = None
    defaults: Mapping[str, Any] = field(default_factory=lambda: dict(PUBLISHED_DEFAULTS))
    licence: str = ""
    origin: str = ""
    folder: Path | None = None
    _known: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)
    _kept_fancy: CodecFancy | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def decoder(self) -> ImageDecoder:
        return self.seq2seq.decoder

    @property
    def codec(self) -> VQGAN:
        """Pixels to tokens and back.

        Raises:
            NonetError: `model_missing` where the model was loaded without one.
        """
        if self.vqgan is None:
            raise NonetError(
                "model_missing",
                f"The model {self.name} has no codec (VQGAN) to turn tokens into pixels.",
                'Put its files into a folder "vqgan" in the model\'s folder, or give the folder as codec.',
            )
        return self.vqgan

    @property
    def device(self) -> torch.device:
        return self.decoder.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type in which the seq2seq computes."""
        return self.decoder.lm_head.weight.dtype

    @property
    def codebook_size(self) -> int:
        """Columns of the logits from here on are never sampled."""
        return self.config.codebook_size

    @property
    def start_token(self) -> int:
        return self.config.decoder_start_token_id

    @property
    def image_length(self) -> int:
        return self.config.image_length

    def encode_text(self, prompts: Sequence[str]) -> TextContext:
        """States of prompts, normalised and tokenised as the model wants it; "" is guidance's empty prompt.

        Raises:
            NonetError: `model_missing` where the folder had no tokenizer.
        """
        return self.text.encode(prompts)

    @torch.inference_mode()
    def logits(self, input_ids: Any, attention_mask: Any, decoder_input_ids: Any) -> Tensor:
        """Logits of every next image token, without remembered pictures.

        Args:
            input_ids: (B, S) text token ids, tensor or array.
            attention_mask: (B, S), 1 at tokens, 0 at padding.
            decoder_input_ids: (B, T), the start token and the image tokens before the last.

        Returns:
            float32 (B, T, image vocabulary + 1).
        """
        ids_BS, mask_BS, tokens_BT = (
            torch.as_tensor(values).to(self.device, torch.int64)
            for values in (input_ids, attention_mask, decoder_input_ids)
        )
        states_BSD = self.text.states(ids_BS, mask_BS)
        logits_BTV: Tensor = self.decoder(tokens_BT, states_BSD.to(self.dtype), mask_BS)
        return logits_BTV.float()

    def plan(self, request: Wanted, pictures: range) -> MemoryPlan:
        """What each of these pictures of a request remembers; picture i depends on the prompt and on seed + i alone.

        Raises:
            NonetError: `config_invalid` where the model has no memory.
        """
        seeds = [request.seed + picture for picture in pictures]
        memory_PST, found = self._recollect(request.prompt, seeds, self._fancy())
        known = self.memory.sources if self.memory is not None else ()
        sources = [[dict(known[n]) for n in dict.fromkeys(numbers) if n < len(known)] for numbers in found]
        return MemoryPlan(memory_PST.to(self.device), sources)

    def _fancy(self) -> CodecFancy:
        # Threads plan at the same time: what is found is given back, whatever becomes of it meanwhile.
        fancy = self._kept_fancy
        if fancy is None or fancy.codec is not self.codec:
            fancy = self._kept_fancy = CodecFancy(self.codec)
        return fancy

    def forget(self) -> None:
        """Forget what was kept for the next requests; they are planned as the first one was."""
        self._known.clear()
        self._kept_fancy = None
        if self.memory is not None:
            self.memory.forget()

    def recall(self, prompt: str, seeds: Sequence[int]) -> list[list[int]]:
        """For each seed the numbers of the pictures that its drawing remembers.

        Raises:
            NonetError: `config_invalid` where the model has no memory.
        """
        return self._recollect(prompt, seeds, None)[1]

    def _recollect(
        self, prompt: str, seeds: Sequence[int], fancy: Fancy | None
    ) -> tuple[Tensor, list[list[int]]]:
        if self.memory is None:
            raise NonetError("config_invalid", f"The model {self.name} has no picture memory.")
        return recollect(self.memory, prompt, seeds, self._sentences, empty=self.codebook_size, fancy=fancy)

    def _sentences(self, texts: list[str]) -> Tensor:
        return torch.stack([self._sentence(text).cpu() for text in texts])

    def _sentence(self, text: str) -> Tensor:
        """The embedding of a text; the pictures of a request ask for the same few again and again."""
        known = self._known.get(text)
        if known is None:
            # One at a time: in a batch with others a text's embedding could differ in its last bits.
            known = self.text.sentences([text])[0]
            if len(self._known) >= SENTENCES_KEPT:
                self._known.clear()
            self._known[text] = known
        return known

    @torch.inference_mode()
    def score(self, pixels_BHWC: Tensor, prompt: str) -> Tensor:
        """The judge's scores (B,) of pixels in [0, 1] for a prompt, cosine similarities.

        Raises:
            NonetError: `config_invalid` where the model has no judge.
        """
        if self.judge is None:
            raise NonetError("config_invalid", f"The model {self.name} has no judge.")
        if isinstance(self.judge, ClipJudge):
            return self.judge.score(pixels_BHWC, prompt)
        weight = self.judge.head.weight
        sentence_1E = self._sentence(prompt)[None].to(weight)
        scores_B1: Tensor = self.judge(pixels_BHWC.to(weight), sentence_1E)
        return scores_B1[:, 0].float()
