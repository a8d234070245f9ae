"""Prompts to token ids: the byte-level BPE of DALL-E Mini and the WordPiece of MiniLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from nonet.errors import NonetError


@dataclass(frozen=True)
class SpecialTokens:
    """The tokens that open, close and fill a row."""

    first: str
    last: str
    padding: str


BART = SpecialTokens(first="<s>", last="</s>", padding="<pad>")
BERT = SpecialTokens(first="[CLS]", last="[SEP]", padding="[PAD]")
# Where DALL-E Mini's vocabulary has its special tokens; BART's own has <mask> at its end.
_DALLE_IDS = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}


class Tokens(NamedTuple):
    """A batch of tokenised prompts.

    Attributes:
        ids: int64 (B, S) token ids, padded.
        mask: bool (B, S), True at tokens, False at padding.
        cut: for each prompt, how many of its tokens did not fit and were left out.
    """

    ids: Tensor
    mask: Tensor
    cut: list[int]


class TextTokenizer:
    """Prompts to rows of `first ... last padding*`.

    Args:
        tokenizer: the vocabulary and its merges; truncation, padding and post-processing it may carry are not
            used, so that the same rows come from every file format.
        special: which tokens open, close and fill a row.

    Raises:
        NonetError: `weights_corrupt` where the vocabulary lacks one of the special tokens.
    """

    def __init__(self, tokenizer: Tokenizer, special: SpecialTokens) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.special = special
        self.first, self.last, self.padding = (
            self._id(token) for token in (special.first, special.last, special.padding)
        )

    @classmethod
    def bart(cls, tokenizer: Tokenizer, vocab_size: int | None = None) -> TextTokenizer:
        """DALL-E Mini's tokenizer, from its `tokenizer.json`.

        Args:
            tokenizer: as read from the file.
            vocab_size: rows of the text embedding, to be checked against.

        Raises:
            NonetError: `weights_corrupt`, if it is another model's tokenizer.
        """
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        for token, wanted in _DALLE_IDS.items():
            found = tokenizer.token_to_id(token)
            if found != wanted and (found is not None or token in ("<s>", "<pad>", "</s>")):
                raise _foreign(f"{token} has the id {found}, not {wanted}")
        size = tokenizer.get_vocab_size()
        if vocab_size is not None and size > vocab_size:
            raise _foreign(f"it has {size} tokens for the {vocab_size} rows of the text embedding")
        return cls(tokenizer, BART)

    @classmethod
    def bart_from_merges(
        cls, vocab: dict[str, int], merges: Sequence[tuple[str, str]], vocab_size: int | None = None
    ) -> TextTokenizer:
        """The same from the content of `vocab.json` and `merges.txt`.

        Raises:
            NonetError: `weights_corrupt`, if they do not fit one another or are another model's.
        """
        try:
            bpe = models.BPE(vocab=vocab, merges=list(merges), unk_token="<unk>")
        except Exception as error:  # the bindings raise bare Exceptions
            raise _foreign(f"vocab.json and merges.txt do not fit one another ({error})") from error
        tokenizer = Tokenizer(bpe)
        tokenizer.decoder = decoders.ByteLevel()
        return cls.bart(tokenizer, vocab_size)

    @classmethod
    def bert(cls, tokenizer: Tokenizer, vocab_size: int | None = None) -> TextTokenizer:
        """MiniLM's tokenizer, from its `tokenizer.json`.

        Raises:
            NonetError: `weights_corrupt`, if it is another model's tokenizer.
        """
        size = tokenizer.get_vocab_size()
        if vocab_size is not None and size > vocab_size:
            raise _foreign(f"it has {size} tokens for the {vocab_size} rows of the text embedding")
        return cls(tokenizer, BERT)

    def encode(self, prompts: Sequence[str], length: int, *, pad_to: int | None = None) -> Tokens:
        """Token ids of prompts, each cut to `length` ids including the first and the last one.

        Args:
            prompts: text, normalised where the model wants it so.
            length: most ids of a row.
            pad_to: the length of every row; without it that of the longest row.
        """
        rows: list[list[int]] = []
        cut: list[int] = []
        for encoding in self._tokenizer.encode_batch(list(prompts), add_special_tokens=False):
            body = encoding.ids[: length - 2]
            cut.append(len(encoding.ids) - len(body))
            rows.append([self.first, *body, self.last])
        width = max([pad_to or 0, *map(len, rows)])
        ids_BS = torch.full((len(rows), width), self.padding, dtype=torch.int64)
        mask_BS = torch.zeros(len(rows), width, dtype=torch.bool)
        for index, row in enumerate(rows):
            ids_BS[index, : len(row)] = torch.tensor(row)
            mask_BS[index, : len(row)] = True
        return Tokens(ids_BS, mask_BS, cut)

    def to_json(self) -> str:
        """The content of a `tokenizer.json`."""
        text: str = self._tokenizer.to_str()
        return text

    def _id(self, token: str) -> int:
        found: int | None = self._tokenizer.token_to_id(token)
        if found is None:
            raise _foreign(f"it has no token {token}")
        return found


def _foreign(reason: str) -> NonetError:
    return NonetError(
        "weights_corrupt",
        f"The tokenizer does not belong to this model: {reason}.",
        "Use the tokenizer files that came with the model's weights.",
    )
