import logging
from collections import Counter

import pytest

from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.pipelines.loading.nodes import list_images
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import IMAGES_SCHEMA


@pytest.fixture
def images(tmp_path) -> Table:
    return Table(str(tmp_path / "images"), IMAGES_SCHEMA)


def run(folder: ImageFolder, images: Table) -> int | None:
    """List as a run does, and return the version of the table."""
    images.commit(list_images(folder, images))
    return images.version


def paths(images: Table) -> list[str]:
    return list(images.read().column("path").to_pylist())


def test_everything_is_listed(image_folder, images):
    run(image_folder, images)
    assert images.read().column("label").to_pylist() == ["Apple Red"] * 3 + ["Café crème"] * 3
    assert images.metadata["images_path"] == image_folder.url


def test_files_that_are_no_images_are_counted_by_their_endings(image_folder, images, images_path, caplog):
    for name in ("a.txt", "b.TXT", "Makefile", ".hidden", *(f"1.e{i}" for i in range(5))):
        (images_path / name).touch()
    with caplog.at_level(logging.INFO):
        run(image_folder, images)
    assert "Listed 6 images; no images: 2 without an ending, 2 .txt, 1 .e0, " in caplog.text
    assert ", 2 others\n" in caplog.text


def test_the_same_listing_is_not_written_again(image_folder, images, images_path):
    version = run(image_folder, images)
    assert run(image_folder, images) == version
    (images_path / "Apple Red" / "0_100.jpg").write_bytes(b"another")
    assert run(image_folder, images) == (version or 0) + 1
    assert len(images.files) == 1
    (images_path / "Apple Red" / "0_100.jpg").unlink()
    run(image_folder, images)
    assert len(paths(images)) == 5


def test_what_cannot_be_listed_just_now_is_what_it_was(image_folder, images, images_path, monkeypatch):
    run(image_folder, images)
    original = image_folder.list_batches
    (images_path / "Apple Red" / "0_100.jpg").unlink()

    def list_but_one(unlisted: list[str], others: Counter[str]):  # type: ignore[no-untyped-def]
        for batch in original(unlisted, others):
            yield batch.filter([not path.startswith("Café") for path in batch.column("path").to_pylist()])
        unlisted.append("Café crème/")

    monkeypatch.setattr(image_folder, "list_batches", list_but_one)
    run(image_folder, images)
    assert sorted(paths(images)) == ["Apple Red/1_100.jpg", "Apple Red/2_100.jpg"] + [
        f"Café crème/{i}_100.jpg" for i in range(3)
    ]


def test_the_listing_of_another_folder_keeps_nothing(image_folder, images, tmp_path):
    run(image_folder, images)
    (tmp_path / "other" / "Pear").mkdir(parents=True)
    (tmp_path / "other" / "Pear" / "1.jpg").write_bytes(b"x")
    run(ImageFolder(str(tmp_path / "other")), images)
    assert paths(images) == ["Pear/1.jpg"]


def test_a_folder_without_images_is_named(tmp_path, images):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").touch()
    with pytest.raises(ValueError, match=rf"{tmp_path}/empty holds no image: .*\.jpg, \.jpeg, .*\.png"):
        list_images(ImageFolder(str(tmp_path / "empty")), images)
