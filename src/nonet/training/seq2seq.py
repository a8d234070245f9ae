"""Training the image decoder of a model with a picture memory.

Each step composes scenes, encodes them, and asks the decoder for their tokens given the caption's states (frozen text
encoder) and remembered pictures. A remembered picture is found by the words of the thing, as in drawing, and is
never the one in the scene, except for half of the things, where it is: that teaches placing and copying, the rest
teaches change. Captions and memories are dropped at random, for guidance (classifier-free, Ho & Salimans 2021).
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from nonet.data.composer import Composer
from nonet.data.plan import Plan
from nonet.model.config import Seq2SeqConfig
from nonet.model.layers import init_normal
from nonet.model.layout import Placed
from nonet.model.memory import PictureMemory
from nonet.model.recollect import Query, imagined, placed_thing, query_text, remember
from nonet.model.repaint import CodecFancy
from nonet.model.seq2seq import ImageDecoder, Seq2Seq
from nonet.model.vqgan import VQGAN
from nonet.training.optim import EMA, Muon, generator_state, precision, schedule, set_rate
from nonet.training.sheets import grid_sheet
from nonet.training.textside import TextSide


@dataclass(frozen=True)
class Seq2SeqSettings:
    """The `[run]` table of a decoder's config file.

    `drop_both`, `drop_memory`, `drop_text`: shares of pictures that are trained without them; `drop_slot`: chance of
    each single remembered picture to be forgotten; `own`: share of things that remember themselves; `twice`: share
    of lone things remembered by two pictures; `exact`: share of things that lie on the token grid just as
    they are remembered, so that copying is right. `muon_lr` is for the matrices inside layers, `lr` for all else.
    """

    total_steps: int = 6000
    batch: int = 16
    lr: float = 2e-3
    muon_lr: float = 3e-3
    warmup: int = 60
    weight_decay: float = 0.02
    drop_both: float = 0.1
    drop_memory: float = 0.08
    drop_text: float = 0.05
    drop_slot: float = 0.08
    own: float = 0.5
    twice: float = 0.5
    exact: float = 0.6
    ema: float = 0.998
    seed: int = 0


@dataclass
class Seq2SeqTrainee:
    """The decoder with its optimisers; see `nonet.training.run.Trainee`.

    `memory` holds every sprite and then every background of the composer's collection, in their order.
    """

    config: Seq2SeqConfig
    settings: Seq2SeqSettings
    composer: Composer
    codec: VQGAN
    memory: PictureMemory
    text: TextSide
    device: torch.device
    total_steps: int = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.settings.seed)
        self.total_steps = self.settings.total_steps
        decoder = Seq2Seq(self.config).decoder
        initialise(decoder, self.codec)
        self.decoder = decoder.to(self.device)
        self.fancy = CodecFancy(self.codec)
        self.optimizers = make_optimizers(self.decoder, self.settings)
        self.ema = EMA(self.decoder, self.settings.ema)
        self.generator = torch.Generator().manual_seed(self.settings.seed)
        self.steps_done = 0

    @property
    def empty(self) -> int:
        """The token that stands for nothing remembered."""
        return self.config.codebook_size

    def step(self) -> dict[str, float]:
        settings = self.settings
        factor = schedule(self.steps_done, self.total_steps, settings.warmup)
        for optimizer, lr in zip(self.optimizers, (settings.muon_lr, settings.lr), strict=True):
            set_rate(optimizer, lr * factor)
        tokens_BT, captions, memory_BST = self.examples(settings.batch)
        with precision(self.device):
            logits_BTV = self.logits(tokens_BT, captions, memory_BST)
        loss = F.cross_entropy(logits_BTV.float().flatten(0, 1), tokens_BT.flatten())
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.ema.update(self.decoder)
        self.steps_done += 1
        return {"loss": float(loss.detach()), "grad_norm": float(norm), "lr": factor}

    def logits(self, tokens_BT: Tensor, captions: list[str], memory_BST: Tensor) -> Tensor:
        """Logits (B, T, V) of whole pictures, teacher-forced."""
        states_BSD, mask_BS = self.text.states(captions)
        start_B1 = torch.full_like(tokens_BT[:, :1], self.config.decoder_start_token_id)
        shifted_BT = torch.cat([start_B1, tokens_BT[:, :-1]], dim=1)
        hint_BTD = self.decoder.memory_hint(memory_BST)
        return self.decoder(shifted_BT, states_BSD, mask_BS, hint_BTD, memory_BST)  # type: ignore[no-any-return]

    def examples(self, count: int, *, drop: bool = True) -> tuple[Tensor, list[str], Tensor]:
        """Tokens (B, 256), captions, and what is remembered (B, slots, 256); `drop` forgets some at random."""
        plans = self.composer.plan(count, self.generator)
        seeds = torch.randint(0, 2**62, (count,), generator=self.generator).tolist()
        with torch.no_grad(), precision(self.device):
            tokens_BT = self.codec.encode(self.composer.paint(plans).to(self.device))
        rngs = [random.Random(seed) for seed in seeds]
        memory_BST = torch.stack(
            [self.recall(plan, rng, drop) for plan, rng in zip(plans, rngs, strict=True)]
        )
        captions = [plan.caption for plan in plans]
        if drop:
            for index, rng in enumerate(rngs):
                self._forget(index, rng, captions, memory_BST)
        return tokens_BT, captions, memory_BST.to(self.device)

    def _forget(self, index: int, rng: random.Random, captions: list[str], memory_BST: Tensor) -> None:
        settings = self.settings
        draw = rng.random()
        both, memory = settings.drop_both, settings.drop_both + settings.drop_memory
        if draw < memory:
            memory_BST[index] = self.empty
        if draw < both or memory <= draw < memory + settings.drop_text:
            captions[index] = ""

    def recall(self, plan: Plan, rng: random.Random, drop: bool = True) -> Tensor:
        """What a plan's picture is reminded of: (slots, 256) tokens."""
        settings = self.settings
        placed = [part.slot for part in plan.parts]
        own = [part.sprite for part in plan.parts]
        colours = [part.colour for part in plan.parts]
        if plan.backdrop.kind == "picture":
            placed.insert(0, Placed(-1, role="background"))
            own.insert(0, len(self.composer.sprites.pixels_NHW4) + plan.backdrop.picture)
            colours.insert(0, None)
        if not placed:
            return imagined(self.memory, [], self.empty, None)
        things = [placed_thing(plan.scene, place) for place in placed]
        texts = ["" if thing is None else query_text(thing) for thing in things]
        embeddings_NE = self.text.sentences(texts).cpu()
        queries = [
            Query(embedding, colour or (thing.colour if thing else None))
            for embedding, colour, thing in zip(embeddings_NE, colours, things, strict=True)
        ]
        fixed = {i: own[i] for i in range(len(own)) if rng.random() < settings.own}
        found = remember(
            self.memory,
            placed,
            queries,
            rng,
            twice=rng.random() < settings.twice,
            fixed=fixed,
            without=frozenset(own),
            style=plan.scene.style,
        )
        if drop:
            found = [item for item in found if rng.random() >= settings.drop_slot]
        with precision(self.device):
            return imagined(self.memory, found, self.empty, self.fancy)

    def state_dict(self) -> dict[str, Any]:
        return {
            "decoder": self.decoder.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "ema": self.ema.state_dict(),
            "generator": generator_state(self.generator),
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.decoder.load_state_dict(state["decoder"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.ema.load_state_dict(state["ema"])
        self.generator.set_state(state["generator"])
        self.steps_done = int(state["steps_done"])

    @torch.no_grad()
    def sheet(self) -> Image.Image:
        """Eight pictures of a fixed generator: the true one, and what is drawn from its caption and memory."""
        kept = generator_state(self.generator)
        self.generator.manual_seed(7)
        tokens_BT, captions, memory_BST = self.examples(8, drop=False)
        self.generator.set_state(kept)
        noise = torch.Generator().manual_seed(7)
        with self.ema.swapped(self.decoder):
            drawn_BT = sample(self.decoder, *self.text.states(captions), memory_BST, noise)
        pixels = self.codec.decode(torch.cat([tokens_BT, drawn_BT])).float().cpu()
        return grid_sheet(pixels, columns=8, captions=captions + captions)

    def settings_dict(self) -> dict[str, Any]:
        return {"model": self.config.to_dict(), "run": asdict(self.settings)}


def make_optimizers(decoder: ImageDecoder, settings: Seq2SeqSettings) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside layers, AdamW for embeddings, output, norms and the hint."""
    matrices = [p for p in decoder.layers.parameters() if p.ndim == 2]
    inside = {id(p) for p in matrices}
    others = [p for p in decoder.parameters() if id(p) not in inside and p.requires_grad]
    muon = Muon(matrices, lr=settings.muon_lr, weight_decay=settings.weight_decay)
    adam = torch.optim.AdamW(others, lr=settings.lr, betas=(0.9, 0.95), weight_decay=settings.weight_decay)
    return [muon, adam]


@torch.no_grad()
def initialise(decoder: ImageDecoder, codec: VQGAN) -> None:
    """Fresh weights; token vectors start from what the codes mean.

    With a codebook on a grid, the embedding and the output row of a token start as the sum of random vectors for its
    level in every dimension, so that what is learnt of one code holds for its neighbours from the start.
    """
    init_normal(decoder, decoder.config.init_std)
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
    if decoder.hint is not None:
        for projection in [*decoder.hint.project, decoder.hint.direct]:
            weight = projection.weight
            assert isinstance(weight, Tensor)
            nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
    levels = codec.config.levels
    if not levels:
        return
    grid_VE = codec.quantize.embedding.weight.cpu()
    parts = [F.one_hot((grid_VE[:, i] + n // 2).long(), n).float() for i, n in enumerate(levels)]
    marks_VC = torch.cat(parts, dim=1)
    codes = marks_VC.shape[0]
    for weight, std in ((decoder.embed_tokens.weight, 0.5), (decoder.lm_head.weight, 0.02)):
        directions = torch.randn(marks_VC.shape[1], weight.shape[1]) * std / len(levels) ** 0.5
        weight[:codes] = marks_VC @ directions + 0.2 * std * torch.randn(codes, weight.shape[1])
    decoder.embed_tokens.weight[codes:].normal_(std=0.5)
    decoder.embed_positions.weight.normal_(std=0.3)


@torch.no_grad()
def sample(
    decoder: ImageDecoder,
    states_BSD: Tensor,
    mask_BS: Tensor,
    memory_BST: Tensor,
    generator: torch.Generator,
    top_k: int = 64,
) -> Tensor:
    """Draw tokens (B, 256) without guidance, for a look during training; drawing proper is the engine's."""
    batch, length = memory_BST.shape[0], decoder.config.image_length
    device = memory_BST.device
    cache = decoder.new_cache(batch)
    cross = decoder.cross_keys_values(states_BSD)
    hint_BTD = decoder.memory_hint(memory_BST)
    tokens_B = torch.full((batch,), decoder.config.decoder_start_token_id, device=device)
    drawn: list[Tensor] = []
    for position in range(length):
        logits = decoder.step(
            tokens_B,
            position,
            cache,
            cross,
            mask_BS.bool(),
            hint_BTD[:, position],
            memory_BST[:, :, position],
        )
        codes = decoder.config.codebook_size
        values, order = logits[:, :codes].float().topk(min(top_k, codes), dim=-1)
        chances = values.softmax(-1).cpu()
        picked = torch.multinomial(chances, 1, generator=generator).to(device)
        tokens_B = order.gather(1, picked).squeeze(1)
        drawn.append(tokens_B)
    return torch.stack(drawn, dim=1)
