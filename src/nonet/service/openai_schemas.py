"""What OpenAI's Images API takes and answers, as far as a model that draws 256x256 pictures can honour it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service.intake import draw_request
from nonet.service.pictures import QUALITY
from nonet.service.routes.pictures import Format
from nonet.service.shapes import SettingError

SIZE: Literal["256x256"] = "256x256"
OutputFormat = Literal["png", "jpeg", "webp"]
_FILES: dict[OutputFormat, Format] = {"png": "png", "jpeg": "jpg", "webp": "webp"}


class ImagesAsked(BaseModel):
    """A request for pictures; `negative_prompt` and `seed` are Nonet's own, unknown fields are ignored."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {"prompt": "a cat on the moon", "n": 2, "response_format": "b64_json"},
                {"prompt": "a blue car", "stream": True, "partial_images": 2, "output_format": "webp"},
            ]
        },
    )

    prompt: str = Field(description="What to draw.", json_schema_extra={"minLength": 1, "maxLength": 2000})
    model: str | None = Field(None, description="This site's model, see /v1/models; may be left out.")
    n: StrictInt | None = Field(None, ge=1, le=10, description="Pictures; 1 if left out.")
    size: str | None = Field(
        None, description="256x256 or auto.", json_schema_extra={"enum": [SIZE, "auto", None]}
    )
    response_format: Literal["url", "b64_json"] | None = Field(None, description="Both if left out.")
    output_format: OutputFormat | None = Field(None, description="png if left out.")
    output_compression: StrictInt | None = Field(
        None, ge=0, le=100, description="Quality of jpeg and webp; 90 if left out."
    )
    stream: bool | None = Field(None, description="Answer with server-sent events.")
    partial_images: StrictInt | None = Field(None, ge=0, le=3, description="Of each picture, in a stream.")
    background: Literal["auto", "opaque", "transparent"] | None = Field(
        None, description="Pictures are opaque; transparent is refused."
    )
    quality: str | None = Field(None, description="No effect: there is one.")
    style: str | None = Field(None, description="No effect.")
    moderation: str | None = Field(None, description="No effect: the site's policy holds.")
    user: str | None = Field(None, description="No effect; never kept.")
    safety_identifier: str | None = Field(None, description="No effect; never kept.")
    negative_prompt: str | None = Field(None, description="What to stay away from.")
    seed: StrictInt | None = Field(None, description="The same seed draws the same pictures.")

    @property
    def format(self) -> OutputFormat:
        """The files' format."""
        return self.output_format or "png"

    @property
    def file(self) -> Format:
        """The files' ending."""
        return _FILES[self.format]

    @property
    def file_quality(self) -> int:
        """The quality to encode with; Pillow knows no 0."""
        return QUALITY if self.output_compression is None else max(1, self.output_compression)

    def request(self, model: str, pictures_max: int) -> DrawRequest:
        """The request, checked.

        Args:
            model: the one that this site draws with.
            pictures_max: how many pictures the site allows.

        Raises:
            NonetError: `model_unknown`, `setting_invalid` and `DrawRequest`'s own.
        """
        if self.model not in (None, model):
            raise NonetError(
                "model_unknown", f"There is no model {_cut(self.model or '')!r} here.", f"Ask for {model!r}."
            )
        if self.size not in (None, "auto", SIZE):
            raise SettingError("size", f"Pictures are drawn in {SIZE}, not in {_cut(self.size or '')!r}.")
        if self.background == "transparent":
            raise SettingError("background", "Pictures are drawn opaque.")
        if self.format == "png" and self.output_compression not in (None, 100):
            raise SettingError("output_compression", "A png has no quality.", "Ask for jpeg or webp.")
        if self.partial_images and not self.stream:
            raise SettingError("partial_images", "Partial images come in a stream alone.", "Set stream.")
        count = self.n or 1
        if count > pictures_max:
            raise SettingError("n", f"This site draws at most {pictures_max} pictures at once.")
        negative = self.negative_prompt or ""
        return draw_request(prompt=self.prompt, negative_prompt=negative, count=count, seed=self.seed)


def _cut(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()[:60]


class ImageAnswered(BaseModel):
    """One picture."""

    b64_json: str | None = None
    url: str | None = None


class ImagesAnswered(BaseModel):
    """The pictures of a request."""

    created: int = Field(description="Unix time.")
    background: Literal["opaque"] = "opaque"
    output_format: OutputFormat
    size: Literal["256x256"] = SIZE
    data: list[ImageAnswered]


class ModelShown(BaseModel):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Unix time since which this server has had it.")
    owned_by: str = "nonet"


class ModelList(BaseModel):
    """The models that can be drawn with."""

    object: Literal["list"] = "list"
    data: list[ModelShown]
