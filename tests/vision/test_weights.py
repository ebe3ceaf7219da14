from io import BytesIO

import h5py
import numpy as np
import pytest

from fruits_bigdata.vision.weights import BACKBONE_LAYERS, Weights, read_weights, write_weights

LAYERS = (("dense", (np.array([1.0, 2.0]), np.array([[-0.5]]))), ("relu", ()))
# printf '\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x00\xbf' | sha256sum
LAYERS_DIGEST = "1ffe038578726b0db1430093131187306c7d4859c5dfbbabac87a9637825787c"
SMALL = Weights.of(LAYERS)


def layers_of(weights: Weights) -> list[tuple[str, list[object]]]:
    return [(name, [tensor.tolist() for tensor in tensors]) for name, tensors in weights.layers]


def test_the_digest_is_the_sha256_of_the_little_endian_floats():
    assert SMALL.digest == LAYERS_DIGEST
    assert SMALL.counts == (2, 3)
    assert [name for name, _ in SMALL.layers] == ["dense"]
    column_major = np.asfortranarray([[1.0, 2.0], [3.0, 4.0]], dtype=">f8")
    row_major = np.array([[1, 2], [3, 4]], dtype="<f4")
    assert Weights.of([("a", [column_major])]) == Weights.of([("a", [row_major])])


def test_tensors_are_copied_as_float32_and_cannot_be_changed():
    tensor = np.zeros(3)
    (_, (kept,)) = Weights.of([("a", [tensor])]).layers[0]
    tensor[0] = 1
    assert kept.tolist() == [0, 0, 0]
    assert kept.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 5


@pytest.mark.parametrize("names", [["z", "a"], ["a", "z"], ["a"]])
def test_what_is_written_is_read_in_the_order_asked_for(tmp_path, names):
    layers = {"z": [np.full(2, i) for i in range(12)], "head": [np.ones(3)], "a": [np.ones((2, 1))]}
    for file in (tmp_path / "w.h5", BytesIO()):
        write_weights(Weights.of(layers.items()), file)
        expected = Weights.of((name, layers[name]) for name in names)
        assert layers_of(read_weights(file, names)) == layers_of(expected)


def test_what_is_no_hdf5_of_keras_is_refused(tmp_path):
    buffer = BytesIO()
    write_weights(Weights.of([("a", [np.ones(5000)])]), buffer)
    whole = buffer.getvalue()
    for content in (b"", b"<html>not found</html>", whole[: len(whole) // 3], whole[:-800]):
        with pytest.raises(ValueError, match="HDF5"):
            read_weights(BytesIO(content), ["a"])
    with pytest.raises(FileNotFoundError):
        read_weights(tmp_path / "none.h5")
    with h5py.File(tmp_path / "other.h5", "w") as archive:
        archive["dense"] = np.arange(3)
    with pytest.raises(ValueError, match="without Keras' legacy weights"):
        read_weights(tmp_path / "other.h5", ["dense"])


def test_a_layer_or_a_tensor_that_is_missing_is_named(tmp_path):
    write_weights(SMALL, tmp_path / "w.h5")
    with pytest.raises(ValueError, match=r"104 of 104 layers are missing \(Conv1, bn_Conv1, "):
        read_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as archive:
        del archive["dense/dense/tensor_1"]
    with pytest.raises(ValueError, match="tensor_1"):
        read_weights(tmp_path / "w.h5", ["dense"])


def test_keras_reads_what_is_written(tmp_path, weights):
    import keras

    write_weights(weights, tmp_path / "w.h5")
    model = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )
    model.load_weights(tmp_path / "w.h5")
    named = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    assert tuple(named) == BACKBONE_LAYERS
    assert Weights.of(named.items()) == weights
    assert weights.counts == (260, 2_257_984)


def test_a_model_that_keras_saved_is_read_without_its_head(  # type: ignore[no-untyped-def]
    tmp_path, keras_model, weights
):
    import keras

    head = keras.layers.Dense(2, name="head")(keras_model.output)
    keras.Model(keras_model.input, head).save(tmp_path / "model.h5")
    assert read_weights(tmp_path / "model.h5") == weights
