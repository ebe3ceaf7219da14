from pathlib import Path

import pytest
from kedro.io import DatasetError

from fruits_bigdata.datasets.output_lock_dataset import OutputLockDataset


def test_it_is_the_lock_of_its_place(tmp_path: Path) -> None:
    dataset = OutputLockDataset(filepath=f"{tmp_path}/_lock.json")
    lock = dataset.load()
    assert list(tmp_path.iterdir()) == []
    lock.acquire("run")
    assert [path.name for path in tmp_path.iterdir()] == ["_lock.json"]
    lock.release()
    with pytest.raises(DatasetError, match="not saved"):
        dataset.save(lock)  # type: ignore[arg-type]
