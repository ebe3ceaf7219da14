import os
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.local import LocalFileSystem
from obstore.exceptions import PermissionDeniedError

from fruits_bigdata import image_folder
from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.schemas import IMAGES_SCHEMA
from fruits_bigdata.storage import StorageError, configure_s3, open_bucket, open_location


def rows(folder: ImageFolder) -> list[dict[str, object]]:
    return pa.Table.from_batches(folder.list_batches(), schema=IMAGES_SCHEMA).to_pylist()


def write(root: Path, name: str, data: bytes = b"x") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_every_image_is_listed_whatever_its_name(tmp_path: Path, odd_names: list[str]) -> None:
    root = tmp_path / "Test"
    for i, name in enumerate(odd_names):
        write(root, name, b"x" * i)
    for name in ("a/readme.txt", "a/jpg", "a/picture.gif"):
        write(root, name)
    listed = {row["path"]: row for row in rows(ImageFolder(str(root)))}
    assert sorted(listed) == sorted(odd_names)
    for i, name in enumerate(odd_names):
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
    assert [batch.num_rows for batch in batches] == [3] * 7
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


def test_a_name_that_is_no_utf8_has_a_path_of_its_own_by_which_it_is_read(tmp_path: Path) -> None:
    expected = {
        b"caf\xe9/100%\xe9 \xc3\xa9.jpg": ("not-utf-8://caf%E9/100%25%E9 é.jpg", "not-utf-8://caf%E9"),
        b"caf\xe9/1.jpg": ("not-utf-8://caf%E9/1.jpg", "not-utf-8://caf%E9"),
        b"caf\\xe9/1.jpg": ("caf\\xe9/1.jpg", "caf\\xe9"),
        b"caf%E9/1.jpg": ("caf%E9/1.jpg", "caf%E9"),
        b"not-utf-8:/caf%E9/1.jpg": ("not-utf-8:/caf%E9/1.jpg", "caf%E9"),
    }
    for name in expected:
        path = os.fsencode(tmp_path) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)
    folder = ImageFolder(str(tmp_path))
    listed = {folder.read(str(row["path"])): (row["path"], row["label"]) for row in rows(folder)}
    assert listed == expected


def test_a_folder_deeper_than_any_path_reaches_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "a/1.jpg")
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=folder)
        above, folder = folder, os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(above)
    os.close(os.open("1.jpg", os.O_CREAT, dir_fd=folder))
    os.close(folder)
    assert [row["path"] for row in rows(ImageFolder(str(tmp_path)))] == ["a/1.jpg"]
    assert "any images in it are left out: [Errno 36] File name too long" in caplog.text


def test_a_folder_without_images_lists_nothing(tmp_path: Path) -> None:
    assert rows(ImageFolder(str(tmp_path))) == []
    assert ImageFolder(str(tmp_path)).exists()
    assert not ImageFolder(str(tmp_path / "missing")).exists()


def test_a_missing_image_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ImageFolder(str(tmp_path)).read("a/1.jpg")


@pytest.mark.parametrize("place", ["", "/Test", "/a b/é#?%20+"])
def test_s3_lists_and_reads_the_same(
    bucket: str, odd_names: list[str], odd_keys: list[str], place: str
) -> None:
    fs, _ = open_location(bucket)
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


MANY = [f"{label}/é {i}+.jpg" for label in "abcd" for i in range(2)]


@pytest.fixture
def asked(s3_endpoint: str, bucket: str) -> Iterator[list[str]]:
    """Some images in the bucket, and the requests that reach the server from now on, as `GET /path`."""
    fs, _ = open_location(bucket)
    name = bucket.removeprefix("s3://")
    bodies = {"Test/a/1 é.jpg": b"here", "Test//b\t.jpg": b"odd", **{f"Many/{path}": b"x" for path in MANY}}
    for key, body in bodies.items():
        fs.call_s3("put_object", Bucket=name, Key=key, Body=body)
    seen: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.command} {self.path}")
            connection = HTTPConnection(s3_endpoint.removeprefix("http://"))
            connection.request(self.command, self.path, headers=dict(self.headers))
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            for name in ("ETag", "Last-Modified", "Content-Type"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        configure_s3({"endpoint_url": f"http://127.0.0.1:{server.server_port}", "region": "eu-west-3"})
        yield seen
        server.shutdown()


def test_an_image_is_read_from_s3_by_one_request(bucket: str, asked: list[str]) -> None:
    folder = ImageFolder(f"{bucket}/Test")
    assert [folder.read("a/1 é.jpg") for _ in range(2)] == [b"here", b"here"]
    assert asked == [f"GET /{bucket.removeprefix('s3://')}/Test/a/1%20%C3%A9.jpg"] * 2


def test_s3_is_listed_a_thousand_objects_at_a_request(
    bucket: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_folder, "_KEYS_PER_REQUEST", 3)
    listed = [row["path"] for row in rows(ImageFolder(f"{bucket}/Many"))]
    assert listed == MANY
    assert len(asked) == 3


def test_a_key_that_obstore_cannot_name_is_read_too_and_by_one_request(bucket: str, asked: list[str]) -> None:
    assert ImageFolder(bucket).read("Test//b\t.jpg") == b"odd"
    assert len(asked) == 1


def test_an_archived_object_is_this_images_trouble_and_a_wrong_key_is_not(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs, _ = open_location(bucket)
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


def test_a_server_that_fails_is_asked_again_and_then_named(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    configure_s3({"endpoint_url": address, "region": "eu-west-3", "attempts": 2, "timeout_seconds": 0.5})
    with pytest.raises(StorageError, match=rf"{address}.* failed while reading {bucket}/a/1.jpg.*again"):
        ImageFolder(bucket).read("a/1.jpg")


def test_without_credentials_the_way_out_is_said(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(RuntimeError, match=r"no AWS credentials to read s3://fruits-.*: set AWS_PROFILE"):
        ImageFolder(bucket).read("a/1.jpg")


@pytest.mark.parametrize(
    ("name", "options", "address"),
    [
        ("fruits", {"region": "eu-west-1"}, {"region": "eu-west-1", "virtual_hosted_style_request": "true"}),
        ("fruits", {"path_style": True}, {"virtual_hosted_style_request": "false"}),
        ("fruits.eu", {}, {"virtual_hosted_style_request": "false"}),
        ("fruits", {"endpoint_url": "http://x:1"}, {"endpoint": "http://x:1"}),
    ],
)
def test_the_settings_of_s3_reach_the_bucket(
    bucket: str, name: str, options: dict[str, object], address: dict[str, str]
) -> None:
    configure_s3(options)
    config = open_bucket(name, fsspec.config.conf["s3"]).config
    assert {key: str(config.get(key)).lower() for key in address} == address


def test_a_worker_reads_with_the_drivers_settings(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fs, _ = open_location(bucket)
    fs.pipe_file(f"{bucket}/Test/a/1.jpg", b"here")
    sent = pickle.dumps(ImageFolder(f"{bucket}/Test"))
    # A worker is a process that no hook has configured.
    monkeypatch.setattr(fsspec.config, "conf", {})
    assert pickle.loads(sent).read("a/1.jpg") == b"here"
