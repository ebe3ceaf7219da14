"""The compiled models that are ready for use, so that TensorFlow is needed once for each set of weights."""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from fsspec import AbstractFileSystem
from kedro.io import AbstractDataset

from fruits_bigdata.storage.errors import in_short, is_storage_failure
from fruits_bigdata.storage.files import atomic_write
from fruits_bigdata.storage.locations import url_to_fs

# The name carries the SHA-256, so that a file and its hash come and go together.
_NAME = re.compile(r"([^/]+)-([0-9a-f]{64})\.tflite")

logger = logging.getLogger(__name__)


class CompiledModelsDataset(AbstractDataset[Mapping[str, bytes], dict[str, Callable[[], bytes]]]):
    """A folder of LiteRT flatbuffers, one for each featurizer, each in a file `<key>-<SHA-256>.tflite`.

    Loading returns a function for each key that reads the flatbuffer when called, and returns nothing, after
    a warning, if it is damaged; saving replaces the flatbuffers given and leaves the others alone. Files
    without a hash in their name, as they once were, are not read.

    Args:
        filepath: The folder: a local path or an `s3://` address.
        metadata: Ignored by Kedro; read by plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath.rstrip("/")
        self.metadata = metadata

    def load(self) -> dict[str, Callable[[], bytes]]:
        """Return the reader of each flatbuffer, by key."""
        fs, root = url_to_fs(self._filepath)
        if not fs.isdir(root):
            return {}

        # Of two with one key, a run that ended while it replaced the first has left both.
        files: dict[str, list[tuple[str, str]]] = {}
        for path in sorted(fs.ls(root, detail=False)):
            match = _NAME.fullmatch(path.rsplit("/", 1)[-1])
            if match is not None:
                files.setdefault(match[1], []).append((path, match[2]))

        def reader(candidates: list[tuple[str, str]]) -> Callable[[], bytes]:
            return lambda: next(filter(None, (_whole(fs, *candidate) for candidate in candidates)), b"")

        return {key: reader(candidates) for key, candidates in files.items()}

    def save(self, data: Mapping[str, bytes]) -> None:
        """Store each flatbuffer under its key; a folder that cannot be written is warned of.

        The run that compiled a model has it. It costs the next run some seconds to compile it again, no more.
        """
        for key, content in data.items():
            name = f"{key}-{hashlib.sha256(content).hexdigest()}.tflite"
            place = f"{self._filepath}/{name}"
            try:
                with atomic_write(place) as file:
                    file.write(content)
                self._remove_others(key, name)
            except Exception as error:
                if not is_storage_failure(error):
                    raise
                logger.warning(
                    "The compiled model is not kept as %s, so the next run compiles it again: %s. Give a "
                    "folder that can be written with --params models_path=...",
                    place,
                    in_short(error),
                )

    def _remove_others(self, key: str, kept: str) -> None:
        fs, root = url_to_fs(self._filepath)
        for path in fs.ls(root, detail=False):
            name = path.rsplit("/", 1)[-1]
            match = _NAME.fullmatch(name)
            if name != kept and (name == f"{key}.tflite" or (match is not None and match[1] == key)):
                fs.rm_file(path)

    def _exists(self) -> bool:
        return bool(self.load())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _whole(fs: AbstractFileSystem, path: str, digest: str) -> bytes:
    """Return a file that has this SHA-256; nothing, if it has another one or has just been replaced."""
    try:
        content = bytes(fs.cat_file(path))
    except FileNotFoundError:
        return b""
    if hashlib.sha256(content).hexdigest() != digest:
        logger.warning("The compiled model %s is damaged: its bytes have not the SHA-256 in its name", path)
        return b""
    return content
