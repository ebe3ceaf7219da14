"""Where a name still stands: in the rows of tables, and in the bytes of every file."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from fruits_bigdata.erasure.request import Request
from fruits_bigdata.schemas import PATH
from fruits_bigdata.storage import is_s3, open_location

_CHUNK_BYTES = 8_000_000
# Both hold other files: numpy's arrays, and slides.
_ARCHIVES = (".npz", ".pptx", ".zip")


@dataclass(frozen=True)
class Trace:
    """A file that still tells of an erased image.

    Attributes:
        url: The file.
        rows: Rows of a table that are of such images; 0 if only the name stands there.
    """

    url: str
    rows: int

    def __str__(self) -> str:
        return f"{self.url} ({f'{self.rows:,} rows' if self.rows else 'the name'})"


def find_traces(places: Iterable[str], request: Request, listed: Iterable[str] = ()) -> list[Trace]:
    """Return the files at or below some places that tell of the images of a request.

    Of Parquet the texts are read, and the rows counted whose `path` matches. Of every other file, and of
    those in archives, the bytes are searched for the names as text, JSON, CSV and numpy spell them.

    Args:
        places: Files and folders.
        request: Whose images.
        listed: Paths of images that stay. A name that is a part of one of these is looked for in the rows
            only: as bytes it would be found for that image's sake.
    """
    distinct = sorted(set(request.names) - _ambiguous(request.names, listed))
    needles = _needles(distinct)
    found = []
    for place in dict.fromkeys(places):
        fs, root = open_location(place)
        if not fs.exists(root):
            continue
        for path in fs.find(root):
            if path.endswith(".parquet"):
                rows, holds = _read_texts(fs, path, request, distinct)
            else:
                rows, holds = 0, bool(needles) and _holds(fs, path, needles)
            if rows or holds:
                found.append(Trace(f"s3://{path}" if is_s3(place) else path, rows))
    return found


def count_others(place: str, request: Request) -> int:
    """Return how many rows of a table of Parquet files are of images that a request does not name."""
    fs, root = open_location(place)
    n = 0
    for path in fs.find(root) if fs.exists(root) else ():
        if path.endswith(".parquet"):
            with fs.open(path, "rb") as file:
                for batch in pq.ParquetFile(file).iter_batches(columns=[PATH]):
                    n += sum(not request.matches(value) for value in batch.column(0).to_pylist())
    return n


def _ambiguous(names: Iterable[str], listed: Iterable[str]) -> set[str]:
    left, found = set(names), set[str]()
    for path in listed:
        found |= {name for name in left if name in path}
        left -= found
    return found


def _needles(names: Iterable[str]) -> list[bytes]:
    found: dict[bytes, None] = {}
    for name in names:
        escaped = json.dumps(name)[1:-1]
        # As text and JSON have it, a CSV, a page's data, and a log that shows Python's own form.
        texts = {name, escaped, json.dumps(name, ensure_ascii=False)[1:-1], name.replace('"', '""')}
        texts |= {repr(name)[1:-1]}
        for mark in "<>&@":
            escaped = escaped.replace(mark, f"\\u{ord(mark):04x}")
        for text in texts | {escaped}:
            # numpy keeps text in four bytes a character.
            found |= dict.fromkeys(
                (text.encode(errors="surrogatepass"), text.encode("utf-32-le", "surrogatepass"))
            )
    return list(found)


def _read_texts(fs: AbstractFileSystem, path: str, request: Request, names: list[str]) -> tuple[int, bool]:
    """Return how many rows of a Parquet file match, and whether any of its other texts holds a name."""
    n, holds = 0, False
    with fs.open(path, "rb") as file:
        table = pq.ParquetFile(file)
        texts = [field.name for field in table.schema_arrow if pa.types.is_string(field.type)]
        for batch in table.iter_batches(columns=texts) if texts else ():
            for column in texts:
                values = batch.column(column).to_pylist()
                if column == PATH:
                    n += sum(request.matches(value) for value in values)
                else:
                    holds |= any(name in value for value in set(values) - {None} for name in names)
    return n, holds


def _holds(fs: AbstractFileSystem, path: str, needles: list[bytes]) -> bool:
    if any(needle in path.encode(errors="surrogateescape") for needle in needles):
        return True
    with fs.open(path, "rb") as file:
        if _holds_bytes(file, needles):
            return True
        # One that is cut off has no members to be read by anybody.
        if not path.endswith(_ARCHIVES) or not zipfile.is_zipfile(file):
            return False
        file.seek(0)
        with zipfile.ZipFile(io.BytesIO(file.read())) as archive:
            return any(_holds_bytes(member, needles) for member in _members(archive))


def _members(archive: zipfile.ZipFile) -> Iterator[IO[bytes]]:
    for name in archive.namelist():
        with archive.open(name) as member:
            yield member


def _holds_bytes(file: IO[bytes] | Any, needles: list[bytes]) -> bool:
    overlap = max(map(len, needles)) - 1
    kept = b""
    while chunk := file.read(_CHUNK_BYTES):
        content = kept + chunk
        if any(needle in content for needle in needles):
            return True
        kept = content[-overlap:] if overlap else b""
    return False
