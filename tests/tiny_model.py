"""A whole model that is small enough to draw in milliseconds, with weights of chance."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nonet.engine.request import DrawRequest
from nonet.model.config import Seq2SeqConfig
from nonet.model.judge import Judge, JudgeConfig
from nonet.model.seq2seq import ImageDecoder, Seq2Seq
from nonet.model.vqgan import VQGAN, VQGANConfig

CODES, SIDE, TEXT, SLOTS = 24, 8, 20, 2
LENGTH = SIDE * SIDE


@dataclass(frozen=True)
class TinyText:
    states_BSD: Tensor
    mask_BS: Tensor
    cut: Sequence[int]


@dataclass(frozen=True)
class TinyPlan:
    memory_PST: Tensor
    sources: Sequence[Sequence[Mapping[str, str]]]


@dataclass
class TinyModel:
    """64 tokens of 24 codes for 32x32 pixels."""

    with_memory: bool = False
    with_judge: bool = False
    name: str = "tiny"
    defaults: Mapping[str, Any] = field(
        default_factory=lambda: {"guidance": 3.0, "temperature": 0.9, "top_k": 12, "top_p": 1.0}
    )
    codebook_size: int = CODES
    start_token: int = CODES
    image_length: int = LENGTH
    decoder: ImageDecoder = field(init=False)
    codec: VQGAN = field(init=False)
    judge: Judge | None = field(init=False, default=None)
    memory: object | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        config = Seq2SeqConfig(
            d_model=64,
            encoder_layers=0,
            encoder_attention_heads=0,
            encoder_ffn_dim=0,
            decoder_layers=2,
            decoder_attention_heads=2,
            decoder_ffn_dim=96,
            encoder_vocab_size=0,
            # Three columns more than codes: they must never be drawn.
            image_vocab_size=CODES + 2,
            decoder_start_token_id=CODES,
            image_length=LENGTH,
            init_std=0.15,
            text_encoder="minilm",
            context_dim=TEXT,
            memory_slots=SLOTS if self.with_memory else 0,
            memory_copies=self.with_memory,
        )
        codec = VQGANConfig(
            ch=32,
            ch_mult=(1, 2),
            num_res_blocks=1,
            attn_resolutions=(),
            z_channels=8,
            embed_dim=4,
            n_embed=CODES,
            resolution=32,
            patch_size=2,
            mid_attention=False,
        )
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.decoder = Seq2Seq(config).reset().decoder.eval()
            # Columns beyond the codes would win every draw if they were not cut off.
            self.decoder.lm_head.weight.data[CODES:] *= 50
            self.codec = VQGAN(codec).eval()
            self.judge = Judge(JudgeConfig(32, (8, 8, 8), TEXT, 8)).eval() if self.with_judge else None
        self.memory = "remembered" if self.with_memory else None

    def encode_text(self, prompts: Sequence[str]) -> TinyText:
        """As many states as words, two more, and padding; what goes beyond 30 counts as left out."""
        rows = []
        for prompt in prompts:
            generator = torch.Generator().manual_seed(zlib.crc32(prompt.encode()))
            rows.append(torch.randn(len(prompt.split()) + 2, TEXT, generator=generator))
        longest = max(len(row) for row in rows) + 3
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        states = torch.full((len(rows), longest, TEXT), 1e6)
        for index, row in enumerate(rows):
            mask[index, : len(row)] = True
            states[index, : len(row)] = row
        return TinyText(states, mask, [max(0, len(row) - 30) for row in rows])

    def plan(self, request: DrawRequest, pictures: range) -> TinyPlan:
        """Each picture remembers tokens that depend on its own seed."""
        memories = []
        for picture in pictures:
            rng = random.Random(request.seed + picture)
            tokens = [rng.randrange(CODES + 1) for _ in range(SLOTS * LENGTH)]
            memories.append(torch.tensor(tokens).view(SLOTS, LENGTH))
        sources = [[{"title": f"after {request.seed + p}"}] for p in pictures]
        return TinyPlan(torch.stack(memories), sources)

    def score(self, pixels_BHWC: Tensor, prompt: str) -> Tensor:
        """The judge's, of a sentence made of the prompt's states."""
        assert self.judge is not None
        states = self.encode_text([prompt]).states_BSD[:, 0]
        scores: Tensor = self.judge(pixels_BHWC, states)[:, 0]
        return scores
