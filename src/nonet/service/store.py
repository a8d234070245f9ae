"""Where pictures lie: each under the hash of its bytes, in a folder or in whatever fsspec reaches."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from nonet.errors import NonetError
from nonet.files import atomic_write, write_error

_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{62}(\.[a-z0-9]{1,8})?")
_PARTS = "parts"
_LOCKS = 64


class Store:
    """Content-addressed bytes; thread-safe.

    Args:
        url: a folder, or a URL of fsspec such as `s3://bucket/nonet`.
        options: for fsspec's file system.

    Raises:
        NonetError: `config_invalid` for a URL that fsspec does not know; `output_unwritable`.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        try:
            self._fs, root = fsspec.core.url_to_fs(url, **options)
        except (ValueError, ImportError) as error:
            raise NonetError("config_invalid", f"The store {url} cannot be opened: {error}.") from error
        self._root = root.rstrip("/")
        self._local = Path(self._root) if isinstance(self._fs, LocalFileSystem) else None
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        if self._local is not None:
            try:
                (self._local / _PARTS).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise write_error(self._local, error) from error

    @staticmethod
    def key_of(data: bytes, suffix: str) -> str:
        """The key that `put` gives these bytes; `suffix` such as `.png`."""
        digest = hashlib.sha256(data).hexdigest()
        return f"{digest[:2]}/{digest[2:]}{suffix}"

    def put(self, data: bytes, suffix: str) -> str:
        """Store bytes, whole or not at all, and return their key.

        Raises:
            NonetError: `disk_full` or `output_unwritable`.
        """
        key = self.key_of(data, suffix)
        with self._lock(key):
            if self._local is not None:
                path = self._local / key
                if not path.exists():
                    with atomic_write(path, through=self._local / _PARTS) as stream:
                        stream.write(data)
                return key
            with self._failing(key):
                # An object store shows an object when it is whole.
                self._fs.pipe_file(self._path(key), data)
        return key

    def get(self, key: str) -> bytes:
        """The bytes of a key.

        Raises:
            NonetError: `not_found`, also for what is no key; `output_unwritable` if the store does not answer.
        """
        path = self._path(key)
        try:
            data = self._fs.cat_file(path)
        except FileNotFoundError:
            raise NonetError("not_found", "There is no such picture.") from None
        except Exception as error:  # every backend has its own errors
            raise NonetError("output_unwritable", f"The picture store does not answer: {error}.") from error
        return bytes(data)

    def exists(self, key: str) -> bool:
        """Whether bytes lie under this key."""
        try:
            path = self._path(key)
        except NonetError:
            return False
        if self._local is not None:
            return (self._local / key).is_file()
        with self._failing(key):
            self._fs.invalidate_cache()
            return bool(self._fs.exists(path))

    def delete(self, key: str) -> None:
        """Remove a key; one that is not there is no error."""
        with self._lock(key):
            self._remove(key)

    def delete_unless(self, key: str, needed: Any) -> bool:
        """Remove a key unless `needed()` says otherwise; no `put` of the same key runs meanwhile.

        Returns:
            Whether it is gone.
        """
        with self._lock(key):
            if needed():
                return False
            self._remove(key)
            return True

    def keys(self) -> Iterator[str]:
        """Every key; for the doctor, it reads the whole store."""
        with self._failing("list"):
            self._fs.invalidate_cache()
            found = self._fs.find(self._root)
        for path in found:
            key = "/".join(str(path).replace("\\", "/").rsplit("/", 2)[-2:])
            if _KEY.fullmatch(key):
                yield key

    def clean(self) -> int:
        """Remove what writers left behind that were killed; nobody may be writing. Returns how many."""
        if self._local is None:
            return 0
        left = list((self._local / _PARTS).iterdir())
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def leftovers(self) -> int:
        """How many files `clean` would remove."""
        return len(list((self._local / _PARTS).iterdir())) if self._local is not None else 0

    def check(self) -> None:
        """Try whether the store can be written to.

        Raises:
            NonetError: `disk_full` or `output_unwritable`.
        """
        self.delete(self.put(b"nonet", ".probe"))

    def _remove(self, key: str) -> None:
        path = self._path(key)
        with self._failing(key):
            try:
                self._fs.rm_file(path)
            except FileNotFoundError:
                return

    def _path(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise NonetError("not_found", "There is no such picture.")
        return f"{self._root}/{key}"

    def _lock(self, key: str) -> threading.Lock:
        return self._locks[hash(key) % _LOCKS]

    @contextmanager
    def _failing(self, key: str) -> Iterator[None]:
        try:
            yield
        except NonetError:
            raise
        except OSError as error:
            raise write_error(Path(key), error) from error
        except Exception as error:  # botocore's errors are no OSError
            raise NonetError("output_unwritable", f"The picture store does not answer: {error}.") from error
