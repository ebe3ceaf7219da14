"""Files that a reader sees whole, whoever replaces them."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import fsspec

from fruits_bigdata.storage.locations import is_s3, url_to_fs
from fruits_bigdata.storage.s3 import open_bucket


@contextmanager
def as_local_file(url: str) -> Iterator[str]:
    """Yield the path of a local file with what `url` holds, one version of it whoever replaces it meanwhile.

    An S3 object is copied to a temporary file by one request, which the client only ever continues with the
    same version.
    """
    _, path = url_to_fs(url)
    if not is_s3(url):
        yield path
        return
    bucket, _, key = path.partition("/")
    with tempfile.NamedTemporaryFile() as file:
        for part in open_bucket(bucket, fsspec.config.conf.get("s3", {})).get(key):
            file.write(part)
        file.flush()
        yield file.name


@contextmanager
def atomic_write(url: str) -> Iterator[IO[bytes]]:
    """Open `url` for writing such that a reader sees the whole new file or none of it.

    A local file is written under a temporary name and renamed; an S3 object appears when its upload is
    complete. If the block raises, what was there before stays.
    """
    fs, path = url_to_fs(url)
    if is_s3(url):
        with tempfile.NamedTemporaryFile() as file:
            yield file
            file.flush()
            fs.put_file(file.name, path)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
