"""The PCA model in storage."""

from typing import Any

from kedro.io import AbstractDataset, DatasetError

from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.storage import open_location, whole_file


class PcaModelDataset(AbstractDataset[PcaModel, PcaModel]):
    """One `.npz` file that numpy alone reads; a reader sees the old model or the new one, never half of it.

    Args:
        filepath: The file: a local path or an `s3://` address.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> PcaModel:
        """Return the model.

        Raises:
            DatasetError: There is none yet.
        """
        fs, path = open_location(self._filepath)
        if not fs.exists(path):
            raise DatasetError(
                f"There is no PCA model at {self._filepath}: run `kedro run --pipelines pca` first"
            )
        with fs.open(path, "rb") as file:
            return PcaModel.load(file)

    def save(self, data: PcaModel) -> None:
        """Replace the model."""
        with whole_file(self._filepath) as file:
            data.save(file)

    def _exists(self) -> bool:
        fs, path = open_location(self._filepath)
        return bool(fs.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
