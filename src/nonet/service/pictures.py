"""Pictures on their way out: other formats than the stored one, and the sheet."""

from __future__ import annotations

import io
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from nonet.errors import NonetError
from nonet.safety.provenance import c2pa
from nonet.safety.provenance.metadata import PictureMeta, encode
from nonet.service.hub import not_found
from nonet.service.records import Job, JobPicture
from nonet.service.store import Store

Format = Literal["png", "webp", "jpg"]
_NAMES = {"png": "png", "webp": "webp", "jpg": "jpeg", "jpeg": "jpeg"}
_CACHE_BYTES = 32 << 20
QUALITY = 90


class Pictures:
    """Files of drawings; thread-safe.

    Attributes:
        store: where the PNG files lie.
        certificate: what other formats are signed with; the PNG files were signed when they were made.
    """

    def __init__(self, store: Store, certificate: c2pa.Certificate | None = None) -> None:
        self._store = store
        self.certificate = certificate
        self._made: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def picture(self, job: Job, index: int, format: str, *, quality: int = QUALITY, scale: int = 1) -> bytes:
        """One picture as a file.

        Args:
            quality: 1 to 100, for jpg and webp.
            scale: how many times as large; the pixels between are interpolated (Lanczos), and the file says so.

        Raises:
            NonetError: `not_found` for a picture that is not there or hidden; `setting_invalid` for another format.
        """
        name = _name(format)
        key = visible(job, index).key
        if name == "png" and scale == 1:
            return self._store.get(key)
        return self._kept(
            (key, name, str(quality), str(scale)),
            lambda: self._encoded(self._store.get(key), name, quality, scale),
        )

    def sheet(self, job: Job, format: str) -> bytes:
        """All pictures of a drawn job in a grid.

        Raises:
            NonetError: `not_found` if it is not drawn or hidden; `setting_invalid` for another format.
        """
        name = _name(format)
        shown = [one for one in job.pictures if not one.hidden]
        if job.state != "drawn" or job.hidden or not shown:
            raise not_found()
        return self._kept(
            ("sheet", job.id, name, *(one.key for one in shown)), lambda: self._sheet(job, shown, name)
        )

    def _sheet(self, job: Job, shown: list[JobPicture], name: str) -> bytes:
        from PIL import Image

        from nonet.sheet import compose_sheet

        data = [self._store.get(one.key) for one in shown]
        meta = _meta(Image.open(io.BytesIO(data[0])))
        sheet = compose_sheet([Image.open(io.BytesIO(one)).convert("RGB") for one in data])
        described = PictureMeta(
            prompt=meta.prompt,
            negative=meta.negative,
            model=meta.model,
            seed=job.request.seed,
            settings=meta.settings,
            extra={"seeds": [one.seed for one in shown]},
        )
        return self._signed(encode(sheet, described, format=name), name, described)

    def _encoded(self, png: bytes, name: str, quality: int, scale: int) -> bytes:
        from PIL import Image

        image = Image.open(io.BytesIO(png))
        meta = _meta(image)
        pixels = image.convert("RGB")
        if scale != 1:
            size = (pixels.width * scale, pixels.height * scale)
            pixels = pixels.resize(size, Image.Resampling.LANCZOS)
            meta = replace(meta, extra={**meta.extra, "upscaled": {"times": scale, "by": "Lanczos"}})
        # The invisible mark is in the pixels already.
        return self._signed(encode(pixels, meta, format=name, quality=quality), name, meta)

    def _signed(self, data: bytes, name: str, meta: PictureMeta) -> bytes:
        if self.certificate is None:
            return data
        return c2pa.sign(data, name, meta, self.certificate)

    def _kept(self, key: tuple[str, ...], make: Callable[[], bytes]) -> bytes:
        with self._lock:
            data = self._made.get(key)
            if data is not None:
                self._made.move_to_end(key)
                return data
        data = make()
        with self._lock:
            if key not in self._made:
                self._made[key] = data
                self._bytes += len(data)
            while self._bytes > _CACHE_BYTES:
                self._bytes -= len(self._made.popitem(last=False)[1])
        return data


def visible(job: Job, index: int) -> JobPicture:
    """The picture of a job with this index.

    Raises:
        NonetError: `not_found` if it is not there or hidden.
    """
    for one in job.pictures:
        if one.index == index and not one.hidden and not job.hidden:
            return one
    raise not_found()


def _name(format: str) -> str:
    if format not in _NAMES:
        raise NonetError("setting_invalid", "Pictures are had as png, webp or jpg.")
    return _NAMES[format]


def _meta(image: Any) -> PictureMeta:
    """What a stored picture says of itself, to be said again in another format."""
    try:
        record = json.loads(image.text["nonet"])
    except (AttributeError, KeyError, ValueError):
        return PictureMeta()
    known = ("prompt", "negative", "model", "model_version", "seed", "settings", "sources", "created")
    told = {"generator", "digital_source_type", "sources_omitted"}
    extra = {name: value for name, value in record.items() if name not in told and name not in known}
    return PictureMeta(**{name: record[name] for name in known if name in record}, extra=extra)
