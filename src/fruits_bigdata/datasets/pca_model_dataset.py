"""The PCA model in storage."""

import logging
import zipfile
import zlib
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.storage.files import as_local_file, atomic_write
from fruits_bigdata.storage.locations import url_to_fs

logger = logging.getLogger(__name__)


class PcaModelDataset(AbstractDataset[PcaModel, PcaModel | None]):
    """One `.npz` file that numpy alone reads; a reader sees the old model or the new one, never half of it.

    Args:
        filepath: The file: a local path or an `s3://` address.
        record: The folder that keeps each model that ever made an output, as `<name>.npz`, without the
            summary of the features; None keeps none.
        may_be_missing: Load None, rather than fail, if there is no model or a damaged one.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(
        self,
        *,
        filepath: str,
        record: str | None = None,
        may_be_missing: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = filepath
        self._record = record
        self._may_be_missing = may_be_missing
        self.metadata = metadata

    def load(self) -> PcaModel | None:
        """Return the model.

        Raises:
            DatasetError: There is none yet, or it is damaged.
        """
        fs, path = url_to_fs(self._filepath)
        if not fs.exists(path):
            if self._may_be_missing:
                return None
            raise DatasetError(
                f"There is no PCA model at {self._filepath}: run `kedro run --pipelines pca` first"
            )
        try:
            with as_local_file(self._filepath) as file:
                return PcaModel.load(file)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            if self._may_be_missing:
                logger.warning("The PCA model %s is damaged and is made anew: %s", self._filepath, error)
                return None
            raise DatasetError(
                f"The PCA model {self._filepath} is damaged ({error}): make it anew with `kedro run "
                f"--pipelines pca`"
            ) from error

    def save(self, data: PcaModel) -> None:
        """Replace the model; first, the new one is put on record."""
        if self._record is not None:
            recorded = f"{self._record}/{data.name}.npz"
            fs, path = url_to_fs(recorded)
            if not fs.exists(path):
                with atomic_write(recorded) as file:
                    data.without_summary().save(file)
        with atomic_write(self._filepath) as file:
            data.save(file)

    def _exists(self) -> bool:
        fs, path = url_to_fs(self._filepath)
        return bool(fs.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
