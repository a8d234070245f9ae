"""Drawing in one call: is the prompt allowed, which model, nine pictures.

The command and `nonet.draw` go through the same steps, in the order in which a mistake is cheapest to say: a
`DrawRequest` checks the settings, `admit` asks the policy, `check_model` looks the name up; only then `run`
imports torch and loads weights.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonet.engine.events import Done, Drawn, Event, Failed, Partial, Progress, Started
from nonet.engine.request import DrawRequest, random_seed
from nonet.errors import NonetError
from nonet.sheet import compose_sheet

if TYPE_CHECKING:
    from PIL import Image

    from nonet.checkpoints import Model
    from nonet.engine import Engine
    from nonet.safety.pictures import PictureCheck
    from nonet.safety.provenance.finish import Provenance
    from nonet.terminal import Display


@dataclass(frozen=True)
class Picture:
    """One drawn picture.

    Attributes:
        image: RGB.
        seed: draws this very picture again, alone.
        score: how well the judge thinks it fits the prompt; None without a judge.
        sources: the remembered pictures it was drawn after: title, author or set, licence.
        withheld: why the picture is not shown; `image` is then a tile that says so. Empty for a picture that is.
    """

    image: Image.Image
    seed: int
    score: float | None = None
    sources: Sequence[Mapping[str, str]] = ()
    withheld: str = ""


@dataclass(frozen=True)
class Drawing:
    """The pictures of one request.

    Attributes:
        request: what was drawn, with the model's defaults in the place of None.
        model: the model's name.
        seconds: from the request to the last picture, without loading the model.
        pictures: in order; with candidates the judge's best first.
        notes: what a person should know, for example that the prompt was cut.
    """

    request: DrawRequest
    model: str
    seconds: float
    pictures: Sequence[Picture]
    notes: Sequence[str] = field(default=())

    def settings(self) -> dict[str, Any]:
        """The settings that shaped the pictures, as a picture's metadata keeps them."""
        names = ("guidance", "temperature", "top_k", "top_p", "candidates")
        return {name: value for name in names if (value := getattr(self.request, name)) is not None}


def admit(request: DrawRequest, level: str, model: str | Model = "doodle") -> None:
    """Ask the policy whether the request may be drawn.

    Args:
        request: what shall be drawn.
        level: strict, standard or off.
        model: the one that will read the prompt; its tokenizer is opened, its weights are not.

    Raises:
        NonetError: `prompt_refused`; `setting_invalid` for an unknown level.
    """
    from nonet.safety import policy
    from nonet.safety.model_reads import model_reader

    reader = model_reader(model)
    views = [] if reader is None else [reader]
    policy.require(request.prompt, negative=request.negative_prompt, level=level, views=views)


def check_model(name: str) -> None:
    """Look a model's name up without opening its files.

    Raises:
        NonetError: `model_unknown` with the nearest names, or `model_missing`.
    """
    from nonet.checkpoints import locate

    locate(name)


def run(
    model: str | Model,
    request: DrawRequest,
    *,
    display: Display | None = None,
    safety: str = "standard",
    low_memory: bool = False,
) -> Drawing:
    """Draw, showing on `display` how far it is.

    Args:
        model: a name, a folder or Hub id for `nonet.load`, or what it returned.
        request: what to draw; the policy has been asked.
        display: where to show it, already entered.
        safety: how careful the look at finished pictures is, for models that can draw photographs.
        low_memory: turn tokens into pixels one picture at a time.

    Raises:
        NonetError: `model_unknown`, `model_missing`, `weights_corrupt`, `model_failed`, `cancelled`.
    """
    from nonet.safety.pictures import check_for

    engine = engine_for(model, low_memory=low_memory)
    check, note = check_for(engine.model.name, safety)
    stream = engine.submit(request, partials=display is not None and display.shows_pictures)
    try:
        drawing = _follow(stream, request, engine.model.name, display, check)
        return replace(drawing, notes=[*drawing.notes, note]) if note else drawing
    finally:
        # After the last event this does nothing; after Ctrl-C the engine must not draw on for nobody.
        stream.cancel()


def _follow(
    events: Iterable[Event],
    request: DrawRequest,
    model: str,
    display: Display | None,
    check: PictureCheck | None,
) -> Drawing:
    from nonet.safety.pictures import tile
    from nonet.safety.provenance.metadata import to_image

    notes: Sequence[str] = ()
    pictures: dict[int, Picture] = {}
    progress: dict[int, float] = {}
    for event in events:
        match event:
            case Started():
                request, notes = event.request, event.notes
            case Progress():
                progress[event.picture] = event.tokens_done / event.tokens_total
                if display is not None:
                    display.progress(sum(progress.values()) / request.pictures)
            case Partial():
                if display is not None:
                    display.picture(event.picture, to_image(event.pixels), finished=False)
            case Drawn():
                image = to_image(event.pixels)
                found = check.look(image) if check is not None else None
                withheld = found.message if found is not None else ""
                if withheld:
                    image = tile(image.size, withheld)
                pictures[event.picture] = Picture(image, event.seed, event.score, event.sources, withheld)
                if display is not None:
                    display.picture(event.picture, image, finished=True)
            case Failed():
                raise NonetError(event.code, event.message, event.hint)
            case Done():
                ordered = [pictures[index] for index in sorted(pictures)]
                return Drawing(request, model, event.seconds, ordered, notes)
    raise NonetError("model_failed", "The engine stopped in the middle of a drawing.")


def marked(drawing: Drawing, provenance: Provenance) -> Drawing:
    """The drawing with corner text and invisible mark in its pictures, as far as they are wanted.

    The mark's fingerprint is the picture's own (model, prompt and seed), so that a picture drawn again, alone or among
    others, is the same one.
    """
    from nonet.safety.provenance.finish import in_pixels
    from nonet.safety.provenance.metadata import to_image

    def finished(picture: Picture) -> Picture:
        if picture.withheld:
            return picture
        job = f"{drawing.model}\n{drawing.request.prompt}\n{picture.seed}"
        return replace(picture, image=to_image(in_pixels(picture.image, drawing.model, job, provenance)))

    return replace(drawing, pictures=[finished(picture) for picture in drawing.pictures])


def encode(drawing: Drawing, provenance: Provenance) -> tuple[list[bytes], bytes]:
    """The pictures and their sheet as PNG files with their provenance; the sheet is made of marked pictures."""
    from nonet.safety.provenance.finish import finish
    from nonet.safety.provenance.metadata import PictureMeta, encode_png

    def described(seed: int, sources: Sequence[Mapping[str, str]] = (), **extra: Any) -> PictureMeta:
        return PictureMeta(
            prompt=drawing.request.prompt,
            negative=drawing.request.negative_prompt,
            model=drawing.model,
            seed=seed,
            settings=drawing.settings(),
            sources=sources,
            extra=extra,
        )

    pictures = marked(drawing, provenance).pictures
    # A tile in a picture's place was made by no model, and says nothing of one.
    pngs = [
        encode_png(picture.image)
        if picture.withheld
        else finish(picture.image, described(picture.seed, picture.sources), job=None, provenance=provenance)
        for picture in pictures
    ]
    sheet = compose_sheet([picture.image for picture in pictures])
    seeds = [picture.seed for picture in pictures]
    return pngs, finish(sheet, described(drawing.request.seed, seeds=seeds), job=None, provenance=provenance)


def draw(
    prompt: str,
    *,
    model: str | Model = "doodle",
    count: int = 9,
    seed: int | None = None,
    guidance: float | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    negative_prompt: str = "",
    candidates: int | None = None,
    safety: str = "standard",
    provenance: str = "full",
    label: str = "",
    low_memory: bool = False,
) -> list[Image.Image]:
    """Draw `count` pictures of `prompt`.

    The first call loads the model; it is kept for the next call with the same one.

    Args:
        prompt: what to draw; the further settings are `DrawRequest`'s, where None is the model's default and
            for the seed any.
        model: a name, a folder or Hub id for `nonet.load`, or what it returned.
        safety: how careful the policy is: strict, standard or off.
        provenance: with `metadata` the pixels carry no invisible mark; `full` and `mark` are one here, where no file
            is written that could be signed.
        label: small text in the lower right corner of each picture.
        low_memory: turn tokens into pixels one picture at a time.

    Returns:
        Pillow pictures, RGB. `info` of each holds prompt, negative_prompt, model, settings, seed (draws it again,
        alone), score, sources (the remembered pictures it was drawn after) and withheld (why it is not shown, empty
        where it is). `save` writes them into the file.

    Raises:
        NonetError: with one of the codes of `nonet.errors.CODES`.
    """
    request = DrawRequest(
        prompt=prompt,
        negative_prompt=negative_prompt,
        count=count,
        seed=random_seed() if seed is None else seed,
        guidance=guidance,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        candidates=candidates,
    )
    from nonet.safety.provenance.finish import provenance_of

    admit(request, safety, model)
    if isinstance(model, str):
        check_model(model)
    carried = provenance_of("mark" if provenance == "full" else provenance, label=label)
    drawing = marked(run(model, request, safety=safety, low_memory=low_memory), carried)
    for picture in drawing.pictures:
        picture.image.info.update(
            prompt=prompt,
            negative_prompt=negative_prompt,
            model=drawing.model,
            settings=drawing.settings(),
            seed=picture.seed,
            score=picture.score,
            sources=[dict(source) for source in picture.sources],
            withheld=picture.withheld,
        )
    return [picture.image for picture in drawing.pictures]


def save(
    picture: Image.Image, path: str | os.PathLike[str], *, provenance: str = "full", sign_prompt: bool = False
) -> None:
    """Write a picture that `draw` returned, with what it says of its origin, as PNG, JPEG or WebP.

    Args:
        picture: as `draw` returned it; the mark is in its pixels already.
        path: the format is that of its suffix.
        provenance: `full` signs the file, where nonet[provenance] is installed; `mark` and `metadata` do not.
        sign_prompt: put the prompt into the signed manifest, too.

    Raises:
        NonetError: `setting_invalid` for another suffix or a picture from elsewhere; `output_unwritable`, `disk_full`.
    """
    from nonet.files import atomic_write
    from nonet.safety.provenance.finish import finish, provenance_of
    from nonet.safety.provenance.metadata import PictureMeta, encode

    suffix = Path(path).suffix.lower().lstrip(".")
    format = {"jpg": "jpeg"}.get(suffix, suffix)
    if format not in ("png", "jpeg", "webp"):
        raise NonetError("setting_invalid", f"{path} is no name of a .png, .jpg or .webp file.")
    info = picture.info
    if "model" not in info or "seed" not in info:
        raise NonetError("setting_invalid", "Only pictures that nonet.draw returned can be saved like this.")
    if info.get("withheld"):
        data = encode(picture, format=format)
    else:
        meta = PictureMeta(
            prompt=info.get("prompt", ""),
            negative=info.get("negative_prompt", ""),
            model=info["model"],
            seed=info["seed"],
            settings=info.get("settings", {}),
            sources=info.get("sources", ()),
        )
        carried = provenance_of(provenance, prompt_in_manifest=sign_prompt)
        data = finish(picture, meta, job=None, provenance=carried, format=format)
    with atomic_write(path) as stream:
        stream.write(data)


_lock = threading.Lock()
_kept: tuple[object, bool, Engine] | None = None


def engine_for(model: str | Model, *, low_memory: bool = False) -> Engine:
    """The engine of a model, loaded where it is not the one used last.

    One is kept: two would hold the weights of two models in memory.
    """
    global _kept
    with _lock:
        if _kept is not None and _same(_kept[0], model) and _kept[1] == low_memory:
            return _kept[2]
        if _kept is not None:
            _kept[2].close()
            _kept = None
        from nonet.checkpoints import load
        from nonet.engine import Engine

        engine = Engine(load(model) if isinstance(model, str) else model, low_memory=low_memory)
        _kept = (model, low_memory, engine)
        return engine


def _same(one: object, other: object) -> bool:
    # Names are compared, models are not: comparing two would compare their tensors.
    return one is other or (isinstance(one, str) and one == other)
