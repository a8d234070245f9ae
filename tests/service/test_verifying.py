"""Looking at pictures in a process of its own."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from typing import Any

import pytest
from PIL import Image

from nonet.errors import NonetError
from nonet.safety.provenance.decoding import MAX_BYTES
from nonet.service import verifying
from nonet.service.errors import OverloadedError
from nonet.service.verifying import verify_apart


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(stream, "png")
    return stream.getvalue()


def run_instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Another program takes the child's place."""
    real = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        return real([sys.executable, "-c", code], **options)

    monkeypatch.setattr(verifying.subprocess, "run", run)  # type: ignore[attr-defined]


def test_too_large_a_file_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, "raise SystemExit('started')")
    with pytest.raises(NonetError) as caught:
        verify_apart(bytes(MAX_BYTES + 1))
    assert caught.value.code == "too_large"
    with pytest.raises(NonetError) as caught:
        verify_apart(b"no picture")
    assert caught.value.code == "file_unreadable"


@pytest.mark.parametrize(
    "code", ["import os; os.abort()", "print('nonsense')", "import time; time.sleep(60)", "x = ' ' * 10**12"]
)
def test_whatever_happens_to_the_child_is_an_answer(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(verifying, "MAX_SECONDS", 1)
    run_instead(monkeypatch, code)
    with pytest.raises(NonetError) as caught:
        verify_apart(picture())
    assert caught.value.code == "file_unreadable"


def test_the_childs_own_errors_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, 'print(\'{"code": "file_unreadable", "message": "m", "hint": "h"}\')')
    with pytest.raises(NonetError) as caught:
        verify_apart(picture())
    assert (caught.value.message, caught.value.hint) == ("m", "h")


def test_only_one_at_a_time_and_others_are_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "_WAIT_SECONDS", 0.1)
    run_instead(monkeypatch, "import time; time.sleep(1); print('{}')")
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(verify_apart(picture())))
    first.start()
    while verifying._turn._value:
        pass
    with pytest.raises(OverloadedError) as caught:
        verify_apart(picture())
    assert caught.value.retry_after > 1
    first.join()
    assert answers == [{}]


def test_the_child_can_write_no_file(tmp_path: Any) -> None:
    write = f"import pathlib; pathlib.Path({str(tmp_path / 'a')!r}).write_text('x')"
    code = f"from nonet.service import verifying; verifying._limit(); {write}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "OSError" in done.stderr
    assert not (tmp_path / "a").exists() or (tmp_path / "a").stat().st_size == 0
