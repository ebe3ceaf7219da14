import logging

import fsspec
import numpy as np
import pytest
from kedro.io import AbstractDataset, DatasetError

from fruits_bigdata.datasets import weights_dataset
from fruits_bigdata.datasets.weight_sources import WeightsUnavailableError
from fruits_bigdata.datasets.weights_dataset import WeightsDataset
from fruits_bigdata.vision.weights import (
    BACKBONE_LAYERS,
    IMAGENET_DIGEST,
    WEIGHTS_FILE_NAME,
    Weights,
    read_weights,
    write_weights,
)


def _small(seed=0):
    random = np.random.default_rng(seed)
    return Weights.of((name, [random.random(3)]) for name in BACKBONE_LAYERS)


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """A Keras cache that holds `_small()`: the first source that is asked, so no test needs the network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    write_weights(_small(), tmp_path / "keras" / "models" / WEIGHTS_FILE_NAME)
    return tmp_path / "keras"


@pytest.fixture
def no_source(monkeypatch):
    def fail(expected_digest):
        raise WeightsUnavailableError("no source was to be asked")

    monkeypatch.setattr(weights_dataset, "fetch_weights", fail)


def _dataset(tmp_path, **options):
    options = {"models": {"path": str(tmp_path / "models")}, "expected_digest": _small().digest} | options
    return WeightsDataset(**options)


# A given file


@pytest.mark.usefixtures("no_source")
def test_given_file_is_read_without_its_head(tmp_path):
    write_weights(Weights.of([*_small().layers, ("head", [np.ones(2)])]), tmp_path / "mine.h5")
    assert _dataset(tmp_path, filepath=str(tmp_path / "mine.h5")).load() == _small()
    assert not (tmp_path / "models").exists()


@pytest.mark.usefixtures("keras_home")
def test_given_file_that_is_missing_is_not_replaced_by_another(tmp_path):
    path = str(tmp_path / "none.h5")
    with pytest.raises(DatasetError, match=rf"weights_path={path} does not exist.*leave weights_path out"):
        _dataset(tmp_path, filepath=path).load()


@pytest.mark.usefixtures("keras_home")
def test_given_file_of_another_digest_tells_it_and_the_way_out(tmp_path):
    write_weights(_small(1), tmp_path / "mine.h5")
    with pytest.raises(DatasetError) as caught:
        _dataset(tmp_path, filepath=str(tmp_path / "mine.h5")).load()
    message = str(caught.value)
    assert str(tmp_path / "mine.h5") in message
    assert f"expected {_small().digest}" in message
    assert f"weights_digest={_small(1).digest}" in message
    assert "leave weights_path out" in message


@pytest.mark.usefixtures("no_source")
def test_digest_in_capitals_is_the_same_digest(tmp_path):
    write_weights(_small(), tmp_path / "mine.h5")
    options = {"filepath": str(tmp_path / "mine.h5"), "expected_digest": _small().digest.upper()}
    assert _dataset(tmp_path, **options).load() == _small()


@pytest.mark.usefixtures("keras_home")
@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), lambda path: path.mkdir()])
def test_given_file_that_cannot_be_read_is_named(tmp_path, make):
    make(tmp_path / "mine.h5")
    with pytest.raises(DatasetError, match=r"cannot be read from .*mine\.h5: .*leave weights_path out"):
        _dataset(tmp_path, filepath=str(tmp_path / "mine.h5")).load()


# The models folder


@pytest.mark.usefixtures("no_source")
@pytest.mark.parametrize("nothing", [None, ""])
def test_models_folder_is_read_before_any_source(tmp_path, nothing):
    (tmp_path / "models").mkdir()
    write_weights(_small(), tmp_path / "models" / WEIGHTS_FILE_NAME)
    assert _dataset(tmp_path, filepath=nothing).load() == _small()


@pytest.mark.usefixtures("keras_home")
def test_models_folder_with_another_digest_is_refused(tmp_path):
    (tmp_path / "models").mkdir()
    write_weights(_small(1), tmp_path / "models" / WEIGHTS_FILE_NAME)
    with pytest.raises(DatasetError, match=rf"weights_digest={_small(1).digest} .*remove the file"):
        _dataset(tmp_path).load()


def test_fetched_weights_are_kept_for_the_next_load(tmp_path, keras_home, caplog):
    dataset = _dataset(tmp_path)
    assert not dataset.exists()
    with caplog.at_level(logging.INFO, "fruits_bigdata"):
        assert dataset.load() == _small()
    kept = tmp_path / "models" / WEIGHTS_FILE_NAME
    assert read_weights(kept) == _small()
    assert list(kept.parent.iterdir()) == [kept]
    assert f"{kept.stat().st_size:,} bytes" in caplog.messages[-1]
    (keras_home / "models" / WEIGHTS_FILE_NAME).unlink()
    assert dataset.exists()
    assert dataset.load() == _small()


@pytest.mark.usefixtures("keras_home")
def test_models_folder_that_cannot_be_written_is_a_warning(tmp_path, caplog):
    # Not even root can make a folder there.
    assert _dataset(tmp_path, models={"path": "/proc/fruits"}).load() == _small()
    assert "not kept as /proc/fruits/" in caplog.messages[-1]


@pytest.mark.usefixtures("no_source")
def test_no_source_stays_the_error_that_it_is(tmp_path):
    with pytest.raises(WeightsUnavailableError, match="no source was to be asked"):
        _dataset(tmp_path).load()


# S3


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_s3_file_is_read(tmp_path, bucket, no_source, scheme):
    write_weights(_small(), tmp_path / "w.h5")
    fsspec.filesystem("s3").put_file(str(tmp_path / "w.h5"), f"{bucket}/weights/mine.h5")
    dataset = _dataset(tmp_path, filepath=f"{scheme}{bucket.removeprefix('s3')}/weights/mine.h5")
    assert dataset.exists()
    assert dataset.load() == _small()


def test_s3_file_that_is_missing_is_named(tmp_path, bucket, keras_home):
    with pytest.raises(DatasetError, match=f"weights_path={bucket}/none.h5 does not exist"):
        _dataset(tmp_path, filepath=f"{bucket}/none.h5").load()


def test_fetched_weights_are_kept_on_s3(tmp_path, bucket, keras_home):
    dataset = _dataset(tmp_path, models={"path": f"{bucket}/models/"})
    assert not dataset.exists()
    assert dataset.load() == _small()
    assert fsspec.filesystem("s3").ls(f"{bucket}/models", refresh=True) == [
        f"{bucket.removeprefix('s3://')}/models/{WEIGHTS_FILE_NAME}"
    ]
    (keras_home / "models" / WEIGHTS_FILE_NAME).unlink()
    assert dataset.exists()
    assert dataset.load() == _small()


# The catalog's view


def test_catalog_entry_makes_the_dataset():
    entry = {
        "type": "fruits_bigdata.datasets.weights_dataset.WeightsDataset",
        "filepath": None,
        "models": {"path": "data/06_models"},
        "metadata": {"kedro-viz": {"layer": "models"}},
    }
    dataset = AbstractDataset.from_config("weights", entry)
    assert dataset.metadata == {"kedro-viz": {"layer": "models"}}
    assert IMAGENET_DIGEST in str(dataset)
    assert f"data/06_models/{WEIGHTS_FILE_NAME}" in str(dataset)


def test_save_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="read-only"):
        _dataset(tmp_path).save(_small())
