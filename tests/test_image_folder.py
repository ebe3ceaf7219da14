import os
import pickle
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.local import LocalFileSystem

from fruits_bigdata import image_folder
from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.schemas import IMAGES_SCHEMA
from fruits_bigdata.storage import open_location


def rows(folder: ImageFolder) -> list[dict[str, object]]:
    return pa.Table.from_batches(folder.list_batches(), schema=IMAGES_SCHEMA).to_pylist()


def write(root: Path, name: str, data: bytes = b"x") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


ODD_NAMES = [
    "Café/é.jpg",
    unicodedata.normalize("NFD", "Café") + "/" + unicodedata.normalize("NFD", "é.jpg"),
    "50%20/a%20b.JPG",
    "#1/a#b?c+d,e.jpeg",
    "quote\"'/new\nline.PNG",
    "_hidden/_DSC0001.JPG",
    ".dot/.dot.jpg",
    "apple/1.jpg",
    "Apple/1.jpg",
    "folder.jpg/1.jpg",
    "a/b/c/deep.JpEg",
    "at the top.png",
    "long/" + "x" * 251 + ".jpg",
    "colons::in/a:b.jpg",
    " spaces /  .jpg",
]


def test_every_image_is_listed_whatever_its_name(tmp_path: Path) -> None:
    root = tmp_path / "Test"
    for i, name in enumerate(ODD_NAMES):
        write(root, name, b"x" * i)
    for name in ("a/readme.txt", "a/jpg", "a/picture.gif"):
        write(root, name)
    listed = {row["path"]: row for row in rows(ImageFolder(str(root)))}
    assert sorted(listed) == sorted(ODD_NAMES)
    for i, name in enumerate(ODD_NAMES):
        assert listed[name]["length"] == i
        assert listed[name]["label"] == (root / name).parent.name
        assert ImageFolder(str(root)).read(name) == b"x" * i


def test_modified_is_the_files_date_in_utc(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg")
    os.utime(tmp_path / "a/1.jpg", (0, 1_700_000_000.123456))
    (row,) = rows(ImageFolder(str(tmp_path)))
    assert row["modified"] == datetime.fromtimestamp(1_700_000_000.123456, UTC)


def test_the_machines_time_zone_changes_no_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a/1.jpg")
    here = rows(ImageFolder(str(tmp_path)))
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert rows(ImageFolder(str(tmp_path))) == here
    finally:
        monkeypatch.undo()
        time.tzset()


def test_folders_and_names_come_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "_BATCH_ROWS", 3)
    names = [f"{label}/{i}.jpg" for label in "abc" for i in range(7)]
    for name in reversed(names):
        write(tmp_path, name)
    batches = list(ImageFolder(str(tmp_path)).list_batches())
    assert [batch.num_rows for batch in batches] == [3, 3, 1] * 3
    assert pa.Table.from_batches(batches)["path"].to_pylist() == names


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "Test", tmp_path / "elsewhere"
    write(root, "a/1.jpg", b"one")
    write(elsewhere, "2.jpg", b"two!")
    (root / "a" / "link.jpg").symlink_to(elsewhere / "2.jpg")
    (root / "b").symlink_to(elsewhere)
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "everything").symlink_to("/")
    (root / "a" / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    (root / "a" / "itself.jpg").symlink_to("itself.jpg")
    listed = {row["path"]: row["length"] for row in rows(ImageFolder(str(root)))}
    assert listed == {"a/1.jpg": 3, "a/link.jpg": 4, "b/2.jpg": 4, "a/dangling.jpg": 0, "a/itself.jpg": 0}
    for name in ("dangling", "itself"):
        with pytest.raises(OSError, match=name):
            ImageFolder(str(root)).read(f"a/{name}.jpg")


def test_what_is_no_file_is_listed_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    (row,) = rows(ImageFolder(str(tmp_path)))
    assert row["path"] == "a/pipe.jpg"
    with pytest.raises(OSError, match="not a regular file"):
        ImageFolder(str(tmp_path)).read("a/pipe.jpg")


def test_a_folder_that_may_not_be_listed_is_named_and_the_others_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "a/1.jpg")
    write(tmp_path, "b/2.jpg")
    allowed = LocalFileSystem.ls

    # Root, as which tests may run, may list everything.
    def ls(self, path, detail=False, **kwargs):  # type: ignore[no-untyped-def]
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return allowed(self, path, detail=detail, **kwargs)

    monkeypatch.setattr(LocalFileSystem, "ls", ls)
    assert [row["path"] for row in rows(ImageFolder(str(tmp_path)))] == ["b/2.jpg"]
    assert f"'{tmp_path}/a'" in caplog.text


@pytest.mark.parametrize("mtime", [3e11, -1e15, 1e300])
def test_a_date_that_no_calendar_has_does_not_end_the_listing(mtime: float) -> None:
    assert image_folder._modified({"mtime": mtime}) == datetime(1970, 1, 1, tzinfo=UTC)


def test_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    write(tmp_path, "a/1.jpg")
    write(tmp_path, "b/2.jpg")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    listed = [str(row["path"]) for row in rows(ImageFolder(str(tmp_path)))]
    assert {"a/1.jpg", "b/2.jpg"} <= set(listed)
    assert max(path.count("/") for path in listed) <= 3


def test_a_link_to_a_folder_whose_name_begins_the_same_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "apple", "1.jpg")
    write(tmp_path / "apple 2", "2.jpg")
    (tmp_path / "apple 2" / "more").symlink_to(tmp_path / "apple")
    assert [row["path"] for row in rows(ImageFolder(str(tmp_path / "apple 2")))] == ["2.jpg", "more/1.jpg"]


def test_a_name_that_is_no_utf8_is_listed_readably(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "a")
    with open(os.fsencode(tmp_path) + b"/a/caf\xe9.jpg", "wb"):
        pass
    (row,) = rows(ImageFolder(str(tmp_path)))
    assert row["path"] == "a/caf\\xe9.jpg"


def test_a_folder_without_images_lists_nothing(tmp_path: Path) -> None:
    assert rows(ImageFolder(str(tmp_path))) == []
    assert ImageFolder(str(tmp_path)).exists()
    assert not ImageFolder(str(tmp_path / "missing")).exists()


def test_a_missing_image_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ImageFolder(str(tmp_path)).read("a/1.jpg")


def test_s3_lists_and_reads_the_same(bucket: str) -> None:
    fs, _ = open_location(bucket)
    names = [name for name in ODD_NAMES if "\n" not in name]
    for i, name in enumerate(names):
        fs.pipe_file(f"{bucket.removeprefix('s3://')}/Test/{name}", b"x" * i)
    # What a console leaves where somebody clicked "create folder".
    fs.call_s3("put_object", Bucket=bucket.removeprefix("s3://"), Key="Test/empty.jpg/", Body=b"")
    for scheme in ("s3", "s3a"):
        folder = pickle.loads(pickle.dumps(ImageFolder(f"{scheme}{bucket.removeprefix('s3')}/Test")))
        assert folder.exists()
        listed = {row["path"]: row for row in rows(folder)}
        assert sorted(listed) == sorted(names)
        for i, name in enumerate(names):
            assert listed[name]["length"] == i
            assert folder.read(name) == b"x" * i
            assert listed[name]["modified"] == fs.info(f"{bucket}/Test/{name}")["LastModified"]
    assert not ImageFolder(f"{bucket}/missing").exists()


def test_a_worker_reads_with_the_drivers_settings(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fs, _ = open_location(bucket)
    fs.pipe_file(f"{bucket}/Test/a/1.jpg", b"here")
    sent = pickle.dumps(ImageFolder(f"{bucket}/Test"))
    # A worker is a process that no hook has configured.
    monkeypatch.setattr(fsspec.config, "conf", {})
    assert pickle.loads(sent).read("a/1.jpg") == b"here"
