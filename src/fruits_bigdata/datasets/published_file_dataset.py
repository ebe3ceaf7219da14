"""A file that readers see whole: the old one until the new one is complete."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from fruits_bigdata.storage.files import as_local_file, atomic_write
from fruits_bigdata.storage.locations import url_to_fs


class PublishedFileDataset(AbstractDataset[Any, Any]):
    """Any dataset of one file, saved so that no reader ever finds half of it, on disk and on S3.

    Args:
        filepath: The file: a local path or an `s3://` address.
        dataset: The dataset that makes the file: its type, or its configuration without `filepath`.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(
        self, *, filepath: str, dataset: str | dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = filepath
        self._config = {"type": dataset} if isinstance(dataset, str) else dataset
        self.metadata = metadata

    @property
    def preview(self) -> Callable[..., Any]:
        """What kedro viz shows of the file; an AttributeError if its dataset shows nothing."""
        preview: Callable[..., Any] = self._at(self._filepath).preview  # type: ignore[attr-defined]
        return preview

    def load(self) -> Any:
        """Return what the dataset reads.

        Raises:
            DatasetError: The file is not there, or is damaged.
        """
        try:
            with as_local_file(self._filepath) as file:
                return self._at(file).load()
        except ValueError as error:
            raise DatasetError(
                f"{self._filepath} is damaged ({error}): start `kedro run` again, which makes it anew"
            ) from error

    def save(self, data: Any) -> None:
        """Replace the file."""
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder, self._filepath.rsplit("/", 1)[-1])
            self._at(str(whole)).save(data)
            with whole.open("rb") as new, atomic_write(self._filepath) as file:
                shutil.copyfileobj(new, file)

    def _at(self, filepath: str) -> AbstractDataset[Any, Any]:
        return AbstractDataset.from_config(Path(filepath).name, {**self._config, "filepath": filepath})

    def _exists(self) -> bool:
        fs, path = url_to_fs(self._filepath)
        return bool(fs.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "dataset": self._config["type"]}
