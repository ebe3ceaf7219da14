import sys

import numpy as np
import pytest

from fruits_bigdata.vision import model
from fruits_bigdata.vision.weights import Weights


def test_the_model_that_is_broadcast_is_small_and_whole(compiled_model, weights):
    _, n_values = weights.counts
    assert compiled_model.weights_digest == weights.digest
    # Each weight once, batch norms folded away, and little beside them.
    assert 0.95 * 4 * n_values < len(compiled_model.content) < 1.05 * 4 * n_values
    assert model.is_usable(compiled_model.content)


def test_the_fingerprint_follows_weights_precision_and_preprocessing(monkeypatch):
    def featurizer(digest: str = "a" * 64, content: bytes = b"x", *more: object) -> str:
        return model.describe_model(digest, content, *more).featurizer  # type: ignore[arg-type]

    before = featurizer()
    assert len(before) == 12
    assert before == model.model_key("a" * 64)
    others = {
        featurizer("b" * 64),
        featurizer("a" * 64, b"x", "int8"),
        # Calibrated on other images.
        featurizer("a" * 64, b"y", "int8"),
        featurizer("a" * 64, b"x", "float32", True),
        featurizer("a" * 64, b"x", "int8", True),
    }
    # What float32 computes is the weights' alone, whichever release of the compiler wrote it.
    assert featurizer("a" * 64, b"y") == before
    monkeypatch.setattr(model, "PREPROCESSING_VERSION", 99)
    assert len({before, featurizer(), *others}) == 7


def tensors_of(weights: Weights) -> dict[str, list[np.ndarray]]:
    return {name: [tensor.copy() for tensor in tensors] for name, tensors in weights.layers}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("calibration", [None, [np.zeros((224, 224, 3), np.uint8)]])
def test_weights_that_are_not_finite_are_refused(weights, value, calibration):
    layers = tensors_of(weights)
    layers["block_5_project"][0].flat[7] = value
    damaged = Weights.of(layers.items())
    with pytest.raises(ValueError, match=f"weights {damaged.digest} hold .* in the layer block_5_project"):
        model.compile_model(damaged, calibration)


def test_finite_weights_whose_features_are_not_are_refused(weights):
    layers = tensors_of(weights)
    for name in ("block_5_project", "block_5_project_BN"):
        layers[name][0][...] = 3e38
    with pytest.raises(RuntimeError, match="differs from Keras' by nan"):
        model.compile_model(Weights.of(layers.items()))


def test_a_damaged_flatbuffer_is_not_usable(compiled_model):
    assert not model.is_usable(b"")
    assert not model.is_usable(compiled_model.content[:1000])


def test_a_model_that_computes_something_else_is_not_handed_out(weights, monkeypatch):
    original = model.Engine.features
    monkeypatch.setattr(
        model.Engine, "features", lambda self, pixels: original(self, pixels) + np.float32(100)
    )
    with pytest.raises(RuntimeError, match="differs from Keras'"):
        model.compile_model(weights)


def test_without_tensorflow_the_error_says_what_to_install(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match=r"pip install 'fruits_bigdata\[driver\]'"):
        model.compile_model(weights)
