import logging
from pathlib import Path

import pytest
from kedro.io import AbstractDataset, DatasetError

from fruits_bigdata.datasets import weights_dataset
from fruits_bigdata.datasets.weight_sources import WeightsUnavailableError
from fruits_bigdata.datasets.weights_dataset import WeightsDataset
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.vision.weights import IMAGENET_DIGEST, WEIGHTS_FILE_NAME, read_weights
from tests.datasets.conftest import OTHER, SMALL, hdf5


@pytest.fixture
def no_source(monkeypatch) -> None:
    def fail(expected_digest: str) -> None:
        raise WeightsUnavailableError("no source has them")

    monkeypatch.setattr(weights_dataset, "fetch_weights", fail)


def dataset_of(models: str, **options: str | None) -> WeightsDataset:
    return WeightsDataset(models={"path": models}, **{"expected_digest": SMALL.digest, **options})


@pytest.fixture(params=["disk", "s3", "s3a"])
def root(request, tmp_path) -> str:
    if request.param == "disk":
        return str(tmp_path)
    return request.getfixturevalue("bucket").replace("s3", request.param, 1)


@pytest.mark.usefixtures("no_source")
def test_a_named_file_is_read_without_its_head_and_nothing_is_kept(root):
    fs, path = url_to_fs(f"{root}/mine.h5")
    fs.pipe_file(path, hdf5(SMALL))
    # Capitals make no other digest.
    options = {"filepath": f"{root}/mine.h5", "expected_digest": SMALL.digest.upper()}
    assert dataset_of(f"{root}/models", **options).exists()
    assert dataset_of(f"{root}/models", **options).load() == SMALL
    assert not fs.exists(url_to_fs(f"{root}/models")[1])


@pytest.mark.usefixtures("keras_copy")
def test_a_named_file_that_is_missing_is_not_replaced_by_another(root):
    path = f"{root}/none.h5"
    with pytest.raises(DatasetError, match=rf"weights_path={path} does not exist.*leave weights_path out"):
        dataset_of(f"{root}/models", filepath=path).load()


@pytest.mark.usefixtures("keras_copy")
@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), lambda path: path.mkdir()])
def test_a_named_file_that_cannot_be_read_is_named(tmp_path, make):  # type: ignore[no-untyped-def]
    make(tmp_path / "mine.h5")
    with pytest.raises(DatasetError, match=r"cannot be read from .*mine\.h5: .*leave weights_path out"):
        dataset_of(str(tmp_path), filepath=str(tmp_path / "mine.h5")).load()


@pytest.mark.usefixtures("keras_copy")
@pytest.mark.parametrize(
    ("name", "options", "way_out"),
    [
        ("mine.h5", {"filepath": "mine.h5"}, "leave weights_path out"),
        (WEIGHTS_FILE_NAME, {}, "remove the file"),
    ],
)
def test_a_file_of_another_digest_tells_it_and_the_ways_out(tmp_path, monkeypatch, name, options, way_out):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(hdf5(OTHER))
    expected = rf"{name} .*expected {SMALL.digest}.*Give weights_digest={OTHER.digest} .*{way_out}"
    with pytest.raises(DatasetError, match=expected):
        dataset_of(str(tmp_path), **options).load()


@pytest.mark.parametrize("nothing", [None, ""])
def test_fetched_weights_are_kept_for_the_next_load(root, keras_copy, caplog, nothing):
    dataset = dataset_of(f"{root}/models/", filepath=nothing)
    assert not dataset.exists()
    with caplog.at_level(logging.INFO, "fruits_bigdata"):
        assert dataset.load() == SMALL
    fs, folder = url_to_fs(f"{root}/models")
    (kept,) = fs.ls(folder, detail=False, refresh=True)
    with fs.open(kept) as file:
        assert read_weights(file) == SMALL
    assert f"{WEIGHTS_FILE_NAME}, {fs.size(kept):,} bytes" in caplog.text
    keras_copy.unlink()
    assert dataset.exists()
    assert dataset.load() == SMALL


@pytest.mark.usefixtures("keras_copy")
def test_a_models_folder_that_cannot_be_written_is_a_warning(caplog):
    # Not even root can make a folder there.
    assert dataset_of("/proc/fruits").load() == SMALL
    assert "not kept as /proc/fruits/" in caplog.messages[-1]


@pytest.mark.usefixtures("no_source")
def test_no_source_stays_the_error_that_it_is(tmp_path):
    with pytest.raises(WeightsUnavailableError, match="no source has them"):
        dataset_of(str(tmp_path)).load()


def test_the_catalogs_entry_makes_it_and_it_is_never_written():
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
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save(SMALL)
