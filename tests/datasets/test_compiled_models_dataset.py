from pathlib import Path

import pytest

from fruits_bigdata.datasets.compiled_models_dataset import CompiledModelsDataset


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_models_are_kept_side_by_side_and_read_when_asked_for(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = f"{tmp_path}/models" if where == "disk" else f"{request.getfixturevalue('bucket')}/models"
    dataset = CompiledModelsDataset(filepath=root)
    assert dataset.load() == {}
    assert not dataset.exists()
    dataset.save({"one": b"1"})
    dataset.save({})
    dataset.save({"two": b"2"})
    assert {key: read() for key, read in dataset.load().items()} == {"one": b"1", "two": b"2"}
    assert dataset.exists()


def test_a_folder_that_cannot_be_written_costs_a_warning_only(caplog: pytest.LogCaptureFixture) -> None:
    CompiledModelsDataset(filepath="/proc/nowhere").save({"key": b"a flatbuffer"})
    assert "not kept as /proc/nowhere/key.tflite" in caplog.text
    assert "models_path=..." in caplog.text
