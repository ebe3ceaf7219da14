"""The file of a lock, on disk or on S3: created, replaced and removed by operations that only one can win."""

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import fsspec

from fruits_bigdata.storage import is_s3, open_bucket, open_location

if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import S3Store

# Seconds before a request is sent again whose answer was lost.
_PAUSES = (0.1, 0.3, 1.0)


class LockFile(Protocol):
    """Where a lock's bytes lie. What is asked for happens whole or not at all, whoever else asks."""

    def create(self, content: bytes) -> bool:
        """Write `content` if there is nothing."""

    def read(self) -> bytes | None:
        """Return what is there."""

    def replace(self, seen: bytes, content: bytes) -> bool:
        """Write `content` if `seen` is there."""

    def remove(self, seen: bytes) -> bool:
        """Leave nothing if `seen` is there."""


def open_lock_file(url: str) -> LockFile:
    """Return the file at `url`, a local path or an `s3://` address, whether or not there is one."""
    return _S3Object(url) if is_s3(url) else _DiskFile(url)


class _DiskFile:
    def __init__(self, url: str) -> None:
        self._path = Path(open_location(url)[1])

    def create(self, content: bytes) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._written(content) as new:
            try:
                os.link(new, self._path)
            except FileExistsError:
                return False
        return True

    def read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, seen: bytes, content: bytes) -> bool:
        with self._alone():
            if self.read() != seen:
                return False
            with self._written(content) as new:
                os.replace(new, self._path)
            return True

    def remove(self, seen: bytes) -> bool:
        with self._alone():
            if self.read() != seen:
                return False
            self._path.unlink()
            return True

    @contextmanager
    def _written(self, content: bytes) -> Iterator[Path]:
        new = self._path.with_name(f"{self._path.name}.{uuid.uuid4().hex}")
        try:
            new.write_bytes(content)
            yield new
        finally:
            new.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no two processes compare and replace at once; the system ends it with the process."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


class _S3Object:
    def __init__(self, url: str) -> None:
        bucket, _, self._key = open_location(url)[1].partition("/")
        self._bucket: S3Store = open_bucket(bucket, fsspec.config.conf.get("s3", {}))

    def create(self, content: bytes) -> bool:
        # If-None-Match: *
        return self._put(content, "create")

    def read(self) -> bytes | None:
        found = self._found()
        return None if found is None else found[0]

    def replace(self, seen: bytes, content: bytes) -> bool:
        found = self._found()
        if found is None or found[0] != seen:
            return False
        # If-Match
        return self._put(content, {"e_tag": found[1]})

    def remove(self, seen: bytes) -> bool:
        found = self._found()
        if found is None or found[0] != seen:
            return False
        self._send(lambda: self._bucket.delete(self._key))
        return True

    def _put(self, content: bytes, mode: "PutMode") -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        def put() -> None:
            self._bucket.put(self._key, content, mode=mode, use_multipart=False)

        try:
            self._send(put)
        except (AlreadyExistsError, PreconditionError):
            # By this very request, if it was sent again because the answer to it was lost.
            return self.read() == content
        return True

    def _send(self, request: Callable[[], None]) -> None:
        """Send what changes the lock; obstore does so again after a refusal, but not after a lost answer."""
        from obstore.exceptions import GenericError

        for pause in _PAUSES:
            try:
                return request()
            except GenericError:
                time.sleep(pause)
        return request()

    def _found(self) -> tuple[bytes, str | None] | None:
        try:
            found = self._bucket.get(self._key)
        except FileNotFoundError:
            return None
        return bytes(found.bytes()), found.meta["e_tag"]
