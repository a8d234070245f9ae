"""What a picture carries when it is stored."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import service_fakes
from nonet.engine.events import Drawn
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.safety import pictures
from nonet.safety.pictures import Withheld
from nonet.safety.provenance import c2pa
from nonet.safety.provenance.verify import verify
from nonet.service.finishing import Finisher, certificate_of, finishing_of

REQUEST = DrawRequest(prompt="a cat", negative_prompt="a dog", guidance=3.0)


def pixels(side: int = 256) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(7)
    return rng.integers(0, 255, (side // 16, side // 16, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)


def finished(tmp_path: Path, **settings: object) -> bytes:
    values = finishing_of(service_fakes.settings(tmp_path, **settings))
    drawn = Drawn(0, pixels(), 7, 0.5, ({"title": "Cat"},))
    return Finisher(values).png(drawn, REQUEST, "job")


def record(png: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(Image.open(io.BytesIO(png)).text["nonet"])  # type: ignore[attr-defined]
    return found


def test_it_says_what_it_is(tmp_path: Path) -> None:
    told = record(finished(tmp_path))
    assert told["prompt"] == "a cat"
    assert told["negative"] == "a dog"
    assert told["seed"] == 7
    assert told["model"] == "doodle"
    assert told["settings"] == {"guidance": 3.0}
    assert told["sources"] == [{"title": "Cat"}]


def test_a_picture_that_must_not_be_shown_is_a_tile_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    class Check:
        def look(self, pixels: object) -> Withheld:
            return Withheld("sexual", 0.9, "Not shown, because of a test.")

    def check_for(model: str, level: str) -> tuple[Check, str]:
        asked.append((model, level))
        return Check(), ""

    monkeypatch.setattr("nonet.safety.pictures.check_for", check_for)
    with Image.open(io.BytesIO(finished(tmp_path, model="mini"))) as shown:
        assert shown.size == (256, 256)
        assert np.median(np.asarray(shown)) == 236
        assert "nonet" not in shown.info
    assert asked == [("mini", "strict")]


def test_prompts_can_be_left_out(tmp_path: Path) -> None:
    png = finished(tmp_path, prompt_in_files=False)
    assert "prompt" not in record(png)
    assert b"a cat" not in png


def test_marked_and_signed(tmp_path: Path) -> None:
    png = finished(tmp_path, invisible_mark=True, sign="always")
    report = verify(png)
    assert report.signature is not None
    assert report.signature.state == "valid"
    assert report.signature.local
    assert report.marks
    # The next server signs with the same certificate.
    assert (tmp_path / "site" / "signing" / "local-signer.pem").is_file()


def test_without_the_packages_for_signing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c2pa, "available", lambda: False)
    auto = finishing_of(service_fakes.settings(tmp_path, sign="auto"))
    assert certificate_of(auto) is None
    assert Finisher(auto).png(Drawn(0, pixels(), 7), REQUEST, "job").startswith(b"\x89PNG")
    with pytest.raises(NonetError) as caught:
        certificate_of(finishing_of(service_fakes.settings(tmp_path, sign="always")))
    assert caught.value.code == "config_invalid"


def test_a_visible_line(tmp_path: Path) -> None:
    after = np.asarray(Image.open(io.BytesIO(finished(tmp_path, visible_mark=True))))
    before = pixels()
    assert after.shape == before.shape
    assert (after != before).any()
    assert (after[:200] == before[:200]).all(), "it stands at the bottom"


def test_a_picture_that_is_withheld_gives_way_to_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strict:
        def look(self, pixels: object) -> pictures.Withheld | None:
            return pictures.Withheld("sexual", 0.9, "Not shown, because of a test.")

    values = finishing_of(service_fakes.settings(tmp_path, model="mini"))
    monkeypatch.setattr(pictures, "check_for", lambda model, level: (Strict(), ""))
    finisher = Finisher(values)
    assert finisher.looks, "then nobody sees unfinished pictures either"
    shown = Image.open(io.BytesIO(finisher.png(Drawn(0, pixels(), 7), REQUEST, "job")))
    assert shown.size == (256, 256)
    assert np.asarray(shown)[0, 0].tolist() == [236, 236, 236]
    monkeypatch.setattr(pictures, "check_for", lambda model, level: (None, "Nobody looks."))
    assert Finisher(values).note == "Nobody looks."


def test_drawings_of_the_embedded_model_are_not_looked_at(tmp_path: Path) -> None:
    finisher = Finisher(finishing_of(service_fakes.settings(tmp_path)))
    assert not finisher.looks
    assert finisher.note == ""
