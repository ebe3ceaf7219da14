import pytest

from fruits_bigdata.datasets.compiled_models_dataset import CompiledModelsDataset
from fruits_bigdata.storage.locations import url_to_fs


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_models_are_kept_side_by_side_and_read_when_asked_for(where, tmp_path, request):
    root = f"{tmp_path}/models" if where == "disk" else f"{request.getfixturevalue('bucket')}/models"
    dataset = CompiledModelsDataset(filepath=root)
    assert dataset.load() == {}
    assert not dataset.exists()
    dataset.save({"one": b"1"})
    dataset.save({})
    dataset.save({"two": b"2"})
    assert {key: read() for key, read in dataset.load().items()} == {"one": b"1", "two": b"2"}
    assert dataset.exists()


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_a_flipped_bit_is_noticed_and_the_next_model_replaces_the_damaged_one(
    where, tmp_path, request, caplog
):
    root = f"{tmp_path}/models" if where == "disk" else f"{request.getfixturevalue('bucket')}/models"
    dataset = CompiledModelsDataset(filepath=root)
    dataset.save({"key": b"a flatbuffer", "key-2": b"another"})
    fs, folder = url_to_fs(root)
    (path,) = (path for path in fs.ls(folder, detail=False) if "/key-2" not in path)
    fs.pipe_file(path, b"a flatbuffes")
    readers = dataset.load()
    assert readers["key"]() == b""
    assert f"{path} is damaged" in caplog.text
    assert readers["key-2"]() == b"another"
    dataset.save({"key": b"made anew"})
    assert {key: read() for key, read in dataset.load().items()} == {"key": b"made anew", "key-2": b"another"}
    assert len(fs.ls(folder)) == 2
    # Of a reader that another run has overtaken.
    assert readers["key"]() == b""


def test_a_run_that_ends_while_it_replaces_a_model_leaves_a_good_one(tmp_path):
    dataset = CompiledModelsDataset(filepath=str(tmp_path))
    dataset.save({"key": b"good"})
    (tmp_path / f"key-{'0' * 64}.tflite").write_bytes(b"damaged")
    (tmp_path / f"key-{'f' * 64}.tflite").write_bytes(b"damaged")
    assert dataset.load()["key"]() == b"good"


def test_a_file_without_a_hash_is_not_read_and_goes_when_its_model_is_made_anew(tmp_path):
    (tmp_path / "key.tflite").write_bytes(b"who knows")
    dataset = CompiledModelsDataset(filepath=str(tmp_path))
    assert dataset.load() == {}
    dataset.save({"key": b"made anew"})
    assert dataset.load()["key"]() == b"made anew"
    assert not (tmp_path / "key.tflite").exists()


def test_a_folder_that_cannot_be_written_costs_a_warning_only(caplog):
    CompiledModelsDataset(filepath="/proc/nowhere").save({"key": b"a flatbuffer"})
    assert "not kept as /proc/nowhere/key-" in caplog.text
    assert "models_path=..." in caplog.text
