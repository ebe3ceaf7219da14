from io import BytesIO

import h5py
import numpy as np
import pytest

from fruits_bigdata.vision.weights import (
    BACKBONE_LAYERS,
    Weights,
    read_weights,
    select_layers,
    write_weights,
)

LAYERS = (("dense", (np.array([1.0, 2.0]), np.array([[-0.5]]))), ("relu", ()))
# printf '\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x00\xbf' | sha256sum
LAYERS_DIGEST = "1ffe038578726b0db1430093131187306c7d4859c5dfbbabac87a9637825787c"


@pytest.fixture
def small():
    return Weights.of(LAYERS)


def _assert_same(actual, expected):
    assert [name for name, _ in actual.layers] == [name for name, _ in expected.layers]
    for (name, tensors), (_, others) in zip(actual.layers, expected.layers, strict=True):
        assert len(tensors) == len(others), name
        for tensor, other in zip(tensors, others, strict=True):
            np.testing.assert_array_equal(tensor, other, err_msg=name, strict=True)


def test_digest_is_sha256_of_the_little_endian_floats(small):
    assert small.digest == LAYERS_DIGEST


def test_digest_of_big_endian_float64_and_transposed_input_is_of_its_float32_values():
    column_major = np.asfortranarray([[1.0, 2.0], [3.0, 4.0]], dtype=">f8")
    row_major = np.array([[1, 2], [3, 4]], dtype="<f4")
    assert Weights.of([("a", [column_major])]) == Weights.of([("a", [row_major])])


def test_tensors_are_float32_and_cannot_be_changed(small):
    tensor = small.layers[0][1][0]
    assert tensor.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        tensor[0] = 5


def test_changing_the_input_later_changes_nothing():
    tensor = np.zeros(3, dtype="float32")
    weights = Weights.of([("a", [tensor])])
    tensor[0] = 1
    assert weights.layers[0][1][0][0] == 0


def test_layers_without_tensors_are_left_out(small):
    assert [name for name, _ in small.layers] == ["dense"]
    assert small.counts == (2, 3)


@pytest.mark.parametrize("as_path", [True, False])
def test_written_weights_read_back(tmp_path, small, as_path):
    file = tmp_path / "w.h5" if as_path else BytesIO()
    write_weights(small, file)
    back = read_weights(file)
    _assert_same(back, small)
    assert back.digest == small.digest


def test_order_of_layers_and_tensors_is_the_attributes_not_the_alphabets(tmp_path):
    weights = Weights.of([("z", [np.full(2, i) for i in range(12)]), ("a", [np.ones((2, 1))])])
    write_weights(weights, tmp_path / "w.h5")
    _assert_same(read_weights(tmp_path / "w.h5"), weights)


def test_layer_names_split_over_several_attributes_are_read(tmp_path, small):
    write_weights(Weights.of([*small.layers, ("second", [np.ones(1)])]), tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as archive:
        names = archive.attrs["layer_names"]
        del archive.attrs["layer_names"]
        archive.attrs["layer_names0"], archive.attrs["layer_names1"] = names[:1], names[1:]
    assert [name for name, _ in read_weights(tmp_path / "w.h5").layers] == ["dense", "second"]


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_something_else_than_hdf5_is_refused(content):
    with pytest.raises(ValueError, match="not a readable HDF5 file"):
        read_weights(BytesIO(content))


@pytest.mark.parametrize("keep", [0.3, 0.98])
def test_a_truncated_file_is_refused(keep):
    buffer = BytesIO()
    write_weights(Weights.of([("a", [np.ones(5000)])]), buffer)
    with pytest.raises(ValueError, match="HDF5"):
        read_weights(BytesIO(buffer.getvalue()[: int(len(buffer.getvalue()) * keep)]))


def test_hdf5_of_another_layout_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as archive:
        archive["table"] = np.arange(3)
    with pytest.raises(ValueError, match=r"without Keras' legacy weights .*layer_names"):
        read_weights(tmp_path / "other.h5")


def test_a_tensor_that_is_missing_is_refused(tmp_path, small):
    write_weights(small, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as archive:
        del archive["dense/dense/tensor_1"]
    with pytest.raises(ValueError, match="tensor_1"):
        read_weights(tmp_path / "w.h5")


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_weights(tmp_path / "none.h5")


def test_selected_layers_come_in_the_order_asked_for():
    weights = Weights.of([("head", [np.ones(1)]), ("b", [np.ones(2)]), ("a", [np.ones(3)])])
    assert [name for name, _ in select_layers(weights, ["a", "b"]).layers] == ["a", "b"]


def test_a_missing_layer_is_named(small):
    with pytest.raises(ValueError, match=r"104 of 104 layers are missing \(Conv1, bn_Conv1, "):
        select_layers(small)


def test_backbone_layers_are_those_of_keras(keras_model):
    assert tuple(layer.name for layer in keras_model.layers if layer.weights) == BACKBONE_LAYERS


def test_keras_loads_what_is_written(tmp_path, weights):
    import keras

    write_weights(weights, tmp_path / "w.h5")
    loaded = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )
    loaded.load_weights(tmp_path / "w.h5")
    _assert_same(Weights.of((layer.name, layer.get_weights()) for layer in loaded.layers), weights)
    assert weights.counts == (260, 2_257_984)


def test_a_model_that_keras_saved_reads_without_its_head(tmp_path, keras_model, weights):
    import keras

    head = keras.layers.Dense(2, name="head")(keras_model.output)
    keras.Model(keras_model.input, head).save(tmp_path / "model.h5")
    saved = read_weights(tmp_path / "model.h5")
    assert saved.layers[-1][0] == "head"
    _assert_same(select_layers(saved), weights)
