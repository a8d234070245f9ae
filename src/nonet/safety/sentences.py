"""Sentence embeddings without torch: the embedded model's text encoder, computed with numpy.

The policy is asked before torch is imported and before a model is chosen, on a web server even in a process that never
imports torch. So the encoder that `model.minilm` describes is computed here once more, from the same file, in the
hundred lines that its forward pass takes; tests hold the two against each other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonet.errors import NonetError
from nonet.model.text import spell_emoji

Floats = NDArray[np.float32]

LENGTH = 64
"""Tokens that are read of a text, as the embedded model reads its prompts."""
_EPS = 1e-12
_BATCH = 64
_PART, _BLOCK = 384, 64


@dataclass(frozen=True)
class Reading:
    """Texts of which only the words were read, before any layer.

    Attributes:
        states_TD: of all tokens, text after text.
        spans: where each text lies in them.
    """

    states_TD: Floats
    spans: Sequence[slice]

    @property
    def embeddings(self) -> Floats:
        """What the texts are about, as far as their words alone can tell (N, width), at length 1."""
        return _means(self.states_TD, self.spans)


class SentenceEncoder:
    """all-MiniLM-L6-v2: texts to embeddings of length 1.

    Args:
        folder: of a model in our layout with a frozen text encoder.

    Raises:
        NonetError: `weights_corrupt` when its files cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors import safe_open
        from tokenizers import Tokenizer

        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))["text_encoder"]
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            with safe_open(folder / "text.safetensors", framework="numpy") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self._heads, self._layers = int(config["heads"]), int(config["layers"])
            # Of thirty thousand words a prompt has a dozen: their rows stay in eight bits until they are read.
            self._words = tensors.pop("words.weight")
            self._scale = tensors.pop("words.weight.scale", None)
            self._weights = _floats(tensors)
            vocabulary = self._tokenizer.get_vocab()
            self._first, self._last = vocabulary["[CLS]"], vocabulary["[SEP]"]
            self([""])
        except Exception as error:  # the bindings raise bare Exceptions, and a wrong file all sorts
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise NonetError(
                "weights_corrupt",
                f"The text encoder in {folder} cannot be read: {reason}.",
                "Install nonet again.",
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Embeddings (N, width)."""
        found = [np.empty((0, self._words.shape[1]), np.float32)]
        for start in range(0, len(texts), _BATCH):
            reading = self.begin(texts[start : start + _BATCH])
            found.append(self.finish(reading, range(len(reading.spans))))
        return np.concatenate(found)

    def begin(self, texts: Sequence[str]) -> Reading:
        """Read the words of a few dozen texts, of which there must be one."""
        rows = self._tokenizer.encode_batch([spell_emoji(text) for text in texts], add_special_tokens=False)
        ids = [[self._first, *row.ids[: LENGTH - 2], self._last] for row in rows]
        flat = np.concatenate(ids)
        x_TD = self._words[flat].astype(np.float32)
        if self._scale is not None:
            x_TD *= self._scale[flat].astype(np.float32)[:, None]
        x_TD += np.concatenate([self._weights["positions.weight"][: len(row)] for row in ids])
        return Reading(_norm(x_TD, self._weights, "norm"), _spans([len(row) for row in ids]))

    def finish(self, reading: Reading, rows: Sequence[int]) -> Floats:
        """Embeddings (len(rows), width) of some of the texts, which go through the layers."""
        chosen = [reading.spans[row] for row in rows]
        spans = _spans([span.stop - span.start for span in chosen])
        x_TD = np.concatenate([reading.states_TD[span] for span in chosen])
        w = self._weights
        # All tokens of all texts go through a layer together; attention stays within a text.
        for layer in range(self._layers):
            name = f"layers.{layer}."
            qkv_T3D = _linear(x_TD, w, f"{name}qkv")
            mixed_TD = np.empty_like(x_TD)
            for span in spans:
                mixed_TD[span] = self._attention(qkv_T3D[span])
            x_TD = _norm(x_TD + _linear(mixed_TD, w, f"{name}out"), w, f"{name}norm_attn")
            inner = _gelu(_linear(x_TD, w, f"{name}fc_in"))
            x_TD = _norm(x_TD + _linear(inner, w, f"{name}fc_out"), w, f"{name}norm_out")
        return _means(x_TD, spans)

    def _attention(self, qkv_S3D: Floats) -> Floats:
        S, width = len(qkv_S3D), qkv_S3D.shape[1] // 3
        q, k, v = qkv_S3D.reshape(S, 3, self._heads, width // self._heads).transpose(1, 2, 0, 3)
        scores_HSS = q @ k.transpose(0, 2, 1) / np.float32((width // self._heads) ** 0.5)
        scores_HSS = np.exp(scores_HSS - scores_HSS.max(-1, keepdims=True))
        scores_HSS /= scores_HSS.sum(-1, keepdims=True)
        return np.asarray((scores_HSS @ v).transpose(1, 0, 2).reshape(S, width))


def _spans(lengths: Sequence[int]) -> list[slice]:
    ends = np.cumsum(lengths)
    return [slice(int(end) - length, int(end)) for length, end in zip(lengths, ends, strict=True)]


def _means(x_TD: Floats, spans: Sequence[slice]) -> Floats:
    means_ND = np.stack([x_TD[span].mean(0) for span in spans])
    return np.asarray(means_ND / np.linalg.norm(means_ND, axis=1, keepdims=True).clip(_EPS), np.float32)


def _floats(tensors: dict[str, Any]) -> dict[str, Floats]:
    """Weights in float32; eight-bit matrices with scales (see `checkpoints.quantise`) are multiplied out.

    The matrices of layers are turned to (in, out) and cut into blocks, see `_blocks`.
    """
    found = {}
    for name, tensor in tensors.items():
        if name.endswith(".scale"):
            continue
        turned = tensor.ndim == 2 and name.startswith("layers.")
        values = np.ascontiguousarray(tensor.T if turned else tensor, dtype=np.float32)
        if f"{name}.scale" in tensors:
            scale = tensors[f"{name}.scale"].astype(np.float32)
            values *= scale if turned else scale[:, None]
        found[name] = _blocks(values) if turned else values
    return found


def _blocks(weight_KN: Floats) -> Floats:
    """A matrix (in, out) as (parts of in, blocks of out, in of a part, out of a block).

    Of a whole matrix the BLAS first makes an ordered copy, which takes longer than to multiply it with a dozen tokens.
    Small ones it multiplies as they are.
    """
    inner, outer = weight_KN.shape
    depth = next(size for size in (_PART, inner) if inner % size == 0)
    width = next(size for size in (_BLOCK, outer) if outer % size == 0)
    blocks = weight_KN.reshape(inner // depth, depth, outer // width, width).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(blocks)


def _linear(x_TK: Floats, weights: dict[str, Floats], name: str) -> Floats:
    blocks_PBKN = weights[f"{name}.weight"]
    parts, _, depth, _ = blocks_PBKN.shape
    products_PBTN = np.matmul(x_TK.reshape(-1, parts, 1, depth).transpose(1, 2, 0, 3), blocks_PBKN)
    products_BTN = products_PBTN[0] if parts == 1 else products_PBTN.sum(0)
    return np.asarray(products_BTN.transpose(1, 0, 2).reshape(len(x_TK), -1) + weights[f"{name}.bias"])


def _norm(x: Floats, weights: dict[str, Floats], name: str) -> Floats:
    x = np.asarray(x - np.add.reduce(x, -1, keepdims=True) / np.float32(x.shape[-1]), np.float32)
    spread = np.sqrt(np.einsum("...d,...d->...", x, x) / np.float32(x.shape[-1]) + np.float32(_EPS))
    x /= spread[..., None]
    x *= weights[f"{name}.weight"]
    x += weights[f"{name}.bias"]
    return x


def _gelu(x: Floats) -> Floats:
    """x * Phi(x); numpy has no erf, so 7.1.26 of Abramowitz and Stegun, which is right to 1.5e-7."""
    size = np.abs(x)
    t = size * np.float32(0.3275911 * 0.5**0.5)
    t += 1
    np.reciprocal(t, out=t)
    tail = t * np.float32(1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail += np.float32(coefficient)
        tail *= t
    np.multiply(size, size, out=t)
    t *= np.float32(-0.5)
    tail *= np.exp(t, out=t)
    # What is left of x beyond its part above 0 lies as far below 0 on both sides.
    tail *= size
    tail *= np.float32(0.5)
    return np.asarray(np.maximum(x, 0) - tail, np.float32)
