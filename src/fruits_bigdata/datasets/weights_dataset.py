"""The catalog's entry for the weights: a named file, the models folder's copy, or fetched and then kept."""

import logging
from collections.abc import Mapping
from io import BytesIO
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from fruits_bigdata.datasets.weight_sources import fetch_weights
from fruits_bigdata.storage.files import atomic_write
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.vision.weights import (
    IMAGENET_DIGEST,
    WEIGHTS_FILE_NAME,
    Weights,
    read_weights,
    write_weights,
)

logger = logging.getLogger(__name__)


class WeightsDataset(AbstractDataset[None, Weights]):
    """MobileNetV2's weights without its top, of a known digest; read-only.

    Loads `filepath` if it is given. Otherwise loads the models folder's copy; if there is none, fetches the
    weights and stores them there for the next load.

        weights:
          type: fruits_bigdata.datasets.weights_dataset.WeightsDataset
          filepath: ${runtime_params:weights_path,null}
          models: {path: data/06_models}
    """

    def __init__(
        self,
        *,
        filepath: str | None = None,
        models: Mapping[str, str],
        expected_digest: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            filepath: a Keras legacy HDF5 file: a local path or an `s3://` address. A classifier's head in it
                is left out.
            models: under `path`, which Kedro makes absolute, a folder, local or on S3, that keeps
                `WEIGHTS_FILE_NAME`.
            expected_digest: `Weights.digest` that the weights must have, wherever they come from; None means
                Keras' ImageNet weights, `IMAGENET_DIGEST`.
            metadata: for Kedro's plugins; not used here.
        """
        self._filepath = filepath
        self._kept = f"{models['path'].rstrip('/')}/{WEIGHTS_FILE_NAME}"
        self._expected_digest = (expected_digest or IMAGENET_DIGEST).lower()
        self.metadata = metadata

    def load(self) -> Weights:
        """Return the weights, whose digest is the expected one.

        Raises:
            DatasetError: the file is missing, unreadable or of another digest; the message has the way out.
            WeightsUnavailableError: there is no file and no source to fetch it from.
        """
        if self._filepath:
            try:
                return self._read(self._filepath, "leave weights_path out for the default search")
            except FileNotFoundError as error:
                raise DatasetError(
                    f"weights_path={self._filepath} does not exist: correct it, "
                    "or leave weights_path out for the default search."
                ) from error
        try:
            return self._read(self._kept, "remove the file so that it is fetched again")
        except FileNotFoundError:
            weights = fetch_weights(self._expected_digest)
            self._keep(weights)
            return weights

    def save(self, data: None) -> NoReturn:
        """Refuse: weights are read, never made, here.

        Raises:
            DatasetError: always.
        """
        raise DatasetError(f"{type(self).__name__} is read-only; put weights under {self._kept} yourself.")

    def _read(self, location: str, way_out: str) -> Weights:
        fs, path = url_to_fs(location)
        try:
            weights = read_weights(BytesIO(fs.cat_file(path)))
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise DatasetError(f"Weights cannot be read from {location}: {error}. Or {way_out}.") from error
        if weights.digest != self._expected_digest:
            raise DatasetError(
                f"{location} has weights of digest {weights.digest}, expected {self._expected_digest}. "
                f"Give weights_digest={weights.digest} if they are the intended ones; otherwise {way_out}."
            )
        logger.info("Weights: %s: %d tensors, digest %.12s", location, weights.counts[0], weights.digest)
        return weights

    def _keep(self, weights: Weights) -> None:
        # h5py reads back while it writes, which a file opened for writing only does not allow.
        buffer = BytesIO()
        write_weights(weights, buffer)
        try:
            with atomic_write(self._kept) as file:
                file.write(buffer.getvalue())
        except OSError as error:
            # This run has its weights; a read-only folder costs the next run another fetch, no more.
            logger.warning(
                "Weights: not kept as %s, so the next run fetches them again: %s", self._kept, error
            )
        else:
            logger.info("Weights: kept as %s, %s bytes", self._kept, f"{buffer.getbuffer().nbytes:,}")

    def _exists(self) -> bool:
        fs, path = url_to_fs(self._filepath or self._kept)
        return bool(fs.isfile(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "kept": self._kept, "expected_digest": self._expected_digest}
