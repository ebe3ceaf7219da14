import logging
import os
from pathlib import Path

import pytest
from kedro.io import DatasetError

from fruits_bigdata.datasets.delta_table_dataset import DeltaTableDataset
from fruits_bigdata.tables.delta import Change
from tests.tables.conftest import rejections


def dataset(folder: Path, **options: bool) -> DeltaTableDataset:
    return DeltaTableDataset(filepath=str(folder), schema="REJECTED_SCHEMA", **options)


def fill(folder: Path, *paths: str) -> Path:
    """Store some rows in a file of their own, and return the file."""
    table = dataset(folder).load()
    file = table.folder.write(rejections(*paths))
    dataset(folder).save(Change(table, [file]))
    return folder / file.name


def test_a_table_loads_as_its_newest_version(tmp_path):
    assert not dataset(tmp_path).exists()
    assert dataset(tmp_path).load().rows == 0
    fill(tmp_path, "a", "b")
    fill(tmp_path, "c")
    assert dataset(tmp_path).exists()
    assert dataset(tmp_path).load().rows == 3


def test_damage_is_noticed_when_the_table_is_loaded(tmp_path, caplog):
    fill(tmp_path, "a", "b")
    file = fill(tmp_path, "c")
    os.truncate(file, 0)
    with pytest.raises(DatasetError, match=f"{file.name}.*repair=true"):
        dataset(tmp_path).load()
    with caplog.at_level(logging.WARNING):
        assert dataset(tmp_path, is_derived=True).load().rows == 2
    assert "It is made anew" in caplog.text


def test_repair_looks_into_every_file(tmp_path):
    fill(tmp_path, "a", "b")
    file = fill(tmp_path, "c")
    content = bytearray(file.read_bytes())
    content[len(content) // 8] ^= 1
    file.write_bytes(content)
    assert dataset(tmp_path).load().rows == 3
    assert dataset(tmp_path, repair=True).load().rows == 2
    assert not file.exists()


def test_the_preview_shows_the_first_rows_and_shortens_what_is_long(tmp_path):
    fill(tmp_path, *(f"{i}.jpg" for i in range(9)))
    preview = dataset(tmp_path).preview(nrows=3)
    assert preview["columns"][0] == "path"
    assert len(preview["data"]) == 3
    assert dataset(tmp_path / "nothing").preview()["data"] == []
