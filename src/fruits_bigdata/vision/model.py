"""From Keras weights to the model that is broadcast: MobileNetV2, no top, as one LiteRT flatbuffer."""

import contextlib
import hashlib
import io
import logging
import os
import statistics
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fruits_bigdata.images.pixels import IMAGE_SIZE
from fruits_bigdata.tables.schemas import N_FEATURES
from fruits_bigdata.vision.engine import CompiledModel, Engine
from fruits_bigdata.vision.weights import Weights

# Raise it when the same file would give other pixels or the same weights another flatbuffer.
PREPROCESSING_VERSION = 1

# LiteRT and Keras differ by 5e-5 on Fruits-360 (benchmarks/featurization); without weights, by units.
_TOLERANCE = 1e-3
# Eight bits give a median of 0.99 and more (benchmarks/int8.py); a model that went wrong, nothing like it.
_LEAST_COSINE = 0.8
_N_PROBES = 20

Precision = Literal["float32", "int8"]

logger = logging.getLogger(__name__)


def model_key(weights_digest: str, precision: Precision = "float32") -> str:
    """Return the name under which the model compiled from these weights is kept: 12 hexadecimal digits."""
    return _short_hash(f"mobilenet_v2/{weights_digest}/{precision}/{PREPROCESSING_VERSION}")


def describe_model(
    weights_digest: str, content: bytes, precision: Precision = "float32", reduced_decoding: bool = False
) -> CompiledModel:
    """Return the compiled model with its fingerprint, under which features are stored.

    Features of the same fingerprint are comparable; any change of weights, precision (int8: of the images
    that it was calibrated on, too) or preprocessing gives another one.
    """
    featurizer = model_key(weights_digest, precision)
    if precision == "int8":
        featurizer = _short_hash(f"{featurizer}/{hashlib.sha256(content).hexdigest()}")
    if reduced_decoding:
        featurizer = _short_hash(f"{featurizer}/reduced_decoding")
    return CompiledModel(featurizer, weights_digest, content, reduced_decoding)


def _short_hash(facts: str) -> str:
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


def build_keras_model(weights: Weights) -> Any:
    """Return `keras.applications.MobileNetV2`, no top, average pooling, filled with `weights`.

    Raises:
        ValueError: `weights` have other shapes than this network's.
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
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(by_name[layer.name])
    return model


def compile_model(weights: Weights, calibration: Sequence[NDArray[np.uint8]] | None = None) -> bytes:
    """Fold the batch norms and compile `weights` into a LiteRT flatbuffer with TensorFlow.

    Args:
        weights: MobileNetV2's, without its top.
        calibration: None for float32. For int8 a sample of the images to come, each uint8, (224, 224, 3), as
            `pixels.decode` returns them: the ranges of what flows through the network are taken from them.

    Raises:
        ValueError: `weights` have other shapes or are not all finite, or there is nothing to calibrate on.
        RuntimeError: The flatbuffer does not compute what the Keras model computes.
    """
    _check_finite(weights)
    keras_model = build_keras_model(weights)
    content: bytes
    if calibration is not None:
        from fruits_bigdata.vision.quantization import quantize

        content = quantize(keras_model, calibration)
        _check_int8(content, keras_model, calibration)
        return content
    import tensorflow as tf

    # from_concrete_functions would write a model without weights, and say nothing (Keras 3).
    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model)
    with contextlib.redirect_stdout(io.StringIO()):
        content = converter.convert()
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    expected = _keras_features(keras_model, pixels)
    difference = float(np.abs(Engine(content).features(pixels) - expected).max())
    # Of a NaN, every comparison is false.
    if not difference <= _TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise RuntimeError(
            f"The compiled model differs from Keras' by {difference:.2g}: "
            f"this TensorFlow ({tf.__version__}) and this LiteRT do not go together; see requirements.lock"
        )
    logger.info("Compiled MobileNetV2: %.1f MB, %.1e from Keras on a probe", len(content) / 1e6, difference)
    return content


def _check_finite(weights: Weights) -> None:
    for layer, tensors in weights.layers:
        if not all(np.isfinite(tensor).all() for tensor in tensors):
            raise ValueError(
                f"The weights {weights.digest} hold NaN or infinite values in the layer {layer}, and so "
                f"would the features: give other weights with --params weights_path=..."
            )


def _check_int8(content: bytes, keras_model: Any, calibration: Sequence[NDArray[np.uint8]]) -> None:
    engine = Engine(content)
    probes = calibration[:_N_PROBES]
    pairs = [(engine.features(pixels), _keras_features(keras_model, pixels)) for pixels in probes]
    cosines = [float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) or 1.0)) for a, b in pairs]
    if not all(cosine >= _LEAST_COSINE for cosine in cosines):
        raise RuntimeError(
            f"The int8 model's features are {min(cosines):.2f} in cosine from Keras': more and more varied "
            f"images to calibrate on may help; otherwise give --params featurization.precision=float32"
        )
    logger.info(
        "Compiled MobileNetV2 to int8: %.1f MB, calibrated on %d images, cosine to Keras' features %.3f "
        "(median of %d; lowest %.3f)",
        len(content) / 1e6,
        len(calibration),
        statistics.median(cosines),
        len(cosines),
        min(cosines),
    )


def _keras_features(keras_model: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    features: NDArray[np.float32] = keras_model(
        pixels[np.newaxis] / np.float32(127.5) - 1, training=False
    ).numpy()[0]
    return features


def is_usable(content: bytes) -> bool:
    """Tell whether `content` is a flatbuffer that makes features out of pixels."""
    try:
        engine = Engine(content)
    except (ValueError, RuntimeError):
        return False
    return engine.input_shape == (IMAGE_SIZE, IMAGE_SIZE, 3) and engine.n_features == N_FEATURES
