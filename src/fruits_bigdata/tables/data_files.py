"""The data files of a table: Parquet in one folder, written and read by the driver and by Spark's workers."""

import contextlib
import glob
import io
import os
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fruits_bigdata.storage.locations import is_s3, url_to_fs
from fruits_bigdata.storage.s3 import open_bucket

if TYPE_CHECKING:
    from obstore.store import S3Store

ENDING = ".parquet"
# Rows of a whole file: of features 25 MB, so that a hundred million images are 20,000 files.
MAX_ROWS = 5_000
# 10 MB of features at a time.
_BATCH_ROWS = 2_000
_OWN_NAME = re.compile(rf"part-[0-9a-f]{{12}}-[0-9a-f]{{12}}\{ENDING}")
# Most of a reading from S3 is waiting.
_THREADS = 16


class DamagedFileError(RuntimeError):
    """A data file cannot be read, or is not the one that was written."""


@dataclass(frozen=True)
class DataFile:
    """A data file.

    Attributes:
        name: Its name in the table's folder, of letters, digits, `.`, `_` and `-`.
        size: Bytes.
        rows: Rows.
    """

    name: str
    size: int
    rows: int


class DataFolder:
    """A table's folder. It can be pickled: a worker reads and writes with the settings of the driver.

    Args:
        url: A local path or an `s3://` address.
        schema: Of the files.

    Attributes:
        prefix: What the names of the files begin with that this object and its copies in the workers write.
    """

    def __init__(self, url: str, schema: pa.Schema) -> None:
        s3_options = dict(fsspec.config.conf.get("s3", {}))
        prefix = f"part-{uuid.uuid4().hex[:12]}-"
        self.__setstate__(
            {"url": url.rstrip("/"), "schema": schema, "s3_options": s3_options, "prefix": prefix}
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "schema": self.schema, "s3_options": self._s3_options, "prefix": self.prefix}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.url: str = state["url"]
        self.schema: pa.Schema = state["schema"]
        self._s3_options: dict[str, Any] = state["s3_options"]
        self.prefix: str = state["prefix"]
        self.path = url_to_fs(self.url)[1]
        self._bucket: S3Store | None = None

    def write(self, rows: pa.Table) -> DataFile:
        """Write `rows` as a new file, which a reader sees whole or not at all."""
        name = f"{self.prefix}{uuid.uuid4().hex[:12]}{ENDING}"
        # Repetitions are looked for in text only: among floats there are none.
        texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
        content = io.BytesIO()
        pq.write_table(rows, content, use_dictionary=texts, write_statistics=False, write_page_checksum=True)
        if is_s3(self.url):
            store, key = self._object(name)
            store.put(key, content.getvalue(), use_multipart=False)
        else:
            os.makedirs(self.path, exist_ok=True)
            # Names that begin with a dot are no data to any reader.
            hidden = f"{self.path}/.{name}.tmp"
            try:
                with open(hidden, "wb") as file:
                    file.write(content.getbuffer())
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(hidden, f"{self.path}/{name}")
            except OSError as error:
                # Which disk is full, only the name tells; writing to an open file does not give it.
                error.filename = error.filename or hidden
                raise
            finally:
                if os.path.exists(hidden):
                    os.remove(hidden)
        return DataFile(name, content.tell(), rows.num_rows)

    def read(self, files: Iterable[DataFile], columns: list[str]) -> Iterator[pa.Table]:
        """Yield some columns of each file, in the order of `files`; several are read at once.

        Raises:
            DamagedFileError: A file cannot be read, is gone, or differs from its checksums.
        """
        with ThreadPoolExecutor(_THREADS if is_s3(self.url) else os.cpu_count()) as pool:
            schema = self.schema.empty_table().select(columns).schema
            yield from pool.map(
                lambda file: pa.Table.from_batches(self.batches(file, columns), schema), files
            )

    def batches(self, file: DataFile, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield some columns, or all, of a file, at most 2,000 rows at once; it is never held whole.

        Raises:
            DamagedFileError: The file cannot be read, is gone, or differs from its checksums or the schema.
        """
        names = columns or self.schema.names
        schema = pa.schema([self.schema.field(name) for name in names])
        try:
            with (
                self._open(file.name) as opened,
                pq.ParquetFile(opened, page_checksum_verification=True) as parquet,
            ):
                for batch in parquet.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
                    # A damaged footer may name other columns, or other types.
                    yield batch.select(names).cast(schema)
        except (OSError, KeyError, pa.ArrowException) as error:
            # A failure of the disk or of the way to it has a number; that of a checksum has none.
            if isinstance(error, OSError) and error.errno and not isinstance(error, FileNotFoundError):
                raise
            raise DamagedFileError(f"{self.url}/{file.name}: {error}") from error

    def rewrite(self, dropped: Mapping[DataFile, NDArray[Any]]) -> DataFile | None:
        """Write the rows of some files as one new file, without some of them.

        Args:
            dropped: For each file the numbers of its rows that are left out.

        Returns:
            The new file; None if no row is left.
        """
        kept = []
        for file, numbers in dropped.items():
            rows = pa.Table.from_batches(self.batches(file))
            mask = np.ones(rows.num_rows, dtype=bool)
            mask[numbers] = False
            kept.append(rows.filter(pa.array(mask)))
        rows = pa.concat_tables(kept).combine_chunks()
        return self.write(rows) if rows.num_rows else None

    def holds_other_data(self) -> bool:
        """Tell whether somebody else's data lie in the folder: Spark's files, or partitions."""
        if any(not _OWN_NAME.match(name) for name, _, _ in self._entries()):
            return True
        fs, path = url_to_fs(self.url)
        return bool(fs.isdir(path)) and bool(fs.glob(f"{glob.escape(path)}/version=*"))

    def sizes(self) -> dict[str, int]:
        """Return the size of each data file in the folder, by name, in bytes."""
        return {name: size for name, size, _ in self._entries()}

    def remove(self, names: Collection[str]) -> None:
        """Remove files; one that is gone already is no error."""
        if is_s3(self.url) and names:
            # A thousand in one request.
            self._object("")[0].delete([self._object(name)[1] for name in names])
            return
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.remove(f"{self.path}/{name}")

    def surplus(self, named: Collection[str], before: float) -> set[str]:
        """Return the names of data files, unfinished ones too, that are not among `named`.

        Args:
            named: Names that are left out.
            before: Files last written before that moment, in Unix time by the storage's clock; those of this
                object and its copies whenever they were written.
        """
        return {
            name
            for name, _, written in self._entries(unfinished=True)
            if name not in named and (written < before or name.lstrip(".").startswith(self.prefix))
        }

    def _entries(self, unfinished: bool = False) -> Iterator[tuple[str, int, float]]:
        """Yield name, size and time of writing of each data file directly in the folder."""
        if is_s3(self.url):
            store, prefix = self._object("")
            for entry in store.list_with_delimiter(prefix)["objects"]:
                name = entry["path"].rsplit("/", 1)[-1]
                if name.endswith(ENDING) and not name.startswith((".", "_")):
                    yield name, entry["size"], entry["last_modified"].timestamp()
            return
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return
        for name in names:
            is_data = name.endswith(ENDING) and not name.startswith((".", "_"))
            is_unfinished = name.startswith(".part-") and name.endswith(f"{ENDING}.tmp")
            if is_data or (unfinished and is_unfinished):
                try:
                    status = os.stat(f"{self.path}/{name}")
                except FileNotFoundError:
                    continue
                yield name, status.st_size, status.st_mtime

    def _open(self, name: str) -> IO[bytes] | Any:
        if not is_s3(self.url):
            return pa.OSFile(f"{self.path}/{name}")
        return pa.PythonFile(_OpenObject(*self._object(name)), mode="r")

    def _object(self, name: str) -> "tuple[S3Store, str]":
        """Return the bucket and the key of a file of the folder."""
        bucket, _, folder = self.path.partition("/")
        if self._bucket is None:
            self._bucket = open_bucket(bucket, self._s3_options)
        return self._bucket, f"{folder}/{name}" if folder else name


class _OpenObject(io.RawIOBase):
    """An object of a bucket as a file: what is read of it is fetched, some more ahead."""

    def __init__(self, store: "S3Store", key: str) -> None:
        # Imported here, so that only what reads from S3 waits for it.
        import obstore

        self._file = obstore.open_reader(store, key)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size if size >= 0 else None).to_bytes()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def share_out(files: Collection[DataFile], n: int) -> list[list[DataFile]]:
    """Share files out to at most n parts, so that each has about as many bytes."""
    parts: list[list[DataFile]] = [[] for _ in range(min(n, len(files)))]
    loads = [0] * len(parts)
    # The largest first, each to who has least.
    for file in sorted(files, key=lambda file: -file.size):
        least = loads.index(min(loads))
        parts[least].append(file)
        loads[least] += file.size
    return parts
