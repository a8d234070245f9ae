from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fakes
import nonet
from nonet import drawing
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.safety.provenance.detection import detect
from nonet.safety.provenance.finish import Provenance
from nonet.safety.provenance.reading import read_metadata


def test_draw_returns_pictures_that_know_how_they_were_made(fake_engine: fakes.FakeEngine) -> None:
    pictures = nonet.draw("a cat", count=4, seed=7, guidance=2.0)
    assert [picture.size for picture in pictures] == [(256, 256)] * 4
    assert [picture.mode for picture in pictures] == ["RGB"] * 4
    assert [picture.info["seed"] for picture in pictures] == [7, 8, 9, 10]
    assert np.asarray(pictures[2]).mean((0, 1)) == pytest.approx(fakes.pixels(9)[5, 5], abs=2)
    info = pictures[0].info
    assert (info["prompt"], info["model"], info["score"]) == ("a cat", "doodle", 0.5)
    assert info["sources"] == [{"title": "picture 7", "set": "Fake Set", "licence": "CC0-1.0"}]
    assert fake_engine.requests[0].guidance == 2.0


def test_draw_chooses_another_seed_each_time(fake_engine: fakes.FakeEngine) -> None:
    seeds = {nonet.draw("a cat", count=1)[0].info["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_every_setting_reaches_the_engine(fake_engine: fakes.FakeEngine) -> None:
    settings = {
        "count": 2,
        "seed": 3,
        "guidance": 4.0,
        "temperature": 0.5,
        "top_k": 6,
        "top_p": 0.7,
        "negative_prompt": "a dog",
        "candidates": 8,
    }
    nonet.draw("a cat", **settings)  # type: ignore[arg-type]
    assert fake_engine.requests == [DrawRequest(prompt="a cat", **settings)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompt", "settings", "code"),
    [
        (" \n", {}, "prompt_empty"),
        ("x" * 2001, {}, "prompt_too_long"),
        ("a cat", {"count": 65}, "setting_invalid"),
        ("a cat", {"guidance": float("nan")}, "setting_invalid"),
        ("a cat", {"safety": "none"}, "setting_invalid"),
        ("a cat", {"provenance": "none"}, "setting_invalid"),
        ("a swastika flag", {}, "prompt_refused"),
        ("a cat", {"negative_prompt": "a swastika flag"}, "prompt_refused"),
    ],
)
def test_mistakes_are_said_before_the_engine_is_asked(
    fake_engine: fakes.FakeEngine, prompt: str, settings: dict[str, float], code: str
) -> None:
    with pytest.raises(NonetError) as caught:
        nonet.draw(prompt, **settings)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert not fake_engine.requests


def test_a_failure_of_the_engine_is_an_error_with_its_code(fake_engine: fakes.FakeEngine) -> None:
    fake_engine.failure = NonetError("model_failed", "It broke.", "Mend it.")
    with pytest.raises(NonetError, match=r"model_failed: It broke\. Mend it\."):
        nonet.draw("a cat")
    assert fake_engine.streams[0].cancelled == 1


def test_an_engine_that_falls_silent_is_an_error(
    fake_engine: fakes.FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_engine, "_events", lambda request: iter(()))
    with pytest.raises(NonetError) as caught:
        nonet.draw("a cat")
    assert caught.value.code == "model_failed"


def test_ctrl_c_cancels_what_was_submitted(fake_engine: fakes.FakeEngine) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    fake_engine.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        nonet.draw("a cat")
    assert fake_engine.streams[0].cancelled == 1


class Recorder:
    """A display that writes down what it is shown."""

    def __init__(self, *, shows_pictures: bool = True) -> None:
        self.shows_pictures = shows_pictures
        self.fractions: list[float] = []
        self.shown: list[tuple[int, bool]] = []

    def picture(self, index: int, image: Image.Image, *, finished: bool) -> None:
        self.shown.append((index, finished))

    def progress(self, fraction: float) -> None:
        self.fractions.append(fraction)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        return


def test_the_display_sees_partial_and_finished_pictures(fake_engine: fakes.FakeEngine) -> None:
    display = Recorder()
    drawn = drawing.run("doodle", DrawRequest(prompt="a cat", count=2, seed=0), display=display)
    assert display.shown == [(0, False), (1, False), (0, True), (1, True)]
    assert display.fractions == [0.25, 0.5, 0.75, 1.0]
    assert drawn.seconds == 0.25
    assert drawn.settings() == {"guidance": 3.0, "temperature": 1.0}, "the model's defaults are filled in"


def test_partial_pictures_are_not_made_for_a_display_without_pictures(fake_engine: fakes.FakeEngine) -> None:
    display = Recorder(shows_pictures=False)
    drawing.run("doodle", DrawRequest(prompt="a cat", count=2), display=display)
    assert display.shown == [(0, True), (1, True)]


def test_files_describe_themselves(fake_engine: fakes.FakeEngine) -> None:
    request = DrawRequest(prompt="a cat", negative_prompt="a dog", count=4, seed=7)
    pngs, sheet = drawing.encode(drawing.run("doodle", request), Provenance())
    picture = Image.open(io.BytesIO(pngs[1]))
    record = json.loads(picture.info["nonet"])
    assert (record["prompt"], record["negative"], record["model"], record["seed"]) == (
        "a cat",
        "a dog",
        "doodle",
        8,
    )
    assert record["settings"] == {"guidance": 3.0, "temperature": 1.0}
    assert record["sources"][0]["title"] == "picture 8"
    assert "Seed: 8" in picture.info["parameters"]
    page = Image.open(io.BytesIO(sheet))
    assert page.size == (536, 536)
    assert json.loads(page.info["nonet"])["seeds"] == [7, 8, 9, 10]


def test_pictures_and_sheet_carry_the_mark_unless_nobody_wants_it(fake_engine: fakes.FakeEngine) -> None:
    picture = nonet.draw("a cat", count=1, seed=3)[0]
    (mark,) = detect(np.asarray(picture), thorough=False)
    assert mark.payload.model == "doodle"
    (again,) = detect(np.asarray(nonet.draw("a cat", count=4, seed=1)[2]), thorough=False)
    assert again.payload == mark.payload, "a picture is the same, drawn alone or among others"
    plain = nonet.draw("a cat", count=1, seed=3, provenance="metadata")[0]
    assert np.array_equal(np.asarray(plain), fakes.pixels(3))
    _, sheet = drawing.encode(
        drawing.run("doodle", DrawRequest(prompt="a cat", count=4, seed=1)), Provenance()
    )
    assert len(detect(np.asarray(Image.open(io.BytesIO(sheet))), thorough=False)) == 4


@pytest.mark.parametrize("name", ["cat.png", "cat.JPG", "cat.webp"])
def test_saved_pictures_keep_their_origin(fake_engine: fakes.FakeEngine, tmp_path: Path, name: str) -> None:
    picture = nonet.draw("a cat", count=1, seed=3, negative_prompt="a dog")[0]
    nonet.save(picture, tmp_path / name, provenance="mark")
    found = read_metadata((tmp_path / name).read_bytes())
    assert found.record is not None
    assert (found.record["prompt"], found.record["negative"], found.record["seed"]) == ("a cat", "a dog", 3)
    with Image.open(tmp_path / name) as again:
        assert len(detect(np.asarray(again.convert("RGB")), thorough=False)) == 1


def test_saved_pictures_are_signed(fake_engine: fakes.FakeEngine, tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    nonet.save(nonet.draw("a cat", count=1)[0], tmp_path / "cat.png")
    assert b"caBX" in (tmp_path / "cat.png").read_bytes()


@pytest.mark.parametrize(("name", "drawn"), [("cat.gif", True), ("cat", True), ("cat.png", False)])
def test_what_cannot_be_saved_is_an_error(
    fake_engine: fakes.FakeEngine, tmp_path: Path, name: str, drawn: bool
) -> None:
    picture = nonet.draw("a cat", count=1)[0] if drawn else Image.new("RGB", (8, 8))
    with pytest.raises(NonetError) as caught:
        nonet.save(picture, tmp_path / name)
    assert caught.value.code == "setting_invalid"
    assert list(tmp_path.iterdir()) == []


def test_the_policy_judges_what_the_model_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    request = DrawRequest(prompt="a qqq")
    drawing.admit(request, "standard", "doodle")
    monkeypatch.setattr(
        "nonet.safety.model_reads.model_reader", lambda model: lambda prompt: ["a porn scene"]
    )
    with pytest.raises(NonetError) as caught:
        drawing.admit(request, "standard", "doodle")
    assert caught.value.code == "prompt_refused"


def test_one_engine_is_kept_and_closed_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Engine:
        def __init__(self, model: str, low_memory: bool) -> None:
            self.model = model

        def close(self) -> None:
            closed.append(self.model)

    monkeypatch.setattr("nonet.drawing._kept", None)
    monkeypatch.setattr("nonet.checkpoints.load", lambda name: f"model {name}", raising=False)
    monkeypatch.setattr("nonet.engine.Engine", Engine, raising=False)
    first = drawing.engine_for("doodle")
    assert drawing.engine_for("doodle") is first
    assert closed == []
    assert drawing.engine_for("mini") is not first
    assert closed == ["model doodle"]
    assert drawing.engine_for("mini", low_memory=True) is not drawing.engine_for("mini")
