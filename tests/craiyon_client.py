"""The published craiyon-py, as it is, in a folder of its own.

It needs an older anyio than the server, so it cannot be installed beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REQUIREMENT = "craiyon-py==1.2.0"


def installed(folder: Path) -> Path:
    """The folder with craiyon-py and all that it needs; installed at the first call, skipped without network."""
    done = folder / "installed.txt"
    if not done.is_file() or done.read_text() != REQUIREMENT:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--upgrade",
            "--target",
            str(folder),
            REQUIREMENT,
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            if os.environ.get("CI"):
                pytest.fail(f"craiyon-py could not be installed: {result.stderr[-500:]}")
            pytest.skip("craiyon-py could not be installed")
        done.write_text(REQUIREMENT)
    return folder


def run(folder: Path, script: str, *arguments: str) -> str:
    """What a script that uses craiyon-py prints."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
