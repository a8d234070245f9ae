"""The pages' own files: styles, scripts, icons. Read once; their address changes when any of them does."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TYPES = {
    "css": "text/css; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file as it goes out.

    Attributes:
        body: the file; `packed` is it with gzip, or empty where that gains nothing.
        type: its media type.
    """

    body: bytes
    packed: bytes
    type: str


@dataclass(frozen=True)
class Assets:
    """All files; `version` stands in their addresses, so that they may be cached for ever."""

    version: str
    files: Mapping[str, Asset]

    def address(self, name: str) -> str:
        """Where `name` is served.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"


@cache
def assets() -> Assets:
    """The files of `static/`."""
    folder = files("nonet.service") / "static"
    found: dict[str, Asset] = {}
    digest = hashlib.sha256()
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        kind = TYPES.get(entry.name.rpartition(".")[2])
        if kind is None:
            continue
        body = entry.read_bytes()
        digest.update(entry.name.encode() + b"\0" + body)
        packed = gzip.compress(body, mtime=0)
        found[entry.name] = Asset(body, packed if len(packed) < len(body) * 0.9 else b"", kind)
    return Assets(digest.hexdigest()[:12], found)
