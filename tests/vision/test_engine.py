import numpy as np
import pytest

from fruits_bigdata.vision import engine
from fruits_bigdata.vision.engine import Engine, shared_engine


def test_features_are_those_of_keras(compiled_model, keras_model):  # type: ignore[no-untyped-def]
    from keras.applications.mobilenet_v2 import preprocess_input

    pixels = np.random.default_rng(3).integers(0, 256, (4, 224, 224, 3), dtype=np.uint8)
    expected = keras_model.predict(preprocess_input(pixels.astype(np.float32)), verbose=0)
    one = Engine(compiled_model.content)
    actual = np.stack([one.features(image) for image in pixels])
    assert actual.dtype == np.float32
    # Otherwise a dead network would pass.
    assert expected.std(axis=0).mean() > 0.01
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_features_outlive_the_next_image(compiled_model):
    one = Engine(compiled_model.content)
    first = one.features(np.zeros((224, 224, 3), np.uint8))
    before = first.copy()
    one.features(np.full((224, 224, 3), 200, np.uint8))
    np.testing.assert_array_equal(first, before)


def test_a_process_makes_one_engine_for_a_model(compiled_model):
    made = []

    def content() -> bytes:
        made.append(1)
        return compiled_model.content

    engine._engines.clear()
    first = shared_engine("one", content)
    assert shared_engine("one", content) is first
    assert shared_engine("another", content) is not first
    assert len(made) == 2
    assert list(engine._engines) == ["another"]


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="not a valid Flatbuffer"):
        Engine(b"nothing of the kind")
