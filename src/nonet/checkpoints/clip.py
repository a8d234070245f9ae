"""A judge for models that have none: published CLIP weights, from a folder or from among what was fetched."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from nonet.checkpoints.components import on_meta, read_tokenizer
from nonet.checkpoints.fill import fill
from nonet.checkpoints.flax import read_json
from nonet.checkpoints.names import same_parts
from nonet.checkpoints.places import HUB_ID, HubRepo, snapshot
from nonet.checkpoints.safetensors_folder import open_safetensors
from nonet.checkpoints.tensors import TensorFiles
from nonet.errors import NonetError
from nonet.model.clip import CLIP, CLIPConfig

WEIGHTS = "model.safetensors"
_FILES = ("config.json", WEIGHTS, "tokenizer.json")


class ClipJudge(nn.Module):
    """Scores pictures against captions with CLIP."""

    def __init__(self, network: CLIP, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.network = network
        self.tokenizer = tokenizer

    @torch.inference_mode()
    def score(self, pixels_BHWC: Tensor, prompt: str) -> Tensor:
        """Cosine similarities (B,) of pixels in [0, 1] with a prompt; of a long prompt its beginning."""
        weight = self.network.logit_scale
        ids = self.tokenizer.encode(prompt).ids
        ids_1T = torch.tensor([ids], device=weight.device)
        read_1E = self.network.read(ids_1T, torch.tensor([len(ids) - 1], device=weight.device))
        return self.network.see(pixels_BHWC.to(weight)) @ read_1E[0]


def load_clip(name_or_path: str | os.PathLike[str], device: torch.device | str = "cpu") -> ClipJudge:
    """Load CLIP, in float32: it runs once a picture.

    Args:
        name_or_path: a folder with `config.json`, `model.safetensors` and `tokenizer.json` as they are published
            (`openai/clip-vit-base-patch32` and its like), or the Hub id of one that was fetched. Nothing is fetched
            here.

    Raises:
        NonetError: `model_missing` with the way to get it; `config_invalid`, `weights_corrupt`, `file_unreadable`.
    """
    folder = _located(os.fspath(name_or_path))
    config = CLIPConfig.from_dict(read_json(folder / "config.json"))
    network = on_meta(lambda: CLIP(config))
    with open_safetensors(folder / WEIGHTS) as files:
        # Older files keep lists of position numbers, too.
        wanted = {name: files[name] for name in files if not name.endswith("position_ids")}
        with TensorFiles(wanted) as kept:
            parts = same_parts(network.state_dict())
            fill(network, parts, kept, what=str(folder), dtype=torch.float32, device=device)
    tokenizer = read_tokenizer(folder / "tokenizer.json")
    # Cut, but with the closing token, at which a caption is read.
    tokenizer.enable_truncation(config.text.max_position_embeddings)
    tokenizer.no_padding()
    if tokenizer.get_vocab_size() > config.text.vocab_size:
        raise NonetError(
            "weights_corrupt",
            f"The tokenizer in {folder} has {tokenizer.get_vocab_size()} tokens, but the weights know"
            f" {config.text.vocab_size}: it is another model's.",
            "Get the files again, all from one place.",
        )
    return ClipJudge(network, tokenizer)


def _located(name: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir() and HUB_ID.fullmatch(name):
        folder = snapshot(HubRepo(name, "", _FILES, (), 0)) or folder
    missing = [file for file in _FILES if not (folder / file).is_file()]
    if not missing:
        return folder
    files = ", ".join(missing) if folder.is_dir() else "folder"
    wanted = name if HUB_ID.fullmatch(name) else "openai/clip-vit-base-patch32"
    raise NonetError(
        "model_missing",
        f"There is no judge in {name}: {files} missing.",
        f"Get one with: hf download {wanted} {' '.join(_FILES)}; its weights have a licence of their own.",
    )
