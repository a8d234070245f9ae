"""A model of the embedded kind with weights of chance: frozen text encoder, picture memory, judge, own codec."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from nonet.checkpoints import Model
from nonet.checkpoints.textside import MiniLMSide
from nonet.model.config import Seq2SeqConfig
from nonet.model.judge import Judge, JudgeConfig
from nonet.model.memory import COLOURS, SLOTS, PictureMemory
from nonet.model.minilm import MiniLM, MiniLMConfig
from nonet.model.seq2seq import Seq2Seq
from nonet.model.tokenizer import TextTokenizer
from nonet.model.vqgan import VQGAN, VQGANConfig

WORDS = ["cat", "dog", "moon", "red", "blue", "apple", "table", "a", "on", "the", "pizza", "hat"]
CODES = 15
PICTURES = 12


def tiny_doodle() -> Model:
    """256 tokens of 15 codes for 256x256 pixels, 12 remembered pictures."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        text = _text()
        config = Seq2SeqConfig(
            d_model=32,
            encoder_layers=0,
            encoder_attention_heads=0,
            encoder_ffn_dim=0,
            decoder_layers=2,
            decoder_attention_heads=2,
            decoder_ffn_dim=40,
            encoder_vocab_size=0,
            image_vocab_size=CODES,
            decoder_start_token_id=CODES,
            max_text_length=12,
            init_std=0.2,
            text_encoder="minilm",
            context_dim=32,
            memory_slots=SLOTS,
            memory_copies=True,
        )
        codec = VQGANConfig(
            ch=8,
            ch_mult=(1, 1, 1),
            num_res_blocks=1,
            attn_resolutions=(),
            z_channels=8,
            embed_dim=2,
            n_embed=CODES,
            levels=(5, 3),
            patch_size=4,
            norm="position",
            mid_attention=False,
        )
        offsets = torch.arange(len(WORDS) + 1)
        sources = [{"title": f"picture {n}", "set": "Chance", "licence": "CC0-1.0"} for n in range(PICTURES)]
        keys = text.sentences(WORDS).mul(127).round().to(torch.int8)
        return Model(
            name="tiny-doodle",
            config=config,
            seq2seq=Seq2Seq(config).reset().eval().requires_grad_(False),
            text=text,
            vqgan=VQGAN(codec).eval().requires_grad_(False),
            judge=Judge(JudgeConfig(32, (8, 8, 8), 32, 8)).eval().requires_grad_(False),
            memory=PictureMemory(
                keys,
                offsets,
                torch.arange(len(WORDS)) % PICTURES,
                torch.randint(0, CODES, (PICTURES, 256)),
                torch.randint(0, CODES, (PICTURES, 81)),
                torch.randint(0, 256, (PICTURES, len(COLOURS)), dtype=torch.uint8),
                sources,
            ),
            defaults={"guidance": 3.0, "temperature": 0.9, "top_k": 8, "top_p": 1.0},
            licence="CC0-1.0",
            origin="chance",
        )


def _text() -> MiniLMSide:
    pieces = {token: index for index, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocab=pieces, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    config = MiniLMConfig(vocab_size=len(pieces), width=32, layers=1, heads=2, hidden=48, positions=16)
    return MiniLMSide(MiniLM(config), TextTokenizer.bert(tokenizer, config.vocab_size), 12)
