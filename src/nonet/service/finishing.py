"""The last steps of a picture before it is stored: a visible line if wanted, mark, metadata, signature."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonet.engine.events import Drawn
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.safety.provenance import c2pa

if TYPE_CHECKING:
    from nonet.service.settings import Settings

LINE = "AI-generated"
_SETTINGS = ("guidance", "temperature", "top_k", "top_p", "candidates")


def finishing_of(settings: Settings) -> dict[str, Any]:
    """What `Finisher` needs of the settings, as it goes to the engine's process."""
    return {
        "model": settings.model,
        "safety": settings.safety,
        "mark": settings.invisible_mark,
        "line": settings.visible_mark,
        "prompt": settings.prompt_in_files,
        "sign": settings.sign,
        "certificate": str(settings.certificate or ""),
        "certificate_key": str(settings.certificate_key or ""),
        "folder": str(settings.data),
    }


def certificate_of(values: dict[str, Any]) -> c2pa.Certificate | None:
    """What to sign with: the certificate that settings name, else a local one; None for no signature.

    Raises:
        NonetError: `config_invalid` if signing is a must and the packages for it are missing; `file_unreadable`.
    """
    if values.get("sign", "never") == "never":
        return None
    if not c2pa.available():
        if values["sign"] == "always":
            raise NonetError(
                "config_invalid", "sign is always, but nonet[provenance] is not installed.", "Install it."
            )
        return None
    if values["certificate"] and values["certificate_key"]:
        return c2pa.read_certificate(Path(values["certificate"]), Path(values["certificate_key"]))
    return c2pa.local_certificate(Path(values["folder"]))


class Finisher:
    """Makes picture files of drawn pixels; thread-safe.

    Two at a time, however many drawings end together: the engine needs the cores too.

    Attributes:
        note: what a person should know of what is not done.

    Args:
        values: what `finishing_of` gave.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        from nonet.safety.pictures import check_for
        from nonet.safety.provenance.finish import Provenance

        self._values = values
        # Drawings of the embedded model are not looked at; nor is anything without the extra that can.
        self._check, self.note = check_for(str(values.get("model", "")), str(values.get("safety", "off")))
        self._provenance = Provenance(
            mark=bool(values.get("mark", True)),
            certificate=certificate_of(values),
            prompt_in_manifest=False,
            label=LINE if values.get("line") else "",
        )
        self._threads = ThreadPoolExecutor(2, "nonet-finish")

    @property
    def looks(self) -> bool:
        """Whether finished pictures are looked at, so that unfinished ones must not be shown."""
        return self._check is not None

    def warm_up(self) -> None:
        """Do once what the first picture would otherwise wait for."""
        import numpy as np

        pixels = np.zeros((256, 256, 3), np.uint8)
        self.png(Drawn(0, pixels, 0), DrawRequest(prompt="warm up"), "warm up")

    def png(self, drawn: Drawn, request: DrawRequest, job: str) -> bytes:
        """The PNG file of a picture."""
        return self._threads.submit(self._png, drawn, request, job).result()

    def _png(self, drawn: Drawn, request: DrawRequest, job: str) -> bytes:
        from nonet.safety.pictures import tile
        from nonet.safety.provenance.finish import finish
        from nonet.safety.provenance.metadata import PictureMeta, encode_png

        found = self._check.look(drawn.pixels) if self._check is not None else None
        if found is not None:
            return encode_png(tile((drawn.pixels.shape[1], drawn.pixels.shape[0]), found.message))
        shown = bool(self._values.get("prompt", True))
        meta = PictureMeta(
            prompt=request.prompt if shown else "",
            negative=request.negative_prompt if shown else "",
            model=str(self._values.get("model", "")),
            seed=drawn.seed,
            settings={name: value for name in _SETTINGS if (value := getattr(request, name)) is not None},
            sources=drawn.sources,
        )
        return finish(drawn.pixels, meta, job=job, provenance=self._provenance)
