"""A folder of images, on disk or on S3: what lies in it, and the bytes of each."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import fsspec
import pyarrow as pa
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from fruits_bigdata.schemas import IMAGES_SCHEMA
from fruits_bigdata.storage import open_location

ENDINGS = (".jpg", ".jpeg", ".png")
_BATCH_ROWS = 50_000


class ImageFolder:
    """The images below a folder. It can be pickled: a worker reads with the settings of the driver.

    Args:
        url: The folder: a local path or an `s3://` address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._s3_options = dict(fsspec.config.conf.get("s3", {}))
        self._opened: tuple[AbstractFileSystem, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}

    def _open(self) -> tuple[AbstractFileSystem, str]:
        if self._opened is None:
            fsspec.config.conf["s3"] = self._s3_options
            self._opened = open_location(self.url)
        return self._opened

    def exists(self) -> bool:
        """Tell whether the folder is there."""
        fs, root = self._open()
        return bool(fs.isdir(root))

    def read(self, path: str) -> bytes:
        """Return the bytes of the image at `path`, relative to the folder, by one request.

        Raises:
            OSError: The image cannot be read; FileNotFoundError if it is not there.
        """
        fs, root = self._open()
        return bytes(fs.cat_file(f"{root}/{path}"))

    def list_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield record batches of `schemas.IMAGES_SCHEMA`, folder by folder, folders and names in order.

        Every file with an image's ending, in any letter case, is listed without being opened: empty ones,
        hidden ones and those behind a symbolic link too. `path` is relative to the folder, with `/`; `label`
        is the name of the folder that the image lies in.
        """
        fs, root = self._open()
        return _list_batches(fs, root)


def _list_batches(fs: AbstractFileSystem, root: str) -> Iterator[pa.RecordBatch]:
    folders = [root]
    entered: set[str] = set()
    while folders:
        folder = folders.pop()
        label = _text(folder.rsplit("/", 1)[-1])
        rows: list[tuple[str, str, int, datetime]] = []
        below: list[str] = []
        for entry in _entries(fs, folder):
            name = entry["name"]
            if entry["type"] == "directory":
                if not entry.get("islink") or _enters(name, root, entered):
                    below.append(name)
            elif name.lower().endswith(ENDINGS):
                rows.append((_text(name[len(root) :].lstrip("/")), label, entry["size"], _modified(entry)))
                if len(rows) == _BATCH_ROWS:
                    yield _batch(rows)
                    rows = []
        folders.extend(reversed(below))
        if rows:
            yield _batch(rows)


def _entries(fs: AbstractFileSystem, folder: str) -> Iterator[dict[str, Any]]:
    """Yield what lies directly in `folder`, in the order of the names."""
    if not isinstance(fs, LocalFileSystem):
        # One request tells the details of 1,000 objects.
        yield from sorted(fs.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
        return
    # A local folder of millions is held as names only, not as what is known of each.
    for name in sorted(fs.ls(folder, detail=False)):
        try:
            yield fs.info(name)
        except OSError:
            # A link to nothing is listed all the same, and rejected when it cannot be read.
            if os.path.islink(name):
                yield {"name": name, "type": "file", "size": 0, "mtime": os.lstat(name).st_mtime}


def _batch(rows: list[tuple[str, str, int, datetime]]) -> pa.RecordBatch:
    columns = zip(zip(*rows, strict=True), IMAGES_SCHEMA, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in columns], schema=IMAGES_SCHEMA
    )


def _enters(link: str, root: str, entered: set[str]) -> bool:
    """Tell whether a linked folder is new: neither entered before nor one that the link lies in."""
    target = os.path.realpath(link)
    above = os.path.realpath(os.path.dirname(link)) + "/"
    if target in entered or above.startswith(target + "/"):
        return False
    entered.add(target)
    return True


def _modified(entry: dict[str, Any]) -> datetime:
    if "mtime" in entry:
        return datetime.fromtimestamp(entry["mtime"], UTC)
    modified: datetime = entry["LastModified"]
    return modified


def _text(name: str) -> str:
    # A local name may hold bytes that are no UTF-8; they show as \xNN, so that the image can be reported.
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
