from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyte
import pytest
from PIL import Image

import fakes
from nonet.cli import main
from nonet.errors import NonetError

Output = pytest.CaptureFixture[str]
TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_nine_pictures_and_their_sheet(fake_engine: fakes.FakeEngine, tmp_path: Path, capsys: Output) -> None:
    assert main(["draw", "a red apple on a table", "--seed", "7"]) == 0
    folder = tmp_path / "nonet" / "a-red-apple-on-a-table-7"
    assert names(folder) == [*(f"{number}.png" for number in range(1, 10)), "sheet.png"]
    captured = capsys.readouterr()
    assert captured.out == "nonet/a-red-apple-on-a-table-7/sheet.png\n"
    assert "9 of 9 drawn" in captured.err
    with Image.open(folder / "3.png") as picture:
        assert np.asarray(picture).mean((0, 1)) == pytest.approx(fakes.pixels(9)[0, 0], abs=2)
        assert json.loads(picture.info["nonet"])["seed"] == 9
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.size == (800, 800)


def test_json_is_all_that_stdout_gets(fake_engine: fakes.FakeEngine, capsys: Output) -> None:
    arguments = ["draw", "a cat", "--seed", "1", "--count", "2", "--out", "cats", "--json", "--sources"]
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == {
        "prompt": "a cat",
        "model": "doodle",
        "seed": 1,
        "seconds": 0.25,
        "sheet": "cats/sheet.png",
        "pictures": [
            {
                "path": f"cats/{index + 1}.png",
                "seed": 1 + index,
                "score": 0.5 - index / 100,
                "sources": [{"title": f"picture {1 + index}", "set": "Fake Set", "licence": "CC0-1.0"}],
            }
            for index in range(2)
        ],
    }
    assert Path(result["sheet"]).is_file()


def test_quiet_says_nothing(fake_engine: fakes.FakeEngine, capsys: Output) -> None:
    assert main(["draw", "a cat", "--quiet", "--out", "cats"]) == 0
    assert capsys.readouterr() == ("", "")


def test_sources_are_printed_for_each_picture(fake_engine: fakes.FakeEngine, capsys: Output) -> None:
    assert main(["draw", "a cat", "--seed", "1", "--count", "2", "--sources"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "1.png: picture 1, Fake Set, CC0-1.0",
        "2.png: picture 2, Fake Set, CC0-1.0",
    ]


def test_what_pictures_say_of_their_origin(fake_engine: fakes.FakeEngine, tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    found = {}
    for level in ("full", "mark", "metadata"):
        assert (
            main(["draw", "a cat", "--seed", "1", "--count", "1", "--out", level, "--provenance", level]) == 0
        )
        found[level] = Path(level, "1.png").read_bytes(), Path(level, "sheet.png").read_bytes()
    assert [b"caBX" in data for files in found.values() for data in files] == [True, True, *[False] * 4]
    with (
        Image.open("metadata/1.png") as plain,
        Image.open("mark/1.png") as marked,
        Image.open("full/1.png") as full,
    ):
        assert np.array_equal(np.asarray(plain), fakes.pixels(1))
        assert not np.array_equal(np.asarray(marked), fakes.pixels(1))
        assert np.array_equal(np.asarray(marked), np.asarray(full))


def test_the_prompt_is_signed_only_where_it_is_wanted(fake_engine: fakes.FakeEngine) -> None:
    pytest.importorskip("c2pa")
    for folder, extra in (("without", []), ("with", ["--sign-prompt"])):
        assert main(["draw", "a quite unusual cat", "--count", "1", "--out", folder, *extra]) == 0
        data = Path(folder, "1.png").read_bytes()
        start = data.index(b"caBX")
        manifest = data[start : start + int.from_bytes(data[start - 4 : start], "big")]
        assert (b"a quite unusual cat" in manifest) == (folder == "with")


def test_corner_text_is_seen(fake_engine: fakes.FakeEngine) -> None:
    command = [
        "draw",
        "a cat",
        "--count",
        "1",
        "--out",
        "out",
        "--provenance",
        "metadata",
        "--label",
        "AI-generated",
    ]
    assert main(command) == 0
    with Image.open("out/1.png") as picture:
        corner = np.asarray(picture)[-30:, -120:]
        assert (corner > 200).all(-1).sum() > 50
        assert np.array_equal(np.asarray(picture)[:200], fakes.pixels(fake_engine.requests[0].seed)[:200])


def test_a_home_that_cannot_be_written_leaves_pictures_unsigned_and_says_so(
    fake_engine: fakes.FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    pytest.importorskip("c2pa")
    (tmp_path / "home").touch()
    monkeypatch.setenv("NONET_CONFIG", str(tmp_path / "home"))
    assert main(["draw", "a cat", "--count", "1", "--out", "out", "--quiet"]) == 0
    assert capsys.readouterr().err.startswith("note: The pictures are not signed: ")
    assert b"caBX" not in Path("out/1.png").read_bytes()


def test_what_the_prompt_means_is_asked_before_folder_and_model(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "file").touch()
    prompt = "jetliners flying into a Manhattan high rise"
    assert main(["draw", prompt, "--safety", "strict", "--model", "nobody's", "--out", "file"]) == 2
    assert capsys.readouterr().err.startswith("error: prompt_refused: ")


@pytest.mark.parametrize("extra", [[], ["--quiet"], ["--json"]])
def test_a_cut_prompt_is_said_aloud(fake_engine: fakes.FakeEngine, extra: list[str], capsys: Output) -> None:
    fake_engine.notes = ("The prompt was cut after 64 tokens.",)
    assert main(["draw", "a cat", *extra]) == 0
    assert "note: The prompt was cut after 64 tokens.\n" in capsys.readouterr().err


def test_every_option_reaches_the_request(fake_engine: fakes.FakeEngine) -> None:
    typed = "--count 3 --seed 5 --guidance 4.5 --temperature 0.7 --top-k 30 --top-p 0.9 --candidates 12"
    assert main(["draw", "a cat", *typed.split(), "--negative", "a dog"]) == 0
    request = fake_engine.requests[0]
    assert (request.count, request.seed, request.guidance, request.temperature) == (3, 5, 4.5, 0.7)
    assert (request.top_k, request.top_p, request.candidates) == (30, 0.9, 12)
    assert request.negative_prompt == "a dog"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([""], "prompt_empty"),
        (["  \t"], "prompt_empty"),
        (["x" * 2001], "prompt_too_long"),
        (["a cat", "--count", "0"], "setting_invalid"),
        (["a cat", "--count", "65"], "setting_invalid"),
        (["a cat", "--guidance", "nan"], "setting_invalid"),
        (["a cat", "--temperature", "-1"], "setting_invalid"),
        (["a cat", "--top-p", "0"], "setting_invalid"),
        (["a cat", "--top-k", "-5"], "setting_invalid"),
        (["a cat", "--seed", "-1"], "setting_invalid"),
        (["a cat", "--candidates", "3"], "setting_invalid"),
        (["a cat", "--judge", "nowhere"], "model_missing"),
        (["a cat", "--dtype", "float8"], "setting_invalid"),
        (["a cat", "--safety", "none"], "setting_invalid"),
        (["a cat", "--provenance", "none"], "setting_invalid"),
        (["a cat", "--label", "x" * 41], "setting_invalid"),
        (["a cat", "--label", "two\nlines"], "setting_invalid"),
        (["a swastika flag"], "prompt_refused"),
        (["a cat", "--negative", "a swastika flag"], "prompt_refused"),
        (["a cat", "--out", "file"], "output_unwritable"),
        (["a cat", "--out", "file/folder"], "output_unwritable"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    fake_engine: fakes.FakeEngine, arguments: list[str], code: str, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "file").touch()
    assert main(["draw", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {code}: ")
    assert captured.err.count("\n") == 1
    assert names(tmp_path) == ["file"]
    assert not fake_engine.requests


def test_the_policy_is_asked_before_model_and_folder(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "file").touch()
    assert main(["draw", "a swastika flag", "--model", "nobody's", "--out", "file"]) == 2
    assert capsys.readouterr().err.startswith("error: prompt_refused: ")


def test_the_model_is_looked_up_before_the_folder(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "file").touch()
    assert main(["draw", "a cat", "--model", "dooodle", "--out", "file"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: model_unknown: ")
    assert "doodle" in err


def test_a_full_disk_is_found_before_the_model_is_asked(
    fake_engine: fakes.FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["draw", "a cat"]) == 2
    assert capsys.readouterr().err.startswith("error: disk_full: ")
    assert not fake_engine.requests
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", ["model_failed", "weights_corrupt"])
def test_a_failure_in_the_middle_writes_nothing(
    fake_engine: fakes.FakeEngine, code: str, tmp_path: Path, capsys: Output
) -> None:
    fake_engine.failure = NonetError(code, "It broke.")
    assert main(["draw", "a cat"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {code}: It broke."
    assert names(tmp_path) == []


def test_ctrl_c_in_the_middle_is_130_and_writes_nothing(
    fake_engine: fakes.FakeEngine, tmp_path: Path, capsys: Output
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    fake_engine.during = interrupt
    assert main(["draw", "a cat"]) == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: cancelled: ")
    assert names(tmp_path) == []
    assert fake_engine.streams[0].cancelled == 1


def test_no_mistake_imports_torch(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import sys
        from nonet.cli import main
        (open("file", "w")).close()
        for arguments in (["a cat", "--count", "99"], ["a swastika flag"], ["a cat", "--model", "nobody's"],
                          ["a cat", "--out", "file"]):
            assert main(["draw", *arguments]) == 2
            assert "torch" not in sys.modules, arguments
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


class Session:
    """`nonet draw` with the fake engine in a terminal of its own, `pause` seconds before each picture."""

    def __init__(self, folder: Path, *, pause: float) -> None:
        code = textwrap.dedent(f"""
            import sys
            sys.path.insert(0, {str(TESTS)!r})
            import fakes
            from nonet import drawing
            from nonet.cli import main
            engine = fakes.FakeEngine(pause={pause})
            drawing.check_model = lambda name: None
            drawing.engine_for = lambda model, low_memory=False: engine
            sys.exit(main(["draw", "a cat", "--seed", "1", "--out", "cats"]))
        """)
        self.leader, follower = pty.openpty()
        environ = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "COLUMNS": "",
            "LINES": "",
        }
        environ.pop("NO_COLOR", None)
        os.set_blocking(self.leader, False)
        import termios

        termios.tcsetwinsize(follower, (24, 80))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            cwd=folder,
            env=environ,
            start_new_session=True,
        )
        os.close(follower)
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)

    def read(self) -> None:
        try:
            while data := os.read(self.leader, 65536):
                self.stream.feed(data)
        except (BlockingIOError, OSError):
            return

    def wait_until(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in "\n".join(self.screen.display):
            if time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                pytest.fail("\n".join(self.screen.display))
            time.sleep(0.05)
            self.read()

    def end(self) -> int:
        try:
            status = self.process.wait(60)
            self.read()
        finally:
            self.process.kill()
            os.close(self.leader)
        return status


@pytest.mark.parametrize(
    ("signal_number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_signal_in_mid_draw_gives_the_terminal_back(
    tmp_path: Path, signal_number: signal.Signals, status: int
) -> None:
    session = Session(tmp_path, pause=1)
    session.wait_until("1 of 9 drawn")
    assert session.screen.cursor.hidden
    colours = {session.screen.buffer[0][column].fg for column in range(14)}
    assert len(colours) == 1, "the first picture is one colour"
    session.process.send_signal(signal_number)
    assert session.end() == status
    assert not session.screen.cursor.hidden
    assert "Traceback" not in "\n".join(session.screen.display)
    assert names(tmp_path) == []


def test_in_a_terminal_the_grid_stays_and_the_path_follows(tmp_path: Path) -> None:
    session = Session(tmp_path, pause=0)
    assert session.end() == 0
    lines = [line.rstrip() for line in session.screen.display]
    assert "cats/sheet.png" in lines
    # 3x3 pictures of 14 pixels: their colours in the middle of each, two pixels a line.
    shown = [session.screen.buffer[y - 1][x].fg for y in (3, 10, 18) for x in (7, 22, 37)]
    assert shown == ["".join(f"{part:02x}" for part in fakes.pixels(1 + index)[0, 0]) for index in range(9)]
