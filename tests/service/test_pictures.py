"""Stored pictures in other formats, and the sheet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PIL import Image

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.safety.provenance.reading import read_metadata
from nonet.service.records import Caller, Job
from nonet.service.services import Services
from service_fakes import until


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with service_fakes.running(tmp_path_factory.mktemp("site")) as site:
        yield site.services


@pytest.fixture(scope="module")
def job(services: Services) -> Job:
    asked = services.jobs.submit(DrawRequest(prompt="a cat", count=4), caller=Caller("ip:ann"), api="native")
    until(lambda: services.jobs.get(asked.id).over)
    return services.jobs.get(asked.id)


@pytest.mark.parametrize(("format", "name"), [("png", "PNG"), ("webp", "WEBP"), ("jpg", "JPEG")])
def test_formats(services: Services, job: Job, format: str, name: str) -> None:
    data = services.picture_bytes(job, 2, format)  # type: ignore[arg-type]
    image = Image.open(io.BytesIO(data))
    assert image.format == name
    assert image.size == (service_fakes.SIDE, service_fakes.SIDE)
    assert services.picture_bytes(job, 2, format) is data or format == "png"  # type: ignore[arg-type]


def test_the_sheet(services: Services, job: Job) -> None:
    image = Image.open(io.BytesIO(services.sheet_bytes(job, "png")))
    side = 2 * (service_fakes.SIDE + 8) + 8
    assert image.size == (side, side)


def test_what_is_hidden_is_not_found(services: Services, job: Job) -> None:
    hidden = replace(job, pictures=[replace(job.pictures[0], hidden=True), *job.pictures[1:]])
    with pytest.raises(NonetError, match="not_found"):
        services.picture_bytes(hidden, 0, "png")
    with pytest.raises(NonetError, match="not_found"):
        services.picture_bytes(job, 9, "png")
    with pytest.raises(NonetError, match="not_found"):
        services.picture_bytes(replace(job, hidden=True), 1, "png")
    for unseen in (replace(job, hidden=True), replace(job, state="drawing")):
        with pytest.raises(NonetError, match="not_found"):
            services.sheet_bytes(unseen, "png")
    smaller = Image.open(io.BytesIO(services.sheet_bytes(hidden, "png")))
    assert smaller.size == (152, 152), "three pictures in a grid of two by two"


def test_other_formats_keep_what_the_picture_says(services: Services, job: Job) -> None:
    for format in ("webp", "jpg"):
        data = services.picture_bytes(job, 0, format)
        told = read_metadata(data).record
        assert told is not None
        assert (told["prompt"], told["seed"]) == ("a cat", job.pictures[0].seed)


def test_other_formats_are_unknown(services: Services, job: Job) -> None:
    with pytest.raises(NonetError) as caught:
        services.picture_bytes(job, 0, "gif")  # type: ignore[arg-type]
    assert caught.value.code == "setting_invalid"


def test_they_take_bounded_memory(services: Services, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nonet.service.pictures._CACHE_BYTES", 3000)
    pictures = services.pictures
    for quality in range(1, 60):
        pictures.picture(job, 0, "jpg", quality=quality)
    assert pictures._bytes <= 3000
    assert sum(map(len, pictures._made.values())) == pictures._bytes
