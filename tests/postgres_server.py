"""A PostgreSQL cluster of its own for tests: made in a temporary folder, on a socket there and no port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = "NONET_TEST_POSTGRES"
"""Set in CI, where a missing PostgreSQL is a failure and not a reason to skip."""


def programs() -> Path | None:
    """The folder of initdb and pg_ctl: Debian keeps them out of the search path."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "pg_ctl").exists()), None)


@contextmanager
def cluster() -> Iterator[str]:
    """The SQLAlchemy URL of a database in a fresh cluster; skips where PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        assert not os.environ.get(REQUIRED), "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    # Not pytest's folder: its path may be too long for a socket, and closed to another user.
    folder = Path(tempfile.mkdtemp(prefix="nonet-pg-"))
    account = _account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        _run(
            [str(binaries / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "nonet", "-N"],
            account,
        )
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=100"
        start = [str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-l", str(folder / "log")]
        _run([*start, "-w", "-o", options, "start"], account)
        try:
            yield f"postgresql://nonet@/postgres?host={folder}"
        finally:
            _run([*start, "-m", "immediate", "stop"], account)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Whom to run it as: PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("there is no user to run PostgreSQL as")


def _run(command: list[str], account: pwd.struct_passwd | None) -> None:
    identity = (
        {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    )
    done = subprocess.run(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
        **identity,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
