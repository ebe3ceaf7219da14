"""The data files of a store of features, read by the workers themselves.

What Spark reads from Parquet passes through Java row by row, float by float, before a Python worker sees it
as Arrow. Read by pyarrow in the worker, columns stay columns, which takes a fraction of the time.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.storage import is_s3, open_location

# As many rows as Spark would hand over at once (spark.sql.execution.arrow.maxRecordsPerBatch): 10 MB.
_BATCH_ROWS = 2_000
_READ_AHEAD_BYTES = 4_000_000

Result = TypeVar("Result")


class FeatureFiles:
    """Files that a worker can read; it can be pickled, with the driver's settings of S3.

    Args:
        urls: Local paths, with `file:` before them, or `s3://` or `s3a://` addresses.
    """

    def __init__(self, urls: Collection[str]) -> None:
        self.urls = sorted(urls)
        self._s3_options: dict[str, Any] = dict(fsspec.config.conf.get("s3", {}))

    @classmethod
    def of(cls, table: DataFrame) -> "FeatureFiles | None":
        """Return the files that `table` is read from; None if it is in memory or on another storage."""
        # Hadoop escapes what is no part of an address.
        urls = [unquote(url) for url in table.inputFiles()]
        return cls(urls) if urls and all(is_s3(url) or url.startswith("file:") for url in urls) else None

    @property
    def names(self) -> frozenset[str]:
        """Names of the files; Spark gives no two the same."""
        return frozenset(map(_name, self.urls))

    def named(self, names: Collection[str]) -> "FeatureFiles":
        """Return the files with these names."""
        return FeatureFiles([url for url in self.urls if _name(url) in names])

    def split(self, n: int) -> list["FeatureFiles"]:
        """Share the files out to at most `n`, so that each has about as many bytes."""
        sizes = {url: self._size(url) for url in self.urls}
        parts: list[list[str]] = [[] for _ in range(min(n, len(self.urls)))]
        loads = [0] * len(parts)
        # The largest first, each to who has least.
        for url in sorted(sizes, key=lambda url: -sizes[url]):
            least = loads.index(min(loads))
            parts[least].append(url)
            loads[least] += sizes[url]
        return [FeatureFiles(part) for part in parts]

    def collect(
        self,
        session: SparkSession,
        function: Callable[[Iterator[pa.RecordBatch]], Result],
        columns: list[str],
        n_tasks: int,
    ) -> list[Result]:
        """Return what a function makes of the rows of each part, as plain Python, which Java hands on unseen.

        Args:
            session: Whose workers read.
            function: Of batches with `columns`.
            columns: What is read of the files.
            n_tasks: Among how many tasks, at most, the files are shared out.
        """
        parts = self.split(n_tasks)
        numbers = session.sparkContext.parallelize(range(len(parts)), max(1, len(parts)))
        return numbers.map(lambda number: function(parts[number].read_batches(columns))).collect()

    def map_in_arrow(
        self,
        session: SparkSession,
        function: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]],
        columns: list[str],
        schema: pa.Schema,
        n_tasks: int,
    ) -> DataFrame:
        """Apply a function to the rows, as `DataFrame.mapInArrow` does to a table's.

        Args:
            session: Whose workers read.
            function: From batches with `columns` to batches of `schema`.
            columns: What is read of the files.
            schema: Of the result.
            n_tasks: Among how many tasks, at most, the files are shared out.
        """
        parts = self.split(n_tasks)

        def read_and_apply(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            numbers = (number for batch in batches for number in batch.column(0).to_pylist())
            for number in numbers:
                yield from function(parts[number].read_batches(columns))

        numbers = session.range(0, len(parts), 1, max(1, len(parts)))
        return numbers.mapInArrow(read_and_apply, from_arrow_schema(schema))

    def read_batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of all files, at most 2,000 at once; a file is never held whole."""
        for url in self.urls:
            fs, path = self._open(url)
            with fs.open(path, "rb") as file, pq.ParquetFile(file, buffer_size=_READ_AHEAD_BYTES) as parquet:
                yield from parquet.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False)

    def _open(self, url: str) -> tuple[fsspec.AbstractFileSystem, str]:
        # A worker is a process that no hook has configured.
        fsspec.config.conf["s3"] = self._s3_options
        return open_location(url)

    def _size(self, url: str) -> int:
        fs, path = self._open(url)
        return int(fs.size(path))


def _name(url: str) -> str:
    return url.rsplit("/", 1)[-1]
