import pytest
from kedro.io import DatasetError

from fruits_bigdata.datasets.image_folder_dataset import ImageFolderDataset


def test_it_hands_over_the_folder(images_path):
    dataset = ImageFolderDataset(filepath=str(images_path))
    assert dataset.exists()
    assert sum(batch.num_rows for batch in dataset.load().list_batches()) == 6


def test_a_missing_folder_is_named_with_the_way_out(tmp_path):
    dataset = ImageFolderDataset(filepath=f"{tmp_path}/missing")
    assert not dataset.exists()
    with pytest.raises(DatasetError, match=r"/missing does not exist or is no folder.*--params images_path="):
        dataset.load()


def test_the_users_images_are_never_written(images_path):
    with pytest.raises(DatasetError, match="only read, never written"):
        ImageFolderDataset(filepath=str(images_path)).save("anything")  # type: ignore[arg-type]
