"""A store that only grows: rows are appended, none is ever overwritten."""

import logging
from typing import Any, Generic, TypeVar

import pyarrow as pa
from kedro.io import AbstractDataset, DatasetError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata import schemas
from fruits_bigdata.datasets.store_rewrite import StoreRewrite
from fruits_bigdata.spark_session import empty_table
from fruits_bigdata.storage import open_location, spark_location

# Where committers keep what a job has not committed: Spark's own, and S3A's magic one.
_UNCOMMITTED = ("_temporary", "__magic")
# Times that a reader looks again because the store was rewritten meanwhile.
_LOOKS = 10

Saved = TypeVar("Saved")

logger = logging.getLogger(__name__)


class _StoreDataset(AbstractDataset[Saved, DataFrame], Generic[Saved]):
    """A folder of Parquet files with a schema of its own.

    A folder that does not exist yet, is empty or holds only the remains of a crash loads as an empty table.
    """

    _SINGLE_PROCESS = True

    def __init__(
        self,
        *,
        filepath: str,
        schema: str,
        save_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = filepath.rstrip("/")
        self._schema: pa.Schema = getattr(schemas, schema)
        self._save_args = save_args or {}
        self.metadata = metadata

    def load(self) -> DataFrame:
        """Return all rows, current or not, each once, even while the store is being rewritten."""
        spark = SparkSession.builder.getOrCreate()
        for _ in range(_LOOKS):
            rewrite = StoreRewrite.load(self._filepath)
            names = self._files()
            counting = [name for name in names if rewrite.counts(name)]
            if not counting:
                rows = empty_table(spark, self._schema)
            else:
                # Spark lists the folder itself, and many files faster than when each is named. While a store
                # is rewritten, new files may come between this listing and Spark's.
                whole = rewrite.phase == "done"
                given = [self._filepath] if whole else [f"{self._filepath}/{name}" for name in counting]
                reader = spark.read.schema(from_arrow_schema(self._schema))
                rows = reader.parquet(*map(spark_location, given))
            if StoreRewrite.load(self._filepath) == rewrite:
                return rows
        raise DatasetError(f"The store {self._filepath} is rewritten over and over: try again later")

    def _append(self, rows: DataFrame, **options: str) -> None:
        writer = rows.write.options(**self._save_args | options).mode("append")
        writer.parquet(spark_location(self._filepath))

    def _repair(self) -> None:
        """Remove what a dead run left: it holds the lock no more, and this one does."""
        fs, root = open_location(self._filepath)
        # A dead job's uncommitted files, which the next commit would publish as well.
        for name in self._names():
            if name.startswith(_UNCOMMITTED):
                fs.rm(f"{root}/{name}", recursive=True)
        rewrite = StoreRewrite.load(self._filepath)
        if rewrite.phase != "done":
            self._finish(rewrite)
            logger.warning(
                "A rewriting of %s had been cut off while %s files; the store is as it was %s it",
                self._filepath,
                rewrite.phase,
                "before" if rewrite.phase == "writing" else "after",
            )

    def _finish(self, rewrite: StoreRewrite) -> None:
        """Remove the files that do not count, each after the checksum that Hadoop keeps beside it on disk."""
        fs, root = open_location(self._filepath)
        surplus = {name for name in self._files() if not rewrite.counts(name)}
        checksums = {f".{name}.crc" for name in surplus} & self._names()
        for names in (checksums, surplus):
            if names:
                fs.rm([f"{root}/{name}" for name in sorted(names)])
        StoreRewrite("done").save(self._filepath)

    def _files(self) -> list[str]:
        return sorted(name for name in self._names() if name.endswith(".parquet"))

    def _names(self) -> set[str]:
        fs, root = open_location(self._filepath)
        if not fs.isdir(root):
            return set()
        return {path.rsplit("/", 1)[-1] for path in fs.ls(root, detail=False)}

    def _exists(self) -> bool:
        return bool(self._files())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class AppendOnlyStoreDataset(_StoreDataset[DataFrame]):
    """A folder of Parquet files that each save adds to.

    Args:
        filepath: The store's folder: a local path or an `s3://` address.
        schema: The name of an Arrow schema in `fruits_bigdata.schemas`.
        save_args: Options of Spark's Parquet writer.
        metadata: Ignored by Kedro; read by plugins.
    """

    def save(self, data: DataFrame) -> None:
        """Append `data`; an empty one leaves no trace."""
        self._repair()
        if not data.isEmpty():
            self._append(data)


class RewrittenStoreDataset(_StoreDataset[list[DataFrame]]):
    """An append-only store under the name by which it is rewritten as a whole; the arguments are the same.

    Readers through the catalog see the old rows until all of the new ones are written. Other readers may see
    both for as long as the old files take to remove.
    """

    def save(self, data: list[DataFrame]) -> None:
        """Let the one table in `data` be the store; with none in it, leave the store as it is.

        Raises:
            DatasetError: What was written is not what was to be written; the store is as it was.
        """
        self._repair()
        if not data:
            return
        (rows,) = data
        replaced = self._files()
        expected = rows.count()
        StoreRewrite("writing", replaced).save(self._filepath)
        # All new files appear when the job is done, not one by one: other readers see doubles for less long.
        self._append(rows, **{"mapreduce.fileoutputcommitter.algorithm.version": "1"})
        new = [f"{self._filepath}/{name}" for name in self._files() if name not in set(replaced)]
        written = _count(new)
        if written != expected:
            raise DatasetError(
                f"{written:,} rows of {expected:,} were written to {self._filepath}; the old files count"
            )
        removing = StoreRewrite("removing", replaced)
        removing.save(self._filepath)
        self._finish(removing)
        logger.info(
            "Rewrote %s: %s rows, %d files instead of %d",
            self._filepath,
            f"{written:,}",
            len(new),
            len(replaced),
        )


def _count(files: list[str]) -> int:
    if not files:
        return 0
    return SparkSession.builder.getOrCreate().read.parquet(*map(spark_location, files)).count()
