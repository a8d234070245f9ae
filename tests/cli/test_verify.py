from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import fakes
from drawn_pictures import drawing
from nonet.cli import main
from nonet.safety.provenance.metadata import PictureMeta, encode

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_draw_wrote_is_recognised(fake_engine: fakes.FakeEngine, capsys: Output) -> None:
    assert main(["draw", "a cat", "--count", "1", "--out", "cats", "--quiet"]) == 0
    assert main(["verify", "cats/1.png", "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cats/1.png: made by Nonet"
    assert lines[1].startswith("  It carries an invisible mark of Nonet (model: doodle).")


def test_json_has_an_answer_for_every_file(capsys: Output) -> None:
    Path("described.png").write_bytes(encode(drawing(1, 96), PictureMeta(model="doodle")))
    Image.fromarray(drawing(2, 96)).save("bare.jpg")
    Path("text.png").write_text("not a picture", "utf-8")
    files = ["described.png", "bare.jpg", "text.png", "missing.png"]
    assert main(["verify", *files, "--json", "--quick"]) == 2
    captured = capsys.readouterr()
    answers = json.loads(captured.out)
    assert [answer["file"] for answer in answers] == files
    assert [answer.get("verdict") for answer in answers] == ["generated", "unknown", None, None]
    assert [answer["error"]["code"] for answer in answers[2:]] == ["file_unreadable"] * 2
    assert captured.err.count("\n") == 2
    assert captured.err.startswith("error: file_unreadable: text.png: This is not a PNG")


def test_a_picture_that_nothing_is_known_of_is_not_called_genuine(capsys: Output) -> None:
    Image.fromarray(drawing(3, 96)).save("bare.png")
    assert main(["verify", "bare.png", "--quick"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("bare.png: cannot tell where it comes from\n")
    assert "this proves nothing" in out


def test_a_strangers_words_do_not_reach_the_terminal(capsys: Output) -> None:
    name = "pic\x1b[31m.png"
    Path(name).write_bytes(encode(drawing(4, 96)))
    assert main(["verify", name, "--quick"]) == 0
    assert "\x1b" not in capsys.readouterr().out
