"""A Delta table in the catalog."""

import logging
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from fruits_bigdata.tables import schemas
from fruits_bigdata.tables.delta import Change, DamagedTableError, Table, TableError

logger = logging.getLogger(__name__)


class DeltaTableDataset(AbstractDataset[Change, Table]):
    """A table that loads as its newest version and that each save takes to the next one.

    Loading reads the log and compares the files' sizes with it, but no row: `Table.read` and `to_pandas` do.
    A table that does not exist yet loads as an empty one.

    Args:
        filepath: The table's folder: a local path or an `s3://` address.
        schema: The name of an Arrow schema in `fruits_bigdata.tables.schemas`.
        repair: Take damaged files out of the table when it is loaded, instead of raising.
        is_derived: The table is made of others. Damaged files are taken out in any case, with a warning.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(
        self,
        *,
        filepath: str,
        schema: str,
        repair: bool = False,
        is_derived: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = filepath.rstrip("/")
        self._schema = getattr(schemas, schema)
        self._repair = repair
        self._is_derived = is_derived
        self.metadata = metadata

    def load(self) -> Table:
        """Return the newest version.

        Raises:
            DatasetError: Files are missing or have another size than the log says, the log cannot be read, or
                the folder holds other data.
        """
        try:
            table = Table(self._filepath, self._schema)
            try:
                table.check(self._repair)
            except DamagedTableError as error:
                if not self._is_derived:
                    raise
                logger.warning("It is made anew: %s", error)
                table.check(repair=True)
        except TableError as error:
            raise DatasetError(str(error)) from error
        return table

    def save(self, data: Change) -> None:
        """Commit a change to the version that it is based on.

        Raises:
            DatasetError: Another run has committed since that version was read.
        """
        try:
            data.table.commit(data)
        except TableError as error:
            raise DatasetError(str(error)) from error

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows, for kedro viz."""
        rows = self.load().head(nrows).to_pandas()
        for name in rows.columns.difference([schemas.PATH, schemas.LABEL]):
            rows[name] = [_shortened(value) for value in rows[name]]
        return TablePreview(rows.to_dict(orient="split"))

    def _exists(self) -> bool:
        return Table(self._filepath, self._schema).version is not None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
