import errno
import os
import pickle
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pyarrow as pa
import pytest
from obstore.exceptions import PermissionDeniedError

from fruits_bigdata.images import folder as image_folder
from fruits_bigdata.images.folder import ImageFolder, ImageSizeError
from fruits_bigdata.storage.errors import StorageError
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.storage.s3 import configure_s3, open_bucket
from fruits_bigdata.tables.schemas import IMAGES_SCHEMA
from tests.support.commands import take_credentials
from tests.support.faulty_proxy import FaultyProxy


def rows(folder: ImageFolder) -> list[dict[str, object]]:
    return pa.Table.from_batches(folder.list_batches(), schema=IMAGES_SCHEMA).to_pylist()


def paths_in(folder: ImageFolder, unlisted: list[str] | None = None) -> list[str]:
    return [path for batch in folder.list_batches(unlisted) for path in batch["path"].to_pylist()]


def write(root: Path, name: str | bytes, data: bytes = b"x") -> None:
    path = Path(root, os.fsdecode(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture
def proxy(s3_endpoint, bucket) -> Iterator[FaultyProxy]:
    """Two images and an odd one in the bucket, and a proxy that counts the requests for them."""
    fs, name = url_to_fs(bucket)
    bodies = {"Test/a/1 é.jpg": b"first", "Test//b\t.jpg": b"other", "Test/c/3.jpg": b"third"}
    for key, body in bodies.items():
        fs.call_s3("put_object", Bucket=name, Key=key, Body=body)
    with FaultyProxy(s3_endpoint, share=0) as proxy:
        configure_s3({"endpoint_url": proxy.endpoint, "region": "eu-west-3", "attempts": 1})
        yield proxy


def test_every_image_is_listed_whatever_its_name(tmp_path, odd_names):
    root = tmp_path / "Test"
    for i, name in enumerate(odd_names):
        write(root, name, b"x" * i)
    for name in ("a/readme.TXT", "a/more.txt", "a/jpg", "a/.hidden", "a/of a camera.cr2 (1)"):
        write(root, name)
    more = [
        f"{kind}/1.{kind}"
        for kind in ["jpe", "jfif", "WebP", "avif", "heic", "heif", "TIF", "tiff", "bmp", "gif"]
    ]
    for name in more:
        write(root, name)
    others: Counter[str] = Counter()
    paths = [
        path for b in ImageFolder(str(root)).list_batches(None, others) for path in b["path"].to_pylist()
    ]
    assert sorted(paths) == sorted([*odd_names, *more])
    assert others == {"txt": 2, "": 3}
    listed = {row["path"]: row for row in rows(ImageFolder(str(root)))}
    for i, name in enumerate(odd_names):
        assert listed[name]["length"] == i
        assert listed[name]["label"] == (root / name).parent.name
        assert ImageFolder(str(root)).read(name) == b"x" * i


def test_modified_is_the_files_date_in_utc_whatever_the_machines_time_zone(tmp_path, monkeypatch):
    write(tmp_path, "a/1.jpg")
    os.utime(tmp_path / "a/1.jpg", (0, 1_700_000_000.123456))
    for zone in ("UTC", "Pacific/Auckland"):
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            (row,) = rows(ImageFolder(str(tmp_path)))
        time.tzset()
        assert row["modified"] == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)


def test_folders_and_names_come_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "_BATCH_ROWS", 3)
    names = [f"{label}/{i}.jpg" for label in "abc" for i in range(7)]
    for name in reversed(names):
        write(tmp_path, name)
    batches = list(ImageFolder(str(tmp_path)).list_batches())
    assert [batch.num_rows for batch in batches] == [3] * 7
    assert pa.Table.from_batches(batches)["path"].to_pylist() == names


def test_links_are_followed_but_not_in_circles(tmp_path):
    root, elsewhere = tmp_path / "Test", tmp_path / "elsewhere"
    write(root, "a/1.jpg", b"one")
    write(elsewhere, "2.jpg", b"two!")
    (root / "a" / "link.jpg").symlink_to(elsewhere / "2.jpg")
    (root / "b").symlink_to(elsewhere)
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "everything").symlink_to("/")
    (root / "a" / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    (root / "a" / "itself.jpg").symlink_to("itself.jpg")
    # The folder's own name begins so.
    write(tmp_path / "Tes", "3.jpg", b"three")
    (root / "more").symlink_to(tmp_path / "Tes")
    listed = {row["path"]: row["length"] for row in rows(ImageFolder(str(root)))}
    own = {"a/1.jpg": 3, "a/link.jpg": 4, "a/dangling.jpg": 0, "a/itself.jpg": 0}
    assert listed == {**own, "b/2.jpg": 4, "more/3.jpg": 5}
    for name in ("dangling", "itself"):
        with pytest.raises(OSError, match=name):
            ImageFolder(str(root)).read(f"a/{name}.jpg")


def test_folders_that_link_to_each_other_end(tmp_path):
    write(tmp_path, "a/1.jpg")
    write(tmp_path, "b/2.jpg")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    listed = paths_in(ImageFolder(str(tmp_path)))
    assert {"a/1.jpg", "b/2.jpg"} <= set(listed)
    assert max(path.count("/") for path in listed) <= 3


def test_what_is_no_file_is_listed_and_never_waited_for(tmp_path):
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    (row,) = rows(ImageFolder(str(tmp_path)))
    assert row["path"] == "a/pipe.jpg"
    with pytest.raises(OSError, match="not a regular file"):
        ImageFolder(str(tmp_path)).read("a/pipe.jpg")


@contextmanager
def nobody() -> Iterator[None]:
    """Root, as which tests may run, may list everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def open_place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        yield Path(place)
        for folder, _, _ in os.walk(place):
            os.chmod(folder, 0o755)


# Not to be read, and to be read but not entered.
@pytest.mark.parametrize("mode", [0o000, 0o744])
def test_a_folder_that_may_not_be_listed_is_reported_and_the_others_are_listed(open_place, mode, caplog):
    mode = mode if os.geteuid() == 0 else mode & 0o477
    for name in ("a/b %/1.jpg", "a/b %/deeper/2.jpg", "a/3.jpg", "c/4.jpg"):
        write(open_place, name)
    (open_place / "a/b %").chmod(mode)
    folder = ImageFolder(str(open_place))
    unlisted: list[str] = []
    with nobody():
        assert paths_in(folder, unlisted) == ["a/3.jpg", "c/4.jpg"]
    assert unlisted == ["a/b %/", "not-utf-8://a/b %25/"]
    assert f"Permission denied: '{open_place}/a/b %" in caplog.text
    open_place.chmod(0o700 if os.geteuid() == 0 else 0)
    with nobody(), pytest.raises(PermissionError):
        list(folder.list_batches())


def unlisted_in(root: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is not listed on a disk that answers so in every folder but the root."""
    listdir = os.listdir

    def fails(path: str) -> list[str]:
        if path != str(root):
            raise OSError(code, os.strerror(code), path)
        return listdir(path)

    unlisted: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", fails)
        assert paths_in(ImageFolder(str(root)), unlisted) == []
    return unlisted


def test_each_spelling_of_a_folder_begins_the_paths_below_it(tmp_path, monkeypatch):
    for name in (b"100%/1.jpg", b"100%/\xe9.jpg", b"caf\xe9/1.jpg"):
        write(tmp_path, name)
    paths = paths_in(ImageFolder(str(tmp_path)))
    unlisted = unlisted_in(tmp_path, errno.EACCES, monkeypatch)
    assert len(unlisted) == 3
    assert len(paths) == 3
    assert all(path.startswith(tuple(unlisted)) for path in paths)


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EACCES, errno.ENAMETOOLONG])
def test_a_disk_that_fails_never_shortens_the_listing_unsaid(tmp_path, monkeypatch, code):
    write(tmp_path, "a/1.jpg")
    assert unlisted_in(tmp_path, code, monkeypatch)[0] == "a/"
    # A folder that has just gone is gone.
    for gone in (errno.ENOENT, errno.ENOTDIR):
        assert unlisted_in(tmp_path, gone, monkeypatch) == []


def test_an_empty_folder_is_none_that_has_gone(tmp_path):
    assert paths_in(ImageFolder(str(tmp_path))) == []
    assert ImageFolder(str(tmp_path)).exists()
    missing = ImageFolder(str(tmp_path / "missing"))
    assert not missing.exists()
    with pytest.raises(FileNotFoundError):
        paths_in(missing)


def test_a_page_of_s3_that_fails_ends_the_listing(bucket, proxy, monkeypatch):
    monkeypatch.setattr(image_folder, "_KEYS_PER_REQUEST", 1)
    proxy.faults, proxy.share, proxy.only = ("slow_down",), 1, lambda _, path: "continuation-token" in path
    with pytest.raises(OSError, match="reduce your request rate"):
        rows(ImageFolder(f"{bucket}/Test"))


@pytest.mark.parametrize(
    ("date", "kept"),
    [
        (datetime(1601, 1, 1, tzinfo=UTC), False),
        (datetime(1899, 12, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(1900, 1, 1, tzinfo=UTC), True),
        (datetime(2262, 4, 11, tzinfo=UTC), True),
        (datetime(2262, 4, 12, tzinfo=UTC), False),
        (datetime(9999, 12, 31, tzinfo=UTC), False),
    ],
)
def test_a_date_that_pandas_or_spark_cannot_hold_becomes_1970(monkeypatch, date, kept):
    expected = date if kept else datetime(1970, 1, 1, tzinfo=UTC)
    # Not every file system holds such dates.
    assert image_folder._modified(date.timestamp()) == expected
    page = {"Contents": [{"Key": "a/1.jpg", "Size": 1, "LastModified": date}], "IsTruncated": False}
    fs = SimpleNamespace(call_s3=lambda *_, **__: page)
    monkeypatch.setattr(image_folder, "url_to_fs", lambda _: (fs, "fruits"))
    (row,) = rows(ImageFolder("s3://fruits"))
    assert row["modified"] == expected
    assert pa.Table.from_pylist([row], schema=IMAGES_SCHEMA).to_pandas()["modified"][0] == expected


@pytest.mark.parametrize("mtime", [3e11, -1e15, 1e300])
def test_a_date_that_no_calendar_has_does_not_end_the_listing(mtime):
    assert image_folder._modified(mtime) == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_name_that_is_no_utf8_has_a_path_of_its_own_by_which_it_is_read(tmp_path):
    expected = {
        b"caf\xe9/100%\xe9 \xc3\xa9.jpg": ("not-utf-8://caf%E9/100%25%E9 é.jpg", "not-utf-8://caf%E9"),
        b"caf\xe9/1.jpg": ("not-utf-8://caf%E9/1.jpg", "not-utf-8://caf%E9"),
        b"caf\\xe9/1.jpg": ("caf\\xe9/1.jpg", "caf\\xe9"),
        b"caf%E9/1.jpg": ("caf%E9/1.jpg", "caf%E9"),
        b"not-utf-8:/caf%E9/1.jpg": ("not-utf-8:/caf%E9/1.jpg", "caf%E9"),
    }
    for name in expected:
        write(tmp_path, name, name)
    folder = ImageFolder(str(tmp_path))
    listed = {folder.read(str(row["path"])): (row["path"], row["label"]) for row in rows(folder)}
    assert listed == expected


def test_a_folder_deeper_than_any_path_reaches_is_reported(tmp_path, caplog):
    write(tmp_path, "a/1.jpg")
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=folder)
        above, folder = folder, os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(above)
    os.close(os.open("1.jpg", os.O_CREAT, dir_fd=folder))
    os.close(folder)
    unlisted: list[str] = []
    assert paths_in(ImageFolder(str(tmp_path)), unlisted) == ["a/1.jpg"]
    assert {path.strip("d/") for path in unlisted} == {"", "not-utf-8:"}
    assert "which images lie below it: [Errno 36] File name too long" in caplog.text


@pytest.mark.parametrize("place", ["", "/Test", "/a b/é#?%20+"])
def test_s3_lists_and_reads_the_same(bucket, odd_names, odd_keys, place):
    fs, _ = url_to_fs(bucket)
    name = bucket.removeprefix("s3://")
    # The server of the tests has no place for a key with a line's end; S3 does.
    keys = [*odd_keys, *(key for key in odd_names if "\n" not in key)]
    dates = {}
    for key in [f"{place[1:]}/{key}" if place else key for key in keys]:
        fs.call_s3("put_object", Bucket=name, Key=key, Body=key.encode())
        dates[key] = fs.call_s3("head_object", Bucket=name, Key=key)["LastModified"]
    for scheme in ("s3", "s3a"):
        folder = pickle.loads(pickle.dumps(ImageFolder(f"{scheme}{bucket.removeprefix('s3')}{place}/")))
        assert folder.exists()
        listed = rows(folder)
        assert [row["path"] for row in listed] == sorted(key for key in keys if not key.endswith("/"))
        for row in listed:
            path = str(row["path"])
            key = f"{place[1:]}/{path}" if place else path
            assert folder.read(path) == key.encode()
            assert row["length"] == len(key.encode())
            assert row["modified"] == dates[key]
            above = path.rpartition("/")[0] if "/" in path else place or name
            assert row["label"] == above.rpartition("/")[2]
    assert not ImageFolder(f"{bucket}/missing").exists()
    assert not ImageFolder(f"{bucket}-missing").exists()


def test_no_more_is_read_than_was_listed(tmp_path):
    write(tmp_path, "a/1.jpg", b"12345")
    folder = ImageFolder(str(tmp_path))
    assert folder.read("a/1.jpg", 5) == b"12345"
    with pytest.raises(ImageSizeError, match=r"^changed: listed with 6 bytes, has 5 now$"):
        folder.read("a/1.jpg", 6)
    os.truncate(tmp_path / "a/1.jpg", 1_000_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ImageSizeError, match=r"^changed: listed with 5 bytes, has 1,000,000,000 now$"):
            folder.read("a/1.jpg", 5)
        with pytest.raises(ImageSizeError, match=r"^too large: 1,000,000,000 bytes, limit 50,000,000$"):
            folder.read("a/1.jpg")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_file_with_more_bytes_than_its_size_is_not_read_on(tmp_path):
    # As of a file that grows while it is read.
    (tmp_path / "1.jpg").symlink_to("/proc/self/status")
    folder = ImageFolder(str(tmp_path))
    assert [row["length"] for row in rows(folder)] == [0]
    with pytest.raises(ImageSizeError, match="changed: listed with 0 bytes, has 1 now"):
        folder.read("1.jpg", 0)


ODD = pytest.mark.parametrize("path", ["Test/a/1 é.jpg", "Test//b\t.jpg"])


@ODD
def test_an_image_is_read_from_s3_by_one_request(bucket, proxy, path):
    folder = ImageFolder(bucket)
    bodies = [folder.read(path, 5) for _ in range(2)]
    assert bodies == [b"first" if "é" in path else b"other"] * 2
    assert proxy.requests == {("GET", "Test"): 2}


@ODD
def test_an_object_of_another_size_is_refused_before_its_body_comes(bucket, proxy, monkeypatch, path):
    # Who waited for the body would meet its end.
    proxy.faults, proxy.share = ("cut",), 1
    folder = ImageFolder(bucket)
    with pytest.raises(ImageSizeError, match=r"^changed: listed with 6 bytes, has 5 now$"):
        folder.read(path, 6)
    monkeypatch.setattr(image_folder, "MAX_FILE_BYTES", 4)
    with pytest.raises(ImageSizeError, match=r"^too large: 5 bytes, limit 4$"):
        folder.read(path)


def test_s3_is_listed_a_thousand_objects_at_a_request(bucket, proxy, monkeypatch):
    folder = ImageFolder(f"{bucket}/Test")
    assert paths_in(folder) == ["/b\t.jpg", "a/1 é.jpg", "c/3.jpg"]
    assert proxy.requests == {("GET", ""): 1}
    monkeypatch.setattr(image_folder, "_KEYS_PER_REQUEST", 2)
    assert paths_in(folder) == ["/b\t.jpg", "a/1 é.jpg", "c/3.jpg"]
    assert proxy.requests == {("GET", ""): 3}


def test_an_archived_object_is_this_images_trouble_and_a_wrong_key_is_not(bucket, monkeypatch):
    fs, _ = url_to_fs(bucket)
    name = bucket.removeprefix("s3://")
    fs.call_s3("put_object", Bucket=name, Key="a/1.jpg", Body=b"x", StorageClass="GLACIER")
    folder = ImageFolder(bucket)
    with pytest.raises(PermissionError, match="S3 answers InvalidObjectState"):
        folder.read("a/1.jpg")
    with pytest.raises(FileNotFoundError):
        folder.read("a/2.jpg")

    def refuse(*_: object) -> None:
        raise PermissionDeniedError("403 Forbidden: <Error><Code>InvalidAccessKeyId</Code></Error>")

    monkeypatch.setattr(folder, "_bucket", SimpleNamespace(get=refuse))
    with pytest.raises(StorageError, match="InvalidAccessKeyId"):
        folder.read("a/1.jpg")


def test_without_credentials_the_way_out_is_said(bucket, monkeypatch):
    take_credentials(monkeypatch)
    with pytest.raises(RuntimeError, match=r"no AWS credentials to read s3://fruits-.*: set AWS_PROFILE"):
        ImageFolder(bucket).read("a/1.jpg")


def test_the_style_of_addresses_reaches_the_bucket(bucket):
    configure_s3({"region": "eu-west-1", "path_style": True})
    assert open_bucket("fruits", fsspec.config.conf["s3"]).config["virtual_hosted_style_request"] == "false"


def test_a_worker_reads_with_the_drivers_settings(bucket, monkeypatch):
    fs, _ = url_to_fs(bucket)
    fs.pipe_file(f"{bucket}/Test/a/1.jpg", b"here")
    sent = pickle.dumps(ImageFolder(f"{bucket}/Test"))
    # A worker is a process that no hook has configured.
    monkeypatch.setattr(fsspec.config, "conf", {})
    assert pickle.loads(sent).read("a/1.jpg") == b"here"
