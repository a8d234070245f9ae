"""The text side of a loaded model: prompts to the states that the decoder attends to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from nonet.errors import NonetError
from nonet.model.minilm import MiniLM, mean_pool
from nonet.model.seq2seq import TextEncoder
from nonet.model.text import TextNormalizer, spell_emoji
from nonet.model.tokenizer import TextTokenizer, Tokens


class TextContext(NamedTuple):
    """Encoded prompts.

    Attributes:
        states_BSD: the text encoder's states.
        mask_BS: True at tokens, False at padding.
        cut: for each prompt, how many of its tokens did not fit and were left out.
    """

    states_BSD: Tensor
    mask_BS: Tensor
    cut: list[int]


class TextSide(Protocol):
    """What every text side can do."""

    def encode(self, prompts: Sequence[str]) -> TextContext:
        """States of prompts, padded to the longest of them."""

    def states(self, ids_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """States (B, S, D) of token ids."""

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Normalised sentence embeddings (B, D)."""


@dataclass
class BartSide:
    """The text encoder that was trained with the decoder, as Mini and Mega have it.

    Attributes:
        tokenizer: None where a folder has none; then token ids can be encoded, prompts cannot.
        normalizer: what prompts go through first; None leaves them as they are.
        length: most tokens of a prompt.
    """

    encoder: TextEncoder
    tokenizer: TextTokenizer | None
    normalizer: TextNormalizer | None
    length: int

    def tokens(self, prompts: Sequence[str]) -> Tokens:
        """Token ids of prompts.

        The empty prompt, which stands for "no text" in guidance, is not normalised, as the original does it.

        Raises:
            NonetError: `model_missing` where there is no tokenizer.
        """
        if self.tokenizer is None:
            raise NonetError(
                "model_missing",
                "The model has no tokenizer.",
                "Put tokenizer.json, or vocab.json and merges.txt, beside its weights.",
            )
        normalize = self.normalizer
        texts = [normalize(prompt) if prompt and normalize else prompt for prompt in prompts]
        return self.tokenizer.encode(texts, self.length)

    def encode(self, prompts: Sequence[str]) -> TextContext:
        ids_BS, mask_BS, cut = self.tokens(prompts)
        device = self.encoder.embed_tokens.weight.device
        mask_BS = mask_BS.to(device)
        return TextContext(self.states(ids_BS.to(device), mask_BS), mask_BS, cut)

    @torch.inference_mode()
    def states(self, ids_BS: Tensor, mask_BS: Tensor) -> Tensor:
        states: Tensor = self.encoder(ids_BS, mask_BS)
        return states

    def sentences(self, texts: Sequence[str]) -> Tensor:
        raise NonetError("config_invalid", "This model's text encoder makes no sentence embeddings.")


@dataclass
class MiniLMSide:
    """The frozen sentence encoder, as the embedded model has it."""

    encoder: MiniLM
    tokenizer: TextTokenizer
    length: int

    def encode(self, prompts: Sequence[str]) -> TextContext:
        device = self.encoder.words.weight.device
        tokens = self.tokenizer.encode([spell_emoji(prompt) for prompt in prompts], self.length)
        mask_BS = tokens.mask.to(device)
        return TextContext(self.states(tokens.ids.to(device), mask_BS), mask_BS, tokens.cut)

    @torch.inference_mode()
    def states(self, ids_BS: Tensor, mask_BS: Tensor) -> Tensor:
        states: Tensor = self.encoder(ids_BS, mask_BS)
        return states

    @torch.inference_mode()
    def sentences(self, texts: Sequence[str]) -> Tensor:
        context = self.encode(texts)
        return mean_pool(context.states_BSD, context.mask_BS)
