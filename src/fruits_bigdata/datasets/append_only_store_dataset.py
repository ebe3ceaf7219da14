"""A store that only grows: rows are appended, none is ever overwritten."""

from typing import Any

import pyarrow as pa
from kedro.io import AbstractDataset
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata import schemas
from fruits_bigdata.spark_session import empty_table
from fruits_bigdata.storage import open_location, spark_location

# Where Spark's committer keeps what a job has not committed.
_UNCOMMITTED = "_temporary"


class AppendOnlyStoreDataset(AbstractDataset[DataFrame, DataFrame]):
    """A folder of Parquet files that each save adds to.

    The store knows its schema, so that a folder that does not exist yet, is empty or holds only the remains
    of a crash loads as an empty table.

    Args:
        filepath: The store's folder: a local path or an `s3://` address.
        schema: The name of an Arrow schema in `fruits_bigdata.schemas`.
        save_args: Options of Spark's Parquet writer.
        metadata: Ignored by Kedro; read by plugins.
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
        self._swept = False
        self.metadata = metadata

    def load(self) -> DataFrame:
        """Return all rows, current or not."""
        spark = SparkSession.builder.getOrCreate()
        if not self._exists():
            return empty_table(spark, self._schema)
        return spark.read.schema(from_arrow_schema(self._schema)).parquet(spark_location(self._filepath))

    def save(self, data: DataFrame) -> None:
        """Append `data`; an empty one leaves no trace."""
        if data.isEmpty():
            return
        self._sweep()
        data.write.options(**self._save_args).mode("append").parquet(spark_location(self._filepath))

    def _sweep(self) -> None:
        """Remove a dead job's uncommitted files, which the next commit would publish as well."""
        if self._swept:
            return
        fs, root = open_location(self._filepath)
        if fs.exists(f"{root}/{_UNCOMMITTED}"):
            fs.rm(f"{root}/{_UNCOMMITTED}", recursive=True)
        self._swept = True

    def _exists(self) -> bool:
        fs, root = open_location(self._filepath)
        if not fs.isdir(root):
            return False
        return any(path.endswith(".parquet") for path in fs.ls(root, detail=False))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
