"""The scores as CSV, for people and for programs that read nothing else."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from kedro.io import AbstractDataset, DatasetError
from pyarrow import csv

from fruits_bigdata.storage.files import as_local_file, atomic_write
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.tables.schemas import PATH

_FILE = "pca.csv"
# What the CSV was made from, and its size. No reader takes it for data.
_SOURCE = "_source.json"


# A spreadsheet takes a text that begins so for a formula (OWASP, "CSV Injection"); an apostrophe before it
# makes it text again, and stands before an apostrophe too, so that it can be taken off.
_FORMULA = r"['=+\-@\t\r]"


@dataclass(frozen=True, eq=False)
class ScoresCsv:
    """What is to be written.

    Attributes:
        source: What the rows are made of, in words that change when they do.
        schema: Of the rows.
        batches: The rows.
    """

    source: str
    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


class ScoresCsvDataset(AbstractDataset[ScoresCsv, pa.ChunkedArray]):
    """A folder with one CSV file, which a reader sees whole: the old one or the new one.

    One file, whatever the number of rows: several could not be replaced at once. It is written by the driver
    from the scores' Arrow columns. One that was made from the same source is left as it is.

    Args:
        filepath: The folder: a local path or an `s3://` address.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath.rstrip("/")
        self.metadata = metadata

    def load(self) -> pa.ChunkedArray:
        """Return the paths of all rows as they are in the tables.

        Raises:
            DatasetError: There is no CSV yet.
        """
        fs, path = url_to_fs(f"{self._filepath}/{_FILE}")
        if not fs.exists(path):
            raise DatasetError(
                f"There is no {self._filepath}/{_FILE}: run `kedro run --pipelines export` first"
            )
        with as_local_file(f"{self._filepath}/{_FILE}") as file:
            rows = csv.read_csv(
                file,
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(include_columns=[PATH], column_types={PATH: pa.string()}),
            )
        return pc.replace_substring_regex(rows.column(PATH), f"^'({_FORMULA})", r"\1")

    def save(self, data: ScoresCsv) -> None:
        """Replace the CSV, unless it was made from the same."""
        if self._source() == data.source:
            return
        with atomic_write(f"{self._filepath}/{_FILE}") as file, csv.CSVWriter(file, data.schema) as writer:
            for batch in data.batches:
                writer.write_batch(_without_formulas(batch))
        with atomic_write(f"{self._filepath}/{_SOURCE}") as file:
            file.write(json.dumps({"source": data.source, "bytes": self._size()}).encode())

    def _source(self) -> str | None:
        fs, path = url_to_fs(f"{self._filepath}/{_SOURCE}")
        try:
            facts = json.loads(fs.cat_file(path))
            return str(facts["source"]) if facts["bytes"] == self._size() else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _size(self) -> int:
        fs, path = url_to_fs(f"{self._filepath}/{_FILE}")
        return int(fs.size(path))

    def _exists(self) -> bool:
        fs, path = url_to_fs(f"{self._filepath}/{_FILE}")
        return bool(fs.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _without_formulas(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        pc.replace_substring_regex(column, f"^({_FORMULA})", r"'\1")
        if pa.types.is_string(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
