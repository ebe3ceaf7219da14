"""A folder of images, on disk or on S3: what lies in it, and the bytes of each."""

import errno
import logging
import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import fsspec
import pyarrow as pa
from fsspec import AbstractFileSystem

from fruits_bigdata.images.budget import MAX_FILE_BYTES
from fruits_bigdata.storage.errors import StorageError, is_s3_failure
from fruits_bigdata.storage.locations import is_s3, url_to_fs
from fruits_bigdata.storage.s3 import open_bucket
from fruits_bigdata.tables.schemas import IMAGES_SCHEMA

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import S3Store

_DECODED = (".jpg", ".jpeg", ".jpe", ".jfif", ".png")
# Listed as well, and rejected with the name of their format: nobody's photograph is left out without a word.
_NOT_DECODED = (".webp", ".avif", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".gif")
ENDINGS = _DECODED + _NOT_DECODED
# Of other files; longer ones are none.
_ENDING = re.compile(r"[^.]\.(\w{1,8})$", re.ASCII)
# A trial with a limit reads the first batch only.
_FIRST_ROWS = 1_000
_BATCH_ROWS = 50_000
# As many as S3 tells at once.
_KEYS_PER_REQUEST = 1_000

# Before a local name that is no UTF-8. No path of a disk has a double slash, so it is nobody else's name.
_NO_UTF8 = "not-utf-8://"
# Of an object whose body breaks off.
_READINGS = 5

# S3 refuses this object, as one that is archived; other refusals, of credentials for example, are of all.
_CODES_OF_ONE_OBJECT = ("AccessDenied", "InvalidObjectState")

# What Spark writes to Parquet without regard to old calendars, and pandas holds in nanoseconds.
_FIRST_DATE, _LAST_DATE = datetime(1900, 1, 1, tzinfo=UTC), datetime(2262, 4, 11, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Path, label, length, modified.
Row = tuple[str, str, int, datetime]

logger = logging.getLogger(__name__)


class ImageSizeError(OSError):
    """An image is not read: it has not the size that it was listed with, or more than any may have."""


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
            self._opened = url_to_fs(self.url)
        return self._opened

    def exists(self) -> bool:
        """Tell whether the folder is there."""
        fs, root = self._open()
        if not is_s3(self.url):
            return bool(fs.isdir(root))
        bucket, prefix = _bucket_and_prefix(root)
        try:
            page = fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        except FileNotFoundError:
            return False
        return not prefix or bool(page.get("Contents"))

    def read(self, path: str, length: int | None = None) -> bytes:
        """Return the bytes of the image at `path`, relative to the folder, by one request.

        No more is read, nor held, than was listed.

        Args:
            path: As it was listed.
            length: The size that it was listed with; None takes whatever it has, up to `MAX_FILE_BYTES`.

        Raises:
            OSError: The image cannot be read; FileNotFoundError if it is not there, ImageSizeError if it has
                another size than `length`, or too many bytes.
            StorageError: S3 did not answer as it should, for all that it was asked again.
        """
        if is_s3(self.url):
            return self._read_object(path, length)
        return _read_file(self.location(path), length)

    def _read_object(self, path: str, length: int | None) -> bytes:
        fs, root = self._open()
        name, prefix = _bucket_and_prefix(root)
        key = prefix + path
        with self._opening:
            if self._bucket is None:
                self._bucket = open_bucket(name, self._s3_options)
        try:
            try:
                # obstore takes one slash away, which may be the key's own.
                return _whole_object(self._bucket, f"/{key}", length)
            except ValueError:
                # obstore has no name for a key with a control character, an empty part or a part of dots.
                return _get_object(fs, name, key, length)
        except (MemoryError, ImageSizeError):
            raise
        except Exception as error:
            # obstore quotes S3's answer, botocore the code in it.
            text = f"{error} {error.__cause__}"
            codes = _CODES_OF_ONE_OBJECT
            code = next((one for one in codes if f"<Code>{one}<" in text or f"({one}) when" in text), None)
            if code is not None:
                raise PermissionError(f"S3 answers {code}") from error
            if isinstance(error, FileNotFoundError) and not is_s3_failure(error):
                raise
            raise StorageError.of_s3(f"reading {self.url}/{path}", error, self._s3_options) from error

    def location(self, path: str) -> str:
        """Return where the image at `path` lies: a name on disk, or the bucket, a slash and the key."""
        _, root = self._open()
        if is_s3(self.url):
            bucket, prefix = _bucket_and_prefix(root)
            return f"{bucket}/{prefix}{path}"
        return f"{root}/{_name(path)}"

    def list_batches(
        self, unlisted: list[str] | None = None, others: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield record batches of `schemas.IMAGES_SCHEMA`, in the same order each time.

        Every file with an image's ending, in any letter case, is listed without being opened: empty ones,
        hidden ones, those behind a symbolic link and those of formats that are not decoded too. `path` is
        relative to the folder, with `/`; `label` is the name of the folder that the image lies in. On disk,
        folders and the names in each come in order; on S3 the keys do, and each request tells 1,000. A local
        name that is no UTF-8 is spelled as docs/names.md says.

        Args:
            unlisted: Receives, as the iteration goes on, what the paths of images begin with of which nobody
                can tell whether they are there: each folder on disk that could not be listed, with a `/` at
                its end, in both spellings that a path below it may have.
            others: Receives the number of files that are no images, by their endings in small letters; ""
                stands for none.

        Raises:
            OSError: The folder itself could not be listed.
        """
        fs, root = self._open()
        others = Counter() if others is None else others
        if is_s3(self.url):
            return _batches(_list_bucket(fs, root, others))
        return _batches(_list_disk(root, [] if unlisted is None else unlisted, others))


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    size = min(_FIRST_ROWS, _BATCH_ROWS)
    while some := list(islice(rows, size)):
        yield _batch(some)
        size = _BATCH_ROWS


def _bucket_and_prefix(root: str) -> tuple[str, str]:
    """Return the bucket and what every key of the folder begins with: nothing, or the folder and a slash."""
    bucket, _, folder = root.partition("/")
    return bucket, f"{folder}/" if folder else ""


def _is_image(name: str, others: Counter[str]) -> bool:
    """Tell whether a file is listed, and count it if it is not."""
    if name.lower().endswith(ENDINGS):
        return True
    ending = _ENDING.search(name)
    others[ending[1].lower() if ending else ""] += 1
    return False


def _list_bucket(fs: AbstractFileSystem, root: str, others: Counter[str]) -> Iterator[Row]:
    bucket, prefix = _bucket_and_prefix(root)
    top = root.rsplit("/", 1)[-1]
    # Keys, not s3fs' folders: those end at an empty name, and are held whole.
    request = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": _KEYS_PER_REQUEST}
    while True:
        page = fs.call_s3("list_objects_v2", **request)
        for entry in page.get("Contents", ()):
            path = entry["Key"][len(prefix) :]
            # A key that ends in a slash is a folder that a console made.
            if not path.endswith("/") and path and _is_image(path, others):
                label = path.split("/")[-2] if "/" in path else top
                yield path, label, entry["Size"], _date_or_epoch(entry["LastModified"])
        if not page["IsTruncated"]:
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def _read_file(location: str, length: int | None) -> bytes:
    # Opening a pipe would wait for somebody to write into it.
    with open(location, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError("not a regular file")
        _check_size(state.st_size, length)
        # One more byte tells of a file that grows meanwhile.
        data = file.read(state.st_size + 1)
        if len(data) != state.st_size:
            _check_size(max(len(data), os.fstat(file.fileno()).st_size), state.st_size)
    return data


def _check_size(size: int, length: int | None) -> None:
    """Refuse what is not to be read, before it is."""
    if length is not None and size != length:
        raise ImageSizeError(f"changed: listed with {length:,} bytes, has {size:,} now")
    if length is None and size > MAX_FILE_BYTES:
        raise ImageSizeError(f"too large: {size:,} bytes, limit {MAX_FILE_BYTES:,}")


def _get_object(fs: AbstractFileSystem, bucket: str, key: str, length: int | None) -> bytes:
    # Not by s3fs' paths, in which a slash at an end or `?versionId=` are no part of the key.
    async def get() -> bytes:
        answer = await fs._call_s3("get_object", Bucket=bucket, Key=key)
        async with answer["Body"] as body:
            _check_size(answer["ContentLength"], length)
            return bytes(await body.read())

    return bytes(fsspec.asyn.sync(fs.loop, get))


def _whole_object(bucket: "S3Store", key: str, length: int | None) -> bytes:
    """Read an object; obstore goes on with one that breaks off only where the server gives ETags."""
    from obstore.exceptions import GenericError

    def open_object() -> "GetResult":
        answer = bucket.get(key)
        _check_size(answer.meta["size"], length)
        return answer

    for _ in range(_READINGS - 1):
        answer = open_object()
        try:
            return answer.bytes().to_bytes()
        except GenericError:
            continue
    return open_object().bytes().to_bytes()


def _list_disk(root: str, unlisted: list[str], others: Counter[str]) -> Iterator[Row]:
    def leave_out(location: str, error: OSError) -> None:
        logger.warning("This cannot be listed, so nobody can tell which images lie below it: %s", error)
        path = _relative(location, root)
        unlisted.extend(sorted({f"{_text(path)}/", f"{_spelled(path)}/"}))

    folders = [root]
    entered: set[str] = set()
    while folders:
        folder = folders.pop()
        try:
            # A folder of millions is held as names only, not as what is known of each.
            names = sorted(os.listdir(folder))
            # One that may be read but not entered tells names, and nothing of what they name.
            os.stat(f"{folder}/.")
        except OSError as error:
            if folder == root:
                raise
            # It may have gone away since its name was read.
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                leave_out(folder, error)
            continue
        label = _text(folder.rsplit("/", 1)[-1])
        below: list[str] = []
        for name in names:
            location = os.path.join(folder, name)
            size, date = 0, _EPOCH
            try:
                state = os.stat(location)
            except OSError as error:
                # A file that went away after the folder was read is gone. Any other image is listed all the
                # same, and rejected when it cannot be read.
                leads_nowhere = isinstance(error, FileNotFoundError) or error.errno == errno.ELOOP
                if leads_nowhere and not os.path.islink(location):
                    continue
                if not leads_nowhere:
                    # It may be a folder, such as one deeper than any path reaches.
                    leave_out(location, error)
                elif not name.lower().endswith(ENDINGS):
                    logger.warning("This link leads nowhere, and images behind it are left out: %s", error)
            else:
                if stat.S_ISDIR(state.st_mode):
                    if not os.path.islink(location) or _enters(location, root, entered):
                        below.append(location)
                    continue
                size, date = state.st_size, _modified(state.st_mtime)
            if _is_image(name, others):
                yield _text(_relative(location, root)), label, size, date
        folders.extend(reversed(below))


def _relative(location: str, root: str) -> str:
    return location[len(root) :].lstrip("/")


def _batch(rows: list[Row]) -> pa.RecordBatch:
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


def _modified(seconds: float) -> datetime:
    try:
        return _date_or_epoch(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        # A file system may hold dates that no calendar has.
        return _EPOCH


def _date_or_epoch(date: datetime) -> datetime:
    return date if _FIRST_DATE <= date <= _LAST_DATE else _EPOCH


def _text(name: str) -> str:
    """Return a local name as text. Bytes that are no UTF-8 become %E9, and a % in such a name %25."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return _spelled(name)
    return name


def _spelled(name: str) -> str:
    # Python holds such a byte as a code point that ends in it.
    return _NO_UTF8 + re.sub("[%\udc80-\udcff]", lambda match: f"%{ord(match[0]) & 0xFF:02X}", name)


def _name(text: str) -> str:
    """Return the local name that `_text` spelled."""
    if not text.startswith(_NO_UTF8):
        return text
    return os.fsdecode(unquote_to_bytes(text.removeprefix(_NO_UTF8)))
