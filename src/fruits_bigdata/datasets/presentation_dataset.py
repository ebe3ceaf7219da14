"""A PowerPoint presentation."""

import io
from typing import Any

from kedro.io import AbstractDataset

from fruits_bigdata.storage import open_location, whole_file


class PresentationDataset(AbstractDataset[Any, Any]):
    """A `pptx.Presentation`, on disk or on S3.

    Args:
        filepath: A local path or an `s3://` address.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> Any:
        """Return the presentation."""
        # Imported here, so that the runs that make none start sooner.
        from pptx import Presentation

        fs, path = open_location(self._filepath)
        return Presentation(io.BytesIO(fs.cat_file(path)))

    def save(self, data: Any) -> None:
        """Write the presentation, in whole or not at all."""
        with whole_file(self._filepath) as file:
            data.save(file)

    def _exists(self) -> bool:
        fs, path = open_location(self._filepath)
        return bool(fs.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
