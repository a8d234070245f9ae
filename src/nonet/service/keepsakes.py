"""What of a drawing people take along: the sheet, the card, the small picture, all pictures in one file."""

from __future__ import annotations

import io
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable

from PIL import Image

from nonet.safety.provenance import c2pa
from nonet.safety.provenance.metadata import PictureMeta, encode
from nonet.service import sharecard
from nonet.service.records import Job
from nonet.service.services import Services

_KEPT_BYTES = 8_000_000
_kept: OrderedDict[tuple[str, str, tuple[bool, ...]], bytes] = OrderedDict()
_lock = threading.Lock()


def pictures_of(services: Services, job: Job) -> list[Image.Image | None]:
    """The pictures of a drawn job in order; None for one that was hidden."""
    found: list[Image.Image | None] = []
    for picture in sorted(job.pictures, key=lambda one: one.index):
        if picture.hidden:
            found.append(None)
            continue
        with Image.open(io.BytesIO(services.picture_bytes(job, picture.index, "png"))) as image:
            found.append(image.convert("RGB"))
    return found


def sheet(services: Services, job: Job, format: str) -> bytes:
    """The sheet with its prompt as a PNG, JPEG or WebP file that says what it is."""
    return _made(
        job,
        f"sheet.{format}",
        lambda: _file(services, job, sharecard.sheet(pictures_of(services, job), job.request.prompt), format),
    )


def card(services: Services, job: Job) -> bytes:
    """The card for previews of links, a JPEG file."""
    return _made(
        job,
        "card",
        lambda: _file(services, job, sharecard.card(pictures_of(services, job), job.request.prompt), "jpg"),
    )


def small(services: Services, job: Job) -> bytes:
    """The small picture for lists, a WebP file."""
    return _made(
        job, "small", lambda: _file(services, job, sharecard.small(pictures_of(services, job)), "webp")
    )


def archive(services: Services, job: Job, name: str) -> bytes:
    """A zip file with the pictures, from 1, and the sheet, in a folder called `name`."""
    stream = io.BytesIO()
    # Pictures do not get smaller by packing them.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for picture in job.pictures:
            if not picture.hidden:
                data = services.picture_bytes(job, picture.index, "png")
                archive.writestr(f"{name}/{picture.index + 1}.png", data)
        archive.writestr(f"{name}/sheet.png", sheet(services, job, "png"))
    return stream.getvalue()


def _file(services: Services, job: Job, image: Image.Image, format: str) -> bytes:
    shown = services.settings.prompt_in_files
    meta = PictureMeta(
        prompt=job.request.prompt if shown else "",
        negative=job.request.negative_prompt if shown else "",
        model=job.model,
        seed=job.request.seed,
    )
    name = "jpeg" if format == "jpg" else format
    data = encode(image, meta, format=name, quality=86)
    return data if services.certificate is None else c2pa.sign(data, name, meta, services.certificate)


def _made(job: Job, kind: str, make: Callable[[], bytes]) -> bytes:
    """What `make` makes, kept for who asks next: the gallery asks for the same ones again and again."""
    key = (job.id, kind, tuple(picture.hidden for picture in job.pictures))
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    data = make()
    with _lock:
        _kept[key] = data
        while sum(map(len, _kept.values())) > _KEPT_BYTES:
            _kept.popitem(last=False)
    return data
