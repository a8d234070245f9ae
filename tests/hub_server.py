"""A server on the loopback that speaks the part of the Hugging Face Hub's protocol that a download needs."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self


@dataclass
class Repo:
    """One repository at one commit; files of 1 kB or more are kept as the Hub keeps large ones.

    `newest` is the commit of "main", where that has gone on.
    """

    commit: str
    files: dict[str, bytes]
    newest: str = ""


@dataclass
class Hub:
    """The repositories, what goes wrong, and what was asked.

    Attributes:
        cuts: for a file, after how many bytes each of its next answers breaks off.
        spoiled: files that arrive with a changed byte.
        slow: seconds between blocks of 4 kB.
        ranges: for each file the offsets that were asked for.
        tokens: the authorization of every request, with the path.
    """

    repos: dict[str, Repo]
    cuts: dict[str, list[int]] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    slow: float = 0.0
    token: str = ""
    ranges: dict[str, list[int]] = field(default_factory=dict)
    tokens: list[tuple[str, str]] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def storage(self) -> str:
        """The same server by another name, as large files lie on another host."""
        return f"http://localhost:{self._server.server_port}"


def etag_of(content: bytes) -> str:
    if len(content) >= 1000:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub = self.hub
        authorization = self.headers.get("Authorization", "")
        hub.tokens.append((self.path, authorization))
        parts = self.path.split("?")[0].strip("/").split("/")
        stored = parts[0] == "storage"
        if stored:
            parts = parts[1:]
        elif hub.token and authorization != f"Bearer {hub.token}":
            return self._plain(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        if parts[:2] == ["api", "models"]:
            return self._commits("/".join(parts[2:4]))
        repo = hub.repos.get("/".join(parts[:2]))
        if repo is None:
            return self._plain(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if len(parts) < 5 or parts[3] not in (repo.commit, "main"):
            return self._plain(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        content = repo.files.get(parts[4])
        if content is None:
            return self._plain(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        if len(content) >= 1000 and not stored:
            headers = {
                "X-Repo-Commit": repo.commit,
                "X-Linked-ETag": f'"{etag_of(content)}"',
                "X-Linked-Size": str(len(content)),
                "Location": f"{hub.storage}/storage/{'/'.join(parts)}",
            }
            return self._plain(302, b"", headers)
        commit = repo.newest if parts[3] == "main" and repo.newest else repo.commit
        return self._file(parts[4], content, commit, body=body)

    def _commits(self, repo_id: str) -> None:
        repo = self.hub.repos.get(repo_id)
        if repo is None:
            return self._plain(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        commits = [
            {"id": name, "authors": [], "date": "2022-06-28T00:00:00.000Z", "title": "t", "message": ""}
            for name in ("f" * 40, repo.commit)
        ]
        return self._plain(200, json.dumps(commits).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str, content: bytes, commit: str, *, body: bool) -> None:
        hub = self.hub
        start = 0
        wanted = self.headers.get("Range")
        if wanted:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        if body:
            hub.ranges.setdefault(name, []).append(start)
        if start >= len(content) > 0:
            return self._plain(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        if name in hub.spoiled:
            content = bytes([content[0] ^ 1]) + content[1:]
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", f'"{etag_of(content)}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not body:
            return
        cuts = hub.cuts.get(name)
        end = min(len(content), start + cuts.pop(0)) if cuts else len(content)
        try:
            for at in range(start, end, 4096):
                self.wfile.write(content[at : min(end, at + 4096)])
                if hub.slow:
                    self.wfile.flush()
                    hub.started.set()
                    time.sleep(hub.slow)
        except OSError:
            end = -1
        if end < len(content):
            self.close_connection = True

    def _plain(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
