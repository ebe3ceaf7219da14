"""The compiled models that are ready for use, so that TensorFlow is needed once for each set of weights."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from kedro.io import AbstractDataset

from fruits_bigdata.storage import in_short, is_storage_failure, open_location, whole_file

_ENDING = ".tflite"

logger = logging.getLogger(__name__)


class CompiledModelsDataset(AbstractDataset[Mapping[str, bytes], dict[str, Callable[[], bytes]]]):
    """A folder of LiteRT flatbuffers, one for each featurizer.

    Loading returns a function for each key that reads the flatbuffer when called; saving adds the
    flatbuffers given and leaves the others alone.

    Args:
        filepath: The folder: a local path or an `s3://` address.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath.rstrip("/")
        self.metadata = metadata

    def load(self) -> dict[str, Callable[[], bytes]]:
        """Return the reader of each flatbuffer, by key."""
        fs, root = open_location(self._filepath)
        if not fs.isdir(root):
            return {}

        def reader(path: str) -> Callable[[], bytes]:
            return lambda: bytes(fs.cat_file(path))

        paths = [path for path in fs.ls(root, detail=False) if path.endswith(_ENDING)]
        return {path.rsplit("/", 1)[-1].removesuffix(_ENDING): reader(path) for path in paths}

    def save(self, data: Mapping[str, bytes]) -> None:
        """Store each flatbuffer under its key; a folder that cannot be written is warned of.

        The run that compiled a model has it. It costs the next run some seconds to compile it again, no more.
        """
        for key, content in data.items():
            place = f"{self._filepath}/{key}{_ENDING}"
            try:
                with whole_file(place) as file:
                    file.write(content)
            except Exception as error:
                if not is_storage_failure(error):
                    raise
                logger.warning(
                    "The compiled model is not kept as %s, so the next run compiles it again: %s. Give a "
                    "folder that can be written with --params models_path=...",
                    place,
                    in_short(error),
                )

    def _exists(self) -> bool:
        return bool(self.load())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
