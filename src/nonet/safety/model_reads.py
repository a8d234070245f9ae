"""What a model reads of a prompt: its normaliser's text and its tokens, without its weights and without torch.

The policy judges these beside the prompt itself (see `views`), so that nothing that a normaliser or a tokenizer makes
of a disguise goes past it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonet.checkpoints.places import locate
from nonet.errors import NonetError
from nonet.model.text import HashtagSplitter, TextNormalizer, spell_emoji

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_HASHTAG_WORDS = "enwiki-words-frequency.txt"
_LENGTH = 64


class ModelReader:
    """A `views.ModelViews`: the texts that reach a model's network.

    Args:
        prepare: the model's normaliser.
        tokenizer: its tokenizer.
        length: how many tokens it reads, the first and the last special one counted.
    """

    def __init__(self, prepare: Callable[[str], str], tokenizer: Tokenizer, length: int = _LENGTH) -> None:
        self._prepare, self._tokenizer, self._length = prepare, tokenizer, length

    def __call__(self, prompt: str) -> Iterable[str]:
        """The normalised text, and what its tokens say when they are put together again."""
        text = self._prepare(prompt)
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids[: self._length - 2]
        return [text, self._tokenizer.decode(ids)]


def model_reader(model: object) -> ModelReader | None:
    """The reader of a model; None where there is no tokenizer that can be read, so that loading it will fail, too.

    Args:
        model: a name, folder or Hub id as `nonet.load` takes it, or what that returned.
    """
    if not isinstance(model, str | os.PathLike):
        # A loaded model knows the folder that it came from.
        model = getattr(model, "folder", None)
        if model is None:
            return None
    try:
        path = locate(model)
        return _reader_in(path if path.is_dir() else path.parent)
    except (NonetError, OSError):
        return None


@lru_cache(maxsize=8)
def _reader_in(folder: Path) -> ModelReader | None:
    tokenizer = _tokenizer_in(folder)
    if tokenizer is None:
        return None
    config = _config_in(folder)
    sizes = config.get("seq2seq", config)
    length = sizes.get("max_text_length", _LENGTH)
    if not isinstance(length, int) or length < 3:
        length = _LENGTH
    if sizes.get("text_encoder") == "minilm":
        return ModelReader(spell_emoji, tokenizer, length)
    from tokenizers import pre_tokenizers

    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    # min-dalle's folders have no config; their prompts are normalised.
    if config and not sizes.get("normalize_text"):
        return ModelReader(str, tokenizer, length)
    words = folder / _HASHTAG_WORDS
    splitter = (lambda: _splitter(words)) if words.is_file() else None
    return ModelReader(TextNormalizer(splitter), tokenizer, length)


def _config_in(folder: Path) -> dict[str, Any]:
    try:
        values = json.loads((folder / "config.json").read_text("utf-8"))
        sizes = values.get("seq2seq", values) if isinstance(values, dict) else None
        return values if isinstance(sizes, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _tokenizer_in(folder: Path) -> Tokenizer | None:
    from tokenizers import Tokenizer, decoders, models

    try:
        if (folder / "tokenizer.json").is_file():
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            # Published sets of Mini and Mega in one folder have the same text side.
            vocab = min(folder.glob("vocab*.json"))
            merges = folder / vocab.name.replace("vocab", "merges").replace(".json", ".txt")
            tokenizer = Tokenizer(models.BPE.from_file(str(vocab), str(merges), unk_token="<unk>"))
            tokenizer.decoder = decoders.ByteLevel()
        tokenizer.no_truncation()
        tokenizer.no_padding()
    except Exception:  # the bindings raise bare Exceptions; loading the model will say what is wrong
        return None
    return tokenizer


def _splitter(words: Path) -> HashtagSplitter:
    with words.open(encoding="utf-8", errors="replace") as lines:
        return HashtagSplitter.from_lines(lines)
