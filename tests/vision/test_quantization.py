from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fruits_bigdata.vision import model
from fruits_bigdata.vision.engine import Engine
from fruits_bigdata.vision.quantization import quantize


def pictures(n: int, seed: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 9, 9, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(image).resize((224, 224))) for image in coarse]


@pytest.fixture(scope="module")
def content(keras_model) -> bytes:  # type: ignore[no-untyped-def]
    return quantize(keras_model, pictures(23, seed=1))


def median_cosine(engine: Engine, reference: Engine, images: Sequence[NDArray[np.uint8]]) -> float:
    cosines = []
    for image in images:
        a, b = engine.features(image), reference.features(image)
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    return float(np.median(cosines))


def test_features_in_eight_bits_are_close_to_those_in_float32(content, compiled_model):
    unseen = pictures(10, seed=2)
    cosine = median_cosine(Engine(content), Engine(compiled_model.content), unseen)
    assert 0.97 < cosine < 1
    # Nearer than two images are to each other, or a network that sees nothing would pass.
    reference = [Engine(compiled_model.content).features(image) for image in unseen]
    apart = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairwise(reference)]
    assert 1 - cosine < 0.5 * (1 - np.median(apart))


def test_it_is_a_network_of_integers(content, compiled_model):
    assert model.is_usable(content)
    # One byte a weight instead of four.
    assert 0.25 < len(content) / len(compiled_model.content) < 0.35
    details = Engine(content)._interpreter.get_tensor_details()
    by_channel = [one for one in details if one["quantization_parameters"]["scales"].size > 1]
    weights = [one for one in by_channel if one["shape"].size == 4]
    # Of 52 convolutions two were made one, and two are in float32.
    assert [one["dtype"] for one in weights] == [np.int8] * 49


def test_the_same_images_give_the_same_bytes(content, keras_model):  # type: ignore[no-untyped-def]
    assert quantize(keras_model, pictures(23, seed=1)) == content
    assert quantize(keras_model, pictures(3, seed=4)) != content


def test_without_images_there_is_nothing_to_calibrate_on(keras_model):  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="no image to calibrate on"):
        quantize(keras_model, [])


def test_an_int8_model_that_computes_something_else_is_not_handed_out(weights, monkeypatch):
    original = model.Engine.features
    monkeypatch.setattr(model.Engine, "features", lambda self, pixels: -original(self, pixels))
    with pytest.raises(RuntimeError, match="in cosine from Keras': more and more varied images"):
        model.compile_model(weights, pictures(3, seed=1))
