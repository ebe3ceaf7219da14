"""Where a name still stands: in the rows of tables, and in the bytes of every file."""

import contextlib
import glob
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from fruits_bigdata.erasure.request import Request
from fruits_bigdata.storage.locations import is_s3, url_to_fs
from fruits_bigdata.tables.schemas import PATH

_CHUNK_BYTES = 8_000_000
# A path is no longer than that, on a disk or on S3.
_PATH_BYTES = 4_096
# Both hold other files: numpy's arrays, and slides.
_ARCHIVES = (".npz", ".pptx", ".zip")
# What follows a prefix in the path of an image; `image/` alone is also a part of `image/png`.
_REST = rb'[^"<>\n]{0,%d}?\.(?i:jpe?g|png)' % _PATH_BYTES


@dataclass(frozen=True)
class Trace:
    """A file that tells of images.

    Attributes:
        url: The file.
        names: The paths and prefixes of the request that it tells of.
        rows: Rows of a table that are of such images; 0 if only a name stands there.
    """

    url: str
    names: frozenset[str]
    rows: int = 0

    def __str__(self) -> str:
        rows = f"{self.rows:,} row{'s' if self.rows > 1 else ''}"
        return f"{self.url} ({rows if self.rows else 'the name'})"


class _Spelling(NamedTuple):
    name: str
    needle: bytes
    pattern: re.Pattern[bytes] | None


class StoredFile(NamedTuple):
    fs: AbstractFileSystem
    path: str
    url: str
    # Of the path, what is below its place.
    below: str


def find_traces(places: Iterable[str], request: Request) -> list[Trace]:
    """Return the files at or below some places that tell of the images of a request.

    Of Parquet the texts are read, and the rows counted whose `path` matches. Of every other file, unfinished
    and hidden ones too, and of those in archives, the bytes are searched for the names as text, JSON, CSV
    and numpy spell them. A name that is a part of the path of another image in the tables counts in
    rows only: as bytes it is found for that image's sake.

    Args:
        places: Files and folders.
        request: Whose images.
    """
    spellings = _spellings(request)
    files = {file.url: file for place in places for file in files_at(place)}
    results = {}
    for file in files.values():
        # A run may have replaced it since it was listed.
        with contextlib.suppress(FileNotFoundError):
            results[file.url] = _search(file, request, spellings)
    in_bytes = {name for _, _, texts in results.values() for name in texts}
    if in_bytes:
        in_bytes -= _parts_of_others(in_bytes, files.values(), request)
    traces = [
        Trace(url, frozenset(names | texts & in_bytes), rows) for url, (names, rows, texts) in results.items()
    ]
    return [trace for trace in traces if trace.names]


def files_at(place: str) -> Iterator[StoredFile]:
    """Yield the files at or below a place, and the unfinished ones beside it."""
    fs, root = url_to_fs(place)
    paths = fs.find(root) if fs.exists(root) else []
    if not is_s3(place):
        paths += [path for path in fs.glob(f"{glob.escape(root)}.*.tmp") if fs.isfile(path)]
    for path in paths:
        yield StoredFile(fs, path, f"s3://{path}" if is_s3(place) else path, path.removeprefix(root))


def _spellings(request: Request) -> list[_Spelling]:
    spellings = []
    for name in request.names:
        escaped = json.dumps(name)[1:-1]
        # As text and JSON have it, a CSV, a page's data, and a log that shows Python's own form.
        texts = {name, escaped, json.dumps(name, ensure_ascii=False)[1:-1], name.replace('"', '""')}
        texts |= {repr(name)[1:-1]}
        for mark in "<>&@":
            escaped = escaped.replace(mark, f"\\u{ord(mark):04x}")
        for text in texts | {escaped}:
            needle = text.encode()
            rest = re.compile(re.escape(needle) + _REST) if name not in request.paths else None
            # numpy keeps text in four bytes a character.
            spellings += [_Spelling(name, needle, rest), _Spelling(name, text.encode("utf-32-le"), None)]
    return spellings


def _search(file: StoredFile, request: Request, spellings: list[_Spelling]) -> tuple[set[str], int, set[str]]:
    """Return which names match rows of a file, how many these are, and which names stand in its texts."""
    texts = _names_in(file.below.encode(errors="surrogateescape"), spellings)
    if ".parquet" in file.path:
        # One that is cut off or damaged is searched as bytes.
        with contextlib.suppress(OSError, pa.ArrowException):
            return _search_parquet(file, request, spellings, texts)
    with file.fs.open(file.path, "rb") as opened:
        texts |= _names_in_bytes(opened, spellings)
        opened.seek(0)
        if any(ending in file.path for ending in _ARCHIVES) and zipfile.is_zipfile(opened):
            opened.seek(0)
            # Of a damaged one, the bytes were searched.
            with (
                contextlib.suppress(zipfile.BadZipFile, zlib.error),
                zipfile.ZipFile(io.BytesIO(opened.read())) as archive,
            ):
                # Members that end so list the archive's own files.
                for member in [name for name in archive.namelist() if not name.endswith(".rels")]:
                    with archive.open(member) as inside:
                        texts |= _names_in_bytes(inside, spellings)
    return set(), 0, texts


def _search_parquet(
    file: StoredFile, request: Request, spellings: list[_Spelling], texts: set[str]
) -> tuple[set[str], int, set[str]]:
    names, n = set[str](), 0
    with file.fs.open(file.path, "rb") as opened:
        table = pq.ParquetFile(opened)
        columns = [field.name for field in table.schema_arrow if "string" in str(field.type)]
        for batch in table.iter_batches(columns=columns) if columns else ():
            for column in columns:
                values = pa.chunked_array([batch.column(column)])
                if column == PATH and pa.types.is_string(values.type):
                    matched = values.filter(pa.array(request.mask(values))).to_pylist()
                    n += len(matched)
                    names.update(*map(request.matching, matched))
                else:
                    # A checkpoint of a Delta log has structures of texts.
                    distinct = {str(value) for value in values.to_pylist()}
                    texts |= _names_in("\n".join(distinct).encode(errors="replace"), spellings)
    return names, n, texts


def _parts_of_others(names: Iterable[str], files: Iterable[StoredFile], request: Request) -> set[str]:
    """Return the names that are a part of a path in the tables that does not match the request."""
    rest, parts = set(names), set[str]()
    for file in files:
        if not file.path.endswith(".parquet"):
            continue
        with contextlib.suppress(OSError, pa.ArrowException), file.fs.open(file.path, "rb") as opened:
            table = pq.ParquetFile(opened)
            columns = [PATH] if PATH in table.schema_arrow.names else []
            for batch in table.iter_batches(columns=columns) if columns else ():
                paths = pa.chunked_array([batch.column(PATH)])
                others = paths.filter(pa.array(~request.mask(paths)))
                parts |= {name for name in rest if pc.any(pc.match_substring(others, name)).as_py()}
                rest -= parts
    return parts


def _names_in_bytes(file: IO[bytes] | Any, spellings: list[_Spelling]) -> set[str]:
    overlap = max(len(spelling.needle) for spelling in spellings) + _PATH_BYTES
    names, kept = set[str](), b""
    while chunk := file.read(_CHUNK_BYTES):
        content = kept + chunk
        names |= _names_in(content, [one for one in spellings if one.name not in names])
        kept = content[-overlap:]
    return names


def _names_in(content: bytes, spellings: Iterable[_Spelling]) -> set[str]:
    return {
        name
        for name, needle, pattern in spellings
        if needle in content and (pattern is None or pattern.search(content))
    }
