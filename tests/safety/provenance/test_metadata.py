"""A picture's description goes in and comes out again, in every format, whatever the prompt holds."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from nonet.errors import NonetError
from nonet.safety.provenance.metadata import (
    FORMATS,
    SOURCE_TYPE,
    PictureMeta,
    encode,
    encode_png,
    parameters_text,
    to_image,
    xmp_packet,
)
from nonet.safety.provenance.reading import read_metadata

META = PictureMeta(
    prompt='a "çat", on: the moon 🐱',
    negative="dog",
    model="doodle",
    model_version="1",
    seed=7,
    settings={"guidance": 3.0, "top_k": 64},
    sources=({"title": "Cat", "licence": "CC0-1.0"},),
)


def gradient(height: int = 24, width: int = 40) -> NDArray[np.float32]:
    pixels = np.zeros((height, width, 3), np.float32)
    pixels[..., 0] = np.linspace(0, 1, width)
    pixels[..., 1] = np.linspace(0, 1, height)[:, None]
    return pixels


@pytest.mark.parametrize("format", FORMATS)
def test_description_comes_back_from_every_format(format: str) -> None:
    found = read_metadata(encode(gradient(), META, format=format))
    assert found.problems == []
    assert (found.format, found.width, found.height) == (format, 40, 24)
    assert found.digital_source_type == SOURCE_TYPE
    assert found.says_generated
    assert found.record is not None
    assert found.record["prompt"] == META.prompt
    assert found.record["sources"] == [{"title": "Cat", "licence": "CC0-1.0"}]
    assert found.record["seed"] == 7
    assert found.parameters == parameters_text(META, (40, 24))


def test_parameters_are_in_the_syntax_that_existing_tools_read() -> None:
    lines = parameters_text(META, (256, 256)).split("\n")
    assert lines[0] == 'a "çat", on: the moon 🐱'
    assert lines[1] == "Negative prompt: dog"
    assert lines[2].startswith(
        "CFG scale: 3.0, Top K: 64, Seed: 7, Size: 256x256, Model: doodle, Version: nonet "
    )


def test_a_value_with_a_comma_is_quoted() -> None:
    meta = PictureMeta(prompt="x", settings={"style": "a, b: c"})
    assert 'Style: "a, b: c"' in parameters_text(meta, (1, 1))


def test_pixels_survive_png_exactly() -> None:
    pixels = (gradient() * 255).astype(np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(encode_png(pixels, META))))
    assert np.array_equal(decoded, pixels)


def test_floats_are_clipped_and_rounded() -> None:
    pixels = np.array([[[-1.0, 0.5, 2.0], [np.nan, 1.0, 0.0]]])
    assert np.asarray(to_image(pixels)).tolist() == [[[0, 128, 255], [0, 255, 0]]]


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (1, 4, 4, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="height, width, 3"):
        to_image(np.zeros(shape))


def test_same_drawing_is_the_same_file() -> None:
    assert encode_png(gradient(), META) == encode_png(gradient(), META)


def test_no_description_leaves_no_trace() -> None:
    for format in FORMATS:
        found = read_metadata(encode(gradient(), format=format))
        assert not found.says_generated
        assert found.parameters is None


def test_empty_prompt_stays_out_of_the_record() -> None:
    assert "prompt" not in PictureMeta(model="doodle").record()


def test_sources_that_do_not_fit_are_counted() -> None:
    meta = PictureMeta(prompt="x", sources=[{"title": "t" * 300}] * 300)
    record = read_metadata(encode(gradient(), meta, format="jpeg")).record
    assert record is not None
    assert len(record["sources"]) + record["sources_omitted"] == 300
    assert record["sources_omitted"] > 0


def test_a_description_that_cannot_fit_is_an_error() -> None:
    with pytest.raises(NonetError, match="description") as caught:
        encode_png(gradient(), PictureMeta(extra={"note": "x" * 50_000}))
    assert caught.value.code == "setting_invalid"


@pytest.mark.parametrize(("format", "quality"), [("gif", 90), ("png", 0), ("jpeg", 101)])
def test_unknown_format_or_quality_is_an_error(format: str, quality: int) -> None:
    with pytest.raises(NonetError) as caught:
        encode(gradient(), META, format=format, quality=quality)
    assert caught.value.code == "setting_invalid"


@settings(max_examples=40, deadline=None)
@given(prompt=st.text(max_size=200), format=st.sampled_from(FORMATS))
def test_any_text_can_be_a_prompt(prompt: str, format: str) -> None:
    found = read_metadata(encode(gradient(8, 8), PictureMeta(prompt=prompt, model="m"), format=format))
    assert found.problems == []
    assert found.record is not None
    assert found.record.get("prompt", "") == prompt


def test_lone_surrogates_and_null_letters_do_not_break_the_file() -> None:
    for format in FORMATS:
        found = read_metadata(encode(gradient(), PictureMeta(prompt="a\ud800b\0c"), format=format))
        assert found.problems == []
        assert found.parameters is not None
        assert found.parameters.startswith("a b c")


def test_xmp_is_well_formed_with_markup_in_the_prompt() -> None:
    packet = xmp_packet(PictureMeta(prompt="<&\"'>]]>"), with_record=True)
    assert packet.count(b"<rdf:Description") == 1
    data = encode(gradient(), PictureMeta(prompt="<&\"'>]]>"), format="webp")
    record = read_metadata(data).record
    assert record is not None
    assert record["prompt"] == "<&\"'>]]>"
