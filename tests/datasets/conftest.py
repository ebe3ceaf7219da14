"""Small weights, in the layout of MobileNetV2's, and a Keras cache that holds them."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from fruits_bigdata.vision.weights import BACKBONE_LAYERS, WEIGHTS_FILE_NAME, Weights, write_weights


def weights_of(seed: int) -> Weights:
    """Return three values for each layer."""
    random = np.random.default_rng(seed)
    return Weights.of((name, [random.random(3)]) for name in BACKBONE_LAYERS)


SMALL, OTHER = weights_of(0), weights_of(1)


def hdf5(weights: Weights) -> bytes:
    """Return the weights under a classifier's head, as Keras' legacy HDF5."""
    buffer = BytesIO()
    write_weights(Weights.of([*weights.layers, ("head", [np.ones(2)])]), buffer)
    return buffer.getvalue()


@pytest.fixture
def keras_copy(tmp_path, monkeypatch) -> Path:
    """`SMALL` in Keras' cache: the first source that is asked, so that no test needs the network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    path = tmp_path / "keras" / "models" / WEIGHTS_FILE_NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(hdf5(SMALL))
    return path
