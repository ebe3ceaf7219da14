"""A table that readers see whole: each run publishes a version of its own beside the one it replaces."""

import json
import logging
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import Version, generate_timestamp
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata import schemas
from fruits_bigdata.spark_session import empty_table
from fruits_bigdata.storage import open_location, spark_location, whole_file
from fruits_bigdata.table_source import source_of, with_source, without_source

_PREFIX = "version="
_DONE = "_SUCCESS"
# What the version was made from, and its data files with their sizes. No reader takes it for data.
_SOURCE = "_source.json"

logger = logging.getLogger(__name__)


class PublishedTableDataset(AbstractDataset[DataFrame | pa.RecordBatchReader, DataFrame]):
    """Writes `<filepath>/version=<run id>/` and, once its `_SUCCESS` is there, removes the older versions.

    Loading returns the newest whole version, so a reader through the catalog never sees an unfinished or a
    double one. Any other reader finds a table partitioned by `version`.

    A table that says what it was made from (`fruits_bigdata.table_source`) is published once: another that is
    made from the same, saved while that version's files are all there, leaves it as it is.

    Args:
        filepath: The table's folder: a local path or an `s3://` address.
        file_format: A format that Spark reads and writes.
        schema: The name of an Arrow schema in `fruits_bigdata.schemas`; None lets Spark look into the files.
        may_be_missing: Load an empty table of that schema, rather than fail, as long as nothing is published.
        load_args: Options of Spark's reader.
        save_args: Options of Spark's writer.
        version: Kedro's versions; the run id becomes the version's name.
        metadata: Ignored by Kedro; read by plugins.
    """

    # Kedro hands over the run id to datasets that say so.
    versioned = True
    _SINGLE_PROCESS = True

    def __init__(
        self,
        *,
        filepath: str,
        file_format: str = "parquet",
        schema: str | None = None,
        may_be_missing: bool = False,
        load_args: dict[str, Any] | None = None,
        save_args: dict[str, Any] | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = filepath.rstrip("/")
        self._file_format = file_format
        self._schema: pa.Schema | None = getattr(schemas, schema) if schema else None
        self._may_be_missing = may_be_missing
        self._load_args = load_args or {}
        self._save_args = save_args or {}
        self._version = version or Version(None, None)
        self.metadata = metadata

    def load(self) -> DataFrame:
        """Return the newest whole version, with what it was made from if that is known.

        Raises:
            DatasetError: Nothing has been published yet.
        """
        published = self._published()
        if not published:
            if self._may_be_missing and self._schema is not None:
                return empty_table(SparkSession.builder.getOrCreate(), self._schema)
            raise DatasetError(
                f"Nothing has been published in {self._filepath} yet: run the pipeline that makes it first"
            )
        reader = SparkSession.builder.getOrCreate().read.format(self._file_format).options(**self._load_args)
        if self._schema is not None:
            reader = reader.schema(from_arrow_schema(self._schema))
        table = reader.load(spark_location(f"{self._filepath}/{published[-1]}"))
        source = self._source(published[-1])
        return table if source is None else with_source(table, source)

    def save(self, data: DataFrame | pa.RecordBatchReader) -> None:
        """Publish `data`, unless it is what is published, and remove what it replaces.

        Args:
            data: A Spark DataFrame or, for Parquet, a reader of Arrow record batches, which needs no Spark.
        """
        source = source_of(data) if isinstance(data, DataFrame) else None
        published = self._published()
        if source is not None and published and self._source(published[-1]) == source:
            logger.info("Made from the same as before, and left as it is: %s", self._filepath)
            self._remove_all_but(published[-1])
            return
        # Neither a date nor a number to those who guess the type of a partition column.
        run_id = self._version.save or generate_timestamp()
        name = _PREFIX + run_id.replace("-", "").replace(":", "").replace(".", "")
        location = f"{self._filepath}/{name}"
        if isinstance(data, DataFrame):
            rows = data if source is None else without_source(data)
            writer = rows.write.format(self._file_format).options(**self._save_args).mode("overwrite")
            writer.save(spark_location(location))
            if source is not None:
                with whole_file(f"{location}/{_SOURCE}") as file:
                    file.write(json.dumps({"source": source, "files": self._files(name)}, indent=2).encode())
        else:
            _write_parquet(data, location)
        self._remove_all_but(name)

    def _source(self, name: str) -> str | None:
        """Return what a version was made from; None if that is not known, or if files have changed since."""
        fs, root = open_location(self._filepath)
        try:
            noted = json.loads(fs.cat_file(f"{root}/{name}/{_SOURCE}"))
        except FileNotFoundError:
            return None
        source: str = noted["source"]
        return source if noted["files"] == self._files(name) else None

    def _files(self, name: str) -> dict[str, int]:
        fs, root = open_location(self._filepath)
        found = {
            entry["name"].rsplit("/", 1)[-1]: entry["size"] for entry in fs.ls(f"{root}/{name}", detail=True)
        }
        return {file: size for file, size in sorted(found.items()) if not file.startswith(("_", "."))}

    def _published(self) -> list[str]:
        fs, root = open_location(self._filepath)
        return [name for name in self._versions() if fs.exists(f"{root}/{name}/{_DONE}")]

    def _versions(self) -> list[str]:
        fs, root = open_location(self._filepath)
        if not fs.isdir(root):
            return []
        names = (path.rstrip("/").rsplit("/", 1)[-1] for path in fs.ls(root, detail=False))
        return sorted(name for name in names if name.startswith(_PREFIX))

    def _remove_all_but(self, kept: str) -> None:
        fs, root = open_location(self._filepath)
        for name in self._versions():
            if name != kept:
                fs.rm(f"{root}/{name}", recursive=True)
                logger.debug("Removed %s/%s", root, name)

    def _exists(self) -> bool:
        return bool(self._published())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "file_format": self._file_format}


def _write_parquet(batches: pa.RecordBatchReader, location: str) -> None:
    with (
        whole_file(f"{location}/part-00000.parquet") as file,
        pq.ParquetWriter(file, batches.schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
    with whole_file(f"{location}/{_DONE}"):
        pass
