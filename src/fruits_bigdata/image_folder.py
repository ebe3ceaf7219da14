"""A folder of images, on disk or on S3: what lies in it, and the bytes of each."""

import logging
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from fruits_bigdata.schemas import IMAGES_SCHEMA
from fruits_bigdata.storage import is_s3, open_bucket, open_location

if TYPE_CHECKING:
    from obstore.store import S3Store

ENDINGS = (".jpg", ".jpeg", ".png")
_BATCH_ROWS = 50_000

# S3 refuses this object, as one that is archived; other refusals, of credentials for example, are of all.
_CODES_OF_ONE_OBJECT = ("AccessDenied", "InvalidObjectState")

logger = logging.getLogger(__name__)


class ImageFolder:
    """The images below a folder. It can be pickled: a worker reads with the settings of the driver.

    Args:
        url: The folder: a local path or an `s3://` address.
    """

    def __init__(self, url: str) -> None:
        self.__setstate__({"url": url, "s3_options": dict(fsspec.config.conf.get("s3", {}))})

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "s3_options": self._s3_options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.url: str = state["url"]
        self._s3_options: dict[str, Any] = state["s3_options"]
        self._opened: tuple[AbstractFileSystem, str] | None = None
        self._bucket: S3Store | None = None
        self._opening = threading.Lock()

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
            obstore.exceptions.BaseError: S3 did not answer as it should, for all that it was asked again.
        """
        if is_s3(self.url):
            return self._read_object(path)
        fs, root = self._open()
        location = f"{root}/{path}"
        # Opening a pipe would wait for somebody to write into it.
        if isinstance(fs, LocalFileSystem) and not stat.S_ISREG(os.stat(location).st_mode):
            raise OSError("not a regular file")
        return bytes(fs.cat_file(location))

    def _read_object(self, path: str) -> bytes:
        from obstore.exceptions import PermissionDeniedError

        name, _, prefix = self.url.split("://", 1)[1].strip("/").partition("/")
        key = f"{prefix}/{path}" if prefix else path
        with self._opening:
            if self._bucket is None:
                self._bucket = open_bucket(name, self._s3_options)
        try:
            return self._bucket.get(key).bytes().to_bytes()
        except ValueError:
            # obstore has no name for a key with a control character or an empty part.
            fs, root = self._open()
            return bytes(fs.cat_file(f"{root}/{path}", max_concurrency=1))
        except PermissionDeniedError as error:
            code = next((code for code in _CODES_OF_ONE_OBJECT if f"<Code>{code}<" in str(error)), None)
            if code is None:
                raise
            raise PermissionError(f"S3 answers {code}") from error

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
    try:
        # A local folder of millions is held as names only, not as what is known of each.
        names = sorted(fs.ls(folder, detail=False))
    except PermissionError as error:
        logger.warning("This folder cannot be listed, and its images are left out: %s", error)
        return
    for name in names:
        try:
            yield fs.info(name)
        except OSError as error:
            # What cannot be examined, such as a link to nothing, is listed all the same, and rejected when it
            # cannot be read; but a file that went away after the folder was read is gone.
            if os.path.islink(name) or not isinstance(error, FileNotFoundError):
                yield {"name": name, "type": "file", "size": 0, "mtime": 0.0}


def _batch(rows: list[tuple[str, str, int, datetime]]) -> pa.RecordBatch:
    columns = zip(zip(*rows, strict=True), IMAGES_SCHEMA, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in columns], schema=IMAGES_SCHEMA
    )


def _enters(link: str, root: str, entered: set[str]) -> bool:
    """Tell whether a linked folder is new: neither entered before nor one that the link lies in."""
    target = os.path.realpath(link)
    above = os.path.realpath(os.path.dirname(link)) + "/"
    if target in entered or above.startswith(target.rstrip("/") + "/"):
        logger.warning("The link %s is not followed: %s is listed without it", link, target)
        return False
    entered.add(target)
    return True


def _modified(entry: dict[str, Any]) -> datetime:
    if "mtime" not in entry:
        modified: datetime = entry["LastModified"]
        return modified
    try:
        return datetime.fromtimestamp(entry["mtime"], UTC)
    except (OverflowError, ValueError, OSError):
        # A file system may hold dates that no calendar has.
        return datetime.fromtimestamp(0, UTC)


def _text(name: str) -> str:
    # A local name may hold bytes that are no UTF-8; they show as \xNN, so that the image can be reported.
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
