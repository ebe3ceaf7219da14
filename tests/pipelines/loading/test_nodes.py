from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
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


def test_a_limit_that_is_reached_ends_the_listing(
    image_folder: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, *_) = image_folder.list_batches()

    def batches() -> Iterator[pa.RecordBatch]:
        yield first
        raise AssertionError("listed on")

    monkeypatch.setattr(image_folder, "list_batches", batches)
    assert len(list_images(image_folder, first.num_rows).read_all()) == first.num_rows


@pytest.mark.parametrize("limit", [0, -3, 2.5, "ten", True])
def test_a_limit_that_is_no_number_of_images_is_refused(image_folder: ImageFolder, limit: object) -> None:
    with pytest.raises(ValueError, match=f"limit={limit}"):
        list_images(image_folder, limit)  # type: ignore[arg-type]


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").touch()
    with pytest.raises(ValueError, match=rf"{tmp_path} holds no image: .*\.jpg, \.jpeg, \.png"):
        list_images(ImageFolder(str(tmp_path)), None)
