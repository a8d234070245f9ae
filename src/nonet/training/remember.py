"""Making a picture memory from a collection: codec tokens of every picture, and the words that call it up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save
from torch import Tensor

from nonet.data.collection import BackgroundRecord, SpriteRecord
from nonet.data.render import SPRITE
from nonet.data.sprites import FILL, Sprites
from nonet.errors import NonetError
from nonet.files import atomic_write
from nonet.model.memory import COLOURS, FULL, GRID, SMALL, STYLES, PictureMemory
from nonet.model.repaint import CodecFancy
from nonet.model.vqgan import VQGAN

Embed = Callable[[list[str]], Tensor]
"""Sentences to normalised embeddings (N, E)."""

CELL = 16


@torch.inference_mode()
def picture_tokens(
    sprites: Sprites, codec: VQGAN, *, batch: int = 32, report: Callable[[int, int], None] | None = None
) -> tuple[Tensor, Tensor]:
    """Codec tokens of every sprite on white and of every background, at both remembered sizes.

    Returns:
        int16 (N + M, 256) and (N + M, 81): first all sprites, then all backgrounds.
    """
    device = next(codec.parameters()).device
    full: list[Tensor] = []
    small: list[Tensor] = []
    count, total = 0, len(sprites.pixels_NHW4) + len(sprites.backgrounds_MHW3)
    for source, is_sprite in ((sprites.pixels_NHW4, True), (sprites.backgrounds_MHW3, False)):
        for start in range(0, len(source), batch):
            pixels = source[start : start + batch].to(device).float().div_(255)
            for size, kept in ((FULL, full), (SMALL, small)):
                picture = on_white(pixels, size * CELL) if is_sprite else shrink(pixels, size * CELL)
                kept.append(codec.encode(picture).to("cpu", torch.int16))
            count += len(pixels)
            if report is not None:
                report(count, total)
    return torch.cat(full), torch.cat(small)


def cleared(tokens_NT: Tensor, blank: Tensor, empty: int) -> Tensor:
    """Square token grids (N, T) in which the blank tokens that reach the border are `empty`.

    So a cut-out remembers what it shows and not the white around it; white that it encloses stays.
    """
    side = math.isqrt(tokens_NT.shape[1])
    is_blank = torch.isin(tokens_NT, blank.to(tokens_NT)).view(-1, side, side)
    outside = torch.zeros_like(is_blank)
    outside[:, [0, -1]] = is_blank[:, [0, -1]]
    outside[:, :, [0, -1]] |= is_blank[:, :, [0, -1]]
    for _ in range(side * 2):
        grown = outside.clone()
        grown[:, 1:] |= outside[:, :-1]
        grown[:, :-1] |= outside[:, 1:]
        grown[:, :, 1:] |= outside[:, :, :-1]
        grown[:, :, :-1] |= outside[:, :, 1:]
        grown &= is_blank
        if torch.equal(grown, outside):
            break
        outside = grown
    return tokens_NT.masked_fill(outside.view_as(tokens_NT), empty)


def cut_out(full_NT: Tensor, small_NT: Tensor, sprites: int, codec: VQGAN) -> tuple[Tensor, Tensor]:
    """Tokens of a collection with the white around its first `sprites` pictures cleared."""
    blank, empty = CodecFancy(codec).white_tokens(), codec.config.n_embed
    return tuple(  # type: ignore[return-value]
        torch.cat([cleared(tokens[:sprites], blank, empty), tokens[sprites:]])
        for tokens in (full_NT, small_NT)
    )


def picture_extents(sprites: Sprites) -> Tensor:
    """Top and bottom of what is visible of every sprite and background on its canvas, 0 to 1: (N + M, 2)."""
    margin = (1 - FILL) / 2
    things_N2 = margin + FILL * sprites.stats.extent_N4[:, [1, 3]]
    places_M2 = torch.tensor([[0.0, 1.0]]).expand(len(sprites.backgrounds_MHW3), 2)
    return torch.cat([things_N2, places_M2])


def on_white(rgba_BHW4: Tensor, side: int) -> Tensor:
    """Sprites on a white square of `side` pixels, with the composer's margin: (B, side, side, 3)."""
    inner = side * SPRITE // (GRID * CELL)
    alpha = rgba_BHW4[..., 3:]
    premultiplied = torch.cat([rgba_BHW4[..., :3] * alpha, alpha], -1)
    shrunk = shrink(premultiplied, inner)
    colour, alpha = shrunk[..., :3], shrunk[..., 3:]
    canvas = torch.ones(len(rgba_BHW4), side, side, 3, device=rgba_BHW4.device)
    start = (side - inner) // 2
    canvas[:, start : start + inner, start : start + inner] = colour + 1 - alpha
    return canvas


def shrink(pixels_BHWC: Tensor, side: int) -> Tensor:
    """Square pictures at another size, antialiased."""
    if pixels_BHWC.shape[1] == side:
        return pixels_BHWC
    image = pixels_BHWC.permute(0, 3, 1, 2)
    resized = F.interpolate(image, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return resized.permute(0, 2, 3, 1)


def wordings(record: SpriteRecord | BackgroundRecord, names: Container[str] = ()) -> list[str]:
    """What a picture may be called: its caption, its concept, and its synonyms.

    A synonym that is some picture's own name (in `names`) is left to those pictures: "dog" does not call up a hot dog.
    """
    own = [record.caption.strip().lower(), record.concept.strip().lower()]
    others = [word.strip().lower() for word in record.synonyms]
    return [w for w in dict.fromkeys([*own, *(o for o in others if o not in names)]) if w]


def memory_tensors(
    records: Sequence[SpriteRecord | BackgroundRecord],
    full_NT: Tensor,
    small_NT: Tensor,
    embed: Embed,
    keep: Sequence[int],
    extents_N2: Tensor | None = None,
) -> dict[str, Tensor]:
    """The tensors of a `PictureMemory` over the pictures `keep`; everything is indexed by place in `keep`.

    `extents_N2`: from `picture_extents`, for all records.
    """
    called: dict[str, list[int]] = {}
    names = {name.lower() for index in keep for name in (records[index].caption, records[index].concept)}
    for place, picture in enumerate(keep):
        for words in wordings(records[picture], names):
            called.setdefault(words, []).append(place)
    texts = sorted(called)
    offsets = torch.zeros(len(texts) + 1, dtype=torch.int64)
    offsets[1:] = torch.tensor([len(called[t]) for t in texts]).cumsum(0)
    members = torch.tensor([place for t in texts for place in called[t]], dtype=torch.int64)
    keys = torch.cat([embed(texts[i : i + 64]).cpu() for i in range(0, len(texts), 64)])
    shares = [[round(255 * records[p].colours.get(name, 0.0)) for name in COLOURS] for p in keep]
    chosen = torch.tensor(list(keep))
    return {
        "keys": keys.mul(127).round().to(torch.int8),
        "offsets": offsets.to(torch.int32),
        "members": members.to(torch.int32),
        "full": full_NT[chosen],
        "small": small_NT[chosen],
        "colours": torch.tensor(shares, dtype=torch.uint8),
        "styles": torch.tensor([_style_number(records[p].style) for p in keep], dtype=torch.uint8),
        "extents": (torch.tensor([[0.0, 1.0]] * len(records)) if extents_N2 is None else extents_N2)[chosen]
        .mul(255)
        .round()
        .to(torch.uint8),
        "scenery": torch.tensor([isinstance(records[p], BackgroundRecord) for p in keep]).to(torch.uint8),
        "weights": torch.tensor([round(255 * min(1.0, records[p].weight)) for p in keep], dtype=torch.uint8),
    }


def _style_number(style: str) -> int:
    return STYLES.index(style) if style in STYLES else len(STYLES)


def memory_of(tensors: dict[str, Tensor], sources: Sequence[dict[str, str]] = ()) -> PictureMemory:
    """A `PictureMemory` of `memory_tensors`."""
    return PictureMemory(
        tensors["keys"],
        tensors["offsets"],
        tensors["members"],
        tensors["full"],
        tensors["small"],
        tensors["colours"],
        sources,
        tensors["weights"],
        tensors["styles"],
        tensors["scenery"],
        tensors["extents"],
    )


def source_line(record: SpriteRecord | BackgroundRecord) -> dict[str, str]:
    """What a drawing says of a picture that it remembered."""
    return {
        "title": record.title or record.caption,
        "set": record.set,
        "author": record.author,
        "licence": record.licence,
    }


def save_tokens(path: Path, full_NT: Tensor, small_NT: Tensor, made_with: str) -> None:
    """Keep tokens on disk with the name of the codec that made them."""
    with atomic_write(path) as stream:
        stream.write(save({"full": full_NT, "small": small_NT}, {"made_with": made_with}))


def load_tokens(path: Path, made_with: str) -> tuple[Tensor, Tensor] | None:
    """The kept tokens, or None where there are none of this codec."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header: dict[str, Any] = json.loads(stream.read(length))
        if header.get("__metadata__", {}).get("made_with") != made_with:
            return None
        tensors = load_file(path)
    except (OSError, ValueError) as error:
        raise NonetError(
            "data_corrupt", f"The tokens in {path} cannot be read.", "Delete the file."
        ) from error
    return tensors["full"], tensors["small"]
