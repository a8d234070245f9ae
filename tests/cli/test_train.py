from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from nonet.cli import main, train
from nonet.errors import NonetError

Output = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("codec.toml").write_text("[model]\n", encoding="utf-8")
    return "codec.toml"


def test_train_passes_on_what_was_typed(config: str, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    calls: list[Any] = []

    def start(kind: str, path: Path, *, report: Any, **named: Any) -> int:
        calls.append((kind, path, named))
        report(1, 200, {"loss": 0.5})
        report(2, 200, {"loss": 0.25})
        return 2

    monkeypatch.setattr("nonet.training.start.train", start)
    typed = "--data collected --runs here --resume must --max-minutes 9.5 --device cpu --from doodle"
    assert main(["train", "codec", "--config", config, *typed.split()]) == 0
    assert calls == [
        (
            "codec",
            Path(config),
            {
                "collection": Path("collected"),
                "runs": Path("here"),
                "resume": "must",
                "max_minutes": 9.5,
                "device": "cpu",
                "start_from": "doodle",
            },
        )
    ]
    captured = capsys.readouterr()
    assert captured.out == "here/codec\n"
    lines = captured.err.splitlines()
    assert lines[0] == "codec: step 1 of 200: loss 0.5"
    assert lines[-1].startswith("codec: step 2 of 200, ")
    assert lines[-1].endswith(": loss 0.25")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["train", "codec", "--config", "none.toml"], "config_invalid"),
        (["train", "codec"], "setting_invalid"),
        (["train", "everything", "--config", "codec.toml"], "setting_invalid"),
        (["train", "codec", "--config", "codec.toml", "--resume", "maybe"], "setting_invalid"),
        (["train", "codec", "--config", "codec.toml", "--max-minutes", "nan"], "setting_invalid"),
        (["train", "codec", "--config", "codec.toml", "--max-minutes", "0"], "setting_invalid"),
        (["evaluate", "--model", "dodle"], "model_unknown"),
        (["evaluate", "--captions", "1"], "setting_invalid"),
    ],
)
def test_bad_input_is_one_line(config: str, arguments: list[str], code: str, capsys: Output) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {code}: ")
    assert captured.err.count("\n") == 1


def test_ctrl_c_says_that_the_run_goes_on(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def start(*given: Any, **named: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("nonet.training.start.train", start)
    assert main(["train", "codec", "--config", config]) == 130
    assert capsys.readouterr().err.startswith("error: cancelled: Stopped; what was trained is saved.")


def test_steps_are_rewritten_in_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    line = train.StepLine("judge")
    line(5, 10, {"loss": 2.0})
    line.end()
    assert (
        capsys.readouterr().err == "\rjudge: step 5 of 10: loss 2\x1b[K\rjudge: step 5 of 10: loss 2\x1b[K\n"
    )


def test_export_names_its_folders(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("nonet.training.export.export", lambda *given, **named: calls.append((given, named)))
    assert main(["export", "--out", "made", "--runs", "r", "--data", "d", "--name", "sketch"]) == 0
    assert calls == [((Path("r"), Path("d"), Path("made")), {"name": "sketch"})]
    assert capsys.readouterr().out == "made\n"


def test_evaluate_prints_and_keeps_numbers_and_sheets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    class Measures:
        def to_dict(self) -> dict[str, float]:
            return {"codec_psnr": 23.5}

    asked: list[dict[str, Any]] = []

    def measure(model: str, sprites: str, **named: Any) -> Any:
        asked.append(named)
        named["report"]("drawing", 1, 2)
        return Measures(), {"codec": Image.new("RGB", (8, 8))}

    monkeypatch.setattr("nonet.checkpoints.places.locate", lambda name: Path(name))
    monkeypatch.setattr("nonet.checkpoints.load", lambda name: name)
    monkeypatch.setattr("nonet.data.sprites.open_sprites", lambda folder: str(folder))
    monkeypatch.setattr("nonet.training.evaluate.evaluate", measure)
    assert main(["evaluate", "--captions", "5", "--candidates", "0", "--out", str(tmp_path / "out")]) == 0
    assert (asked[0]["captions"], asked[0]["candidates"], asked[0]["candidate_captions"]) == (5, 0, 100)
    assert json.loads(capsys.readouterr().out) == {"codec_psnr": 23.5}
    assert json.loads((tmp_path / "out" / "measures.json").read_text()) == {"codec_psnr": 23.5}
    with Image.open(tmp_path / "out" / "codec.png") as sheet:
        assert sheet.size == (8, 8)


def test_the_card_is_written_beside_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    from torch import nn

    half = nn.Linear(4, 2)
    model = SimpleNamespace(
        name="sketch", decoder=half, vqgan=half, judge=None, text=SimpleNamespace(encoder=half)
    )
    sprites = SimpleNamespace(collection=SimpleNamespace(summary={"sprites": 3}))
    measures = SimpleNamespace(to_dict=lambda: {"captions": 5})
    cards: list[Any] = []
    monkeypatch.setattr("nonet.checkpoints.places.locate", lambda name: tmp_path)
    monkeypatch.setattr("nonet.checkpoints.load", lambda name: model)
    monkeypatch.setattr("nonet.data.sprites.open_sprites", lambda folder: sprites)
    monkeypatch.setattr("nonet.training.evaluate.evaluate", lambda *given, **named: (measures, {}))
    monkeypatch.setattr(
        "nonet.training.card.write_card", lambda *given, **named: cards.append((given, named))
    )
    assert main(["evaluate", "--card", "--runs", str(tmp_path / "none"), "--quiet"]) == 0
    given, named = cards[0]
    assert given == (tmp_path, "sketch", measures, {})
    assert named["summary"] == {"sprites": 3}
    assert named["runs"] is None
    assert named["sizes"] == {"image decoder": 10, "codec": 10, "text encoder": 10}


def test_evaluate_needs_a_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("nonet.checkpoints.places.locate", lambda name: Path(name))
    assert main(["evaluate", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: data_missing: ")


def test_errors_of_training_are_one_line(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def start(*given: Any, **named: Any) -> int:
        raise NonetError("data_missing", "No collection.", "Build one.")

    monkeypatch.setattr("nonet.training.start.train", start)
    assert main(["train", "codec", "--config", config]) == 2
    assert capsys.readouterr().err == "error: data_missing: No collection. Build one.\n"
