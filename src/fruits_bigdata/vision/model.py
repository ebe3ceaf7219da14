"""From Keras weights to the model that is broadcast: MobileNetV2, no top, as one LiteRT flatbuffer."""

import contextlib
import hashlib
import io
import logging
import os
from typing import Any

import numpy as np

from fruits_bigdata.schemas import N_FEATURES
from fruits_bigdata.vision.engine import CompiledModel, Engine
from fruits_bigdata.vision.pixels import IMAGE_SIZE
from fruits_bigdata.vision.weights import Weights

PRECISION = "float32"
# Raise it when the same file would give other pixels or the same weights another flatbuffer.
PREPROCESSING_VERSION = 1

# LiteRT and Keras differ by 5e-5 on Fruits-360 (benchmarks/featurization); without weights, by units.
_TOLERANCE = 1e-3

logger = logging.getLogger(__name__)


def featurizer_of(weights_digest: str) -> str:
    """Return the fingerprint under which features are stored: 12 hexadecimal digits.

    Features of the same fingerprint are comparable; any change of weights, precision or preprocessing
    gives another one.
    """
    facts = f"mobilenet_v2/{weights_digest}/{PRECISION}/{PREPROCESSING_VERSION}"
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


def build_keras_model(weights: Weights) -> Any:
    """Return `keras.applications.MobileNetV2`, no top, average pooling, filled with `weights`.

    Raises:
        ValueError: `weights` are not this network's.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import keras
    except ImportError as error:
        raise ImportError(
            "TensorFlow compiles the weights on the driver, and it is not installed: "
            "pip install 'fruits_bigdata[driver]'"
        ) from error

    model = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3)
    )
    by_name = dict(weights.layers)
    wanted = [layer.name for layer in model.layers if layer.weights]
    if set(wanted) != set(by_name):
        odd = sorted(set(wanted) ^ set(by_name))
        raise ValueError(
            f"These weights are not MobileNetV2's without its top: {len(odd)} layers differ, {odd[:3]}"
        )
    for name in wanted:
        model.get_layer(name).set_weights(by_name[name])
    return model


def compile_model(weights: Weights) -> CompiledModel:
    """Fold the batch norms and compile `weights` into a LiteRT flatbuffer with TensorFlow.

    Raises:
        ValueError: `weights` are not MobileNetV2's.
        RuntimeError: The flatbuffer does not compute what the Keras model computes.
    """
    keras_model = build_keras_model(weights)
    import tensorflow as tf

    # from_concrete_functions would write a model without weights, and say nothing (Keras 3).
    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model)
    with contextlib.redirect_stdout(io.StringIO()):
        content: bytes = converter.convert()
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    expected = keras_model(pixels[np.newaxis] / np.float32(127.5) - 1, training=False).numpy()[0]
    difference = float(np.abs(Engine(content).features(pixels) - expected).max())
    if difference > _TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise RuntimeError(
            f"The compiled model differs from Keras' by {difference:.2g}: "
            f"this TensorFlow ({tf.__version__}) and this LiteRT do not go together; see requirements.lock"
        )
    logger.info("Compiled MobileNetV2: %.1f MB, %.1e from Keras on a probe", len(content) / 1e6, difference)
    return CompiledModel(featurizer_of(weights.digest), weights.digest, content)


def is_usable(content: bytes) -> bool:
    """Tell whether `content` is a flatbuffer that makes features out of pixels."""
    try:
        engine = Engine(content)
    except (ValueError, RuntimeError):
        return False
    return engine.input_shape == (IMAGE_SIZE, IMAGE_SIZE, 3) and engine.n_features == N_FEATURES
