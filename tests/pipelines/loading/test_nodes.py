from pathlib import Path

import pytest

from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.pipelines.loading.nodes import list_images
from fruits_bigdata.schemas import IMAGES_SCHEMA


def test_everything_is_listed(image_folder: ImageFolder) -> None:
    table = list_images(image_folder, None).read_all()
    assert table.schema == IMAGES_SCHEMA
    assert table["label"].to_pylist() == ["Apple Red"] * 3 + ["Café crème"] * 3


@pytest.mark.parametrize(("limit", "n"), [(1, 1), (3, 3), (4, 4), (100, 6)])
def test_limit_takes_the_first(image_folder: ImageFolder, limit: int, n: int) -> None:
    everything = list_images(image_folder, None).read_all()
    assert list_images(image_folder, limit).read_all().equals(everything.slice(0, n))


@pytest.mark.parametrize("limit", [0, -3, 2.5, "ten", True])
def test_a_limit_that_is_no_number_of_images_is_refused(image_folder: ImageFolder, limit: object) -> None:
    with pytest.raises(ValueError, match=f"limit={limit}"):
        list_images(image_folder, limit)  # type: ignore[arg-type]


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").touch()
    with pytest.raises(ValueError, match=rf"{tmp_path} holds no image: .*\.jpg, \.jpeg, \.png"):
        list_images(ImageFolder(str(tmp_path)), None)
