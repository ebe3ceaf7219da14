import errno
import os
import pickle
import socket
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pyarrow as pa
import pytest
from obstore.exceptions import PermissionDeniedError

from fruits_bigdata import image_folder
from fruits_bigdata.image_folder import ImageFolder, ImageSizeError
from fruits_bigdata.schemas import IMAGES_SCHEMA
from fruits_bigdata.storage import StorageError, configure_s3, open_bucket, open_location


def rows(folder: ImageFolder) -> list[dict[str, object]]:
    return pa.Table.from_batches(folder.list_batches(), schema=IMAGES_SCHEMA).to_pylist()


def write(root: Path, name: str, data: bytes = b"x") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


Answer = tuple[int, dict[str, str], bytes]
Serve = Callable[[Callable[[str], Answer]], None]


@pytest.fixture
def serve(bucket: str) -> Iterator[Serve]:
    """Let a server answer S3's requests by status, headers and a body, which may be shorter than it says."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[str], Answer]) -> None:
        class Server(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        configure_s3({"endpoint_url": endpoint, "region": "eu-west-3", "attempts": 2, "timeout_seconds": 2})

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


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
def test_a_folder_that_may_not_be_listed_is_reported_and_the_others_are_listed(
    open_place: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    mode = mode if os.geteuid() == 0 else mode & 0o477
    for name in ("a/b %/1.jpg", "a/b %/deeper/2.jpg", "a/3.jpg", "c/4.jpg"):
        write(open_place, name)
    (open_place / "a/b %").chmod(mode)
    folder = ImageFolder(str(open_place))
    unlisted: list[str] = []
    with nobody():
        paths = pa.Table.from_batches(folder.list_batches(unlisted))["path"].to_pylist()
    assert paths == ["a/3.jpg", "c/4.jpg"]
    assert unlisted == ["a/b %/", "not-utf-8://a/b %25/"]
    assert f"Permission denied: '{open_place}/a/b %" in caplog.text
    open_place.chmod(0o700 if os.geteuid() == 0 else 0)
    with nobody(), pytest.raises(PermissionError):
        list(folder.list_batches())


def test_each_spelling_of_a_folder_begins_the_paths_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (b"100%/1.jpg", b"100%/\xe9.jpg", b"caf\xe9/1.jpg"):
        path = os.fsencode(tmp_path) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
    paths = [str(row["path"]) for row in rows(ImageFolder(str(tmp_path)))]
    unlisted = unlisted_of(tmp_path, errno.EACCES, monkeypatch)
    assert len(unlisted) == 3
    assert len(paths) == 3
    assert all(path.startswith(tuple(unlisted)) for path in paths)


def unlisted_of(root: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is not listed on a disk that answers so in every folder but the root."""
    listdir = os.listdir

    def fails(path: str) -> list[str]:
        if path != str(root):
            raise OSError(code, os.strerror(code), path)
        return listdir(path)

    unlisted: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", fails)
        assert not list(ImageFolder(str(root)).list_batches(unlisted))
    return unlisted


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EACCES, errno.ENAMETOOLONG])
def test_a_disk_that_fails_never_shortens_the_listing_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    write(tmp_path, "a/1.jpg")
    assert unlisted_of(tmp_path, code, monkeypatch)[0] == "a/"


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENOTDIR])
def test_a_folder_that_has_just_gone_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    write(tmp_path, "a/1.jpg")
    assert unlisted_of(tmp_path, code, monkeypatch) == []


def test_an_images_root_that_has_gone_is_no_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(ImageFolder(str(tmp_path / "missing")).list_batches())


def test_a_page_of_s3_that_fails_ends_the_listing(serve: Serve) -> None:
    def answer(path: str) -> Answer:
        if "continuation-token" in path:
            return 500, {}, b"<Error><Code>InternalError</Code><Message>Try again</Message></Error>"
        return 200, {}, page("2025-07-01T00:00:00.000Z", more=True)

    serve(answer)
    with pytest.raises(OSError, match="Try again"):
        rows(ImageFolder("s3://fruits/Test"))


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
def test_a_date_that_pandas_or_spark_cannot_hold_becomes_1970(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, date: datetime, kept: bool
) -> None:
    expected = date if kept else datetime(1970, 1, 1, tzinfo=UTC)
    write(tmp_path, "a/1.jpg")
    known = os.stat
    seconds = date.timestamp()

    # Not every file system holds such dates.
    def stat(path, *args, **kwargs):  # type: ignore[no-untyped-def]
        state = known(path, *args, **kwargs)
        if not str(path).endswith("1.jpg"):
            return state
        return os.stat_result((*state[:8], int(seconds), *state[9:]), {"st_mtime": seconds})

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", stat)
        (row,) = rows(ImageFolder(str(tmp_path)))
    assert row["modified"] == expected

    serve(lambda _: (200, {}, page(f"{date:%Y-%m-%dT%H:%M:%S.000Z}", more=False)))
    (row,) = rows(ImageFolder("s3://fruits/Test"))
    assert row["modified"] == expected
    assert pa.Table.from_pylist([row], schema=IMAGES_SCHEMA).to_pandas()["modified"][0] == expected


def page(date: str, more: bool) -> bytes:
    """Return S3's answer that lists one image."""
    token = "<NextContinuationToken>x</NextContinuationToken>" if more else ""
    return (
        f"<?xml version='1.0'?><ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
        f"<Contents><Key>Test/a/1.jpg</Key><LastModified>{date}</LastModified><Size>1</Size></Contents>"
        f"</ListBucketResult>"
    ).encode()


@pytest.mark.parametrize("mtime", [3e11, -1e15, 1e300])
def test_a_date_that_no_calendar_has_does_not_end_the_listing(mtime: float) -> None:
    assert image_folder._modified(mtime) == datetime(1970, 1, 1, tzinfo=UTC)


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


def test_a_folder_deeper_than_any_path_reaches_is_reported(
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
    unlisted: list[str] = []
    batches = list(ImageFolder(str(tmp_path)).list_batches(unlisted))
    assert pa.Table.from_batches(batches)["path"].to_pylist() == ["a/1.jpg"]
    assert {path.strip("d/") for path in unlisted} == {"", "not-utf-8:"}
    assert "which images lie below it: [Errno 36] File name too long" in caplog.text


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


def test_no_more_is_read_than_was_listed(tmp_path: Path) -> None:
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


def test_a_file_with_more_bytes_than_its_size_is_not_read_on(tmp_path: Path) -> None:
    # As of a file that grows while it is read.
    (tmp_path / "1.jpg").symlink_to("/proc/self/status")
    folder = ImageFolder(str(tmp_path))
    assert [row["length"] for row in rows(folder)] == [0]
    with pytest.raises(ImageSizeError, match="changed: listed with 0 bytes, has 1 now"):
        folder.read("1.jpg", 0)


@pytest.mark.parametrize("path", ["a/1.jpg", "a//tab\t.jpg"])
def test_an_object_of_another_size_is_refused_before_its_body_comes(serve: Serve, path: str) -> None:
    headers = {
        "Content-Length": "1000000000",
        "ETag": '"x"',
        "Last-Modified": "Tue, 01 Jul 2025 00:00:00 GMT",
    }
    serve(lambda _: (200, headers, b""))
    folder = ImageFolder("s3://fruits/Test")
    with pytest.raises(ImageSizeError, match=r"^changed: listed with 5 bytes, has 1,000,000,000 now$"):
        folder.read(path, 5)
    with pytest.raises(ImageSizeError, match=r"^too large: 1,000,000,000 bytes, limit 50,000,000$"):
        folder.read(path)


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
        ("fruits", {"region": "eu-west-3", "path_style": True}, {"virtual_hosted_style_request": "false"}),
        ("fruits.eu", {"region": "eu-west-3"}, {"virtual_hosted_style_request": "false"}),
        ("fruits", {"region": "eu-west-3", "endpoint_url": "http://x:1"}, {"endpoint": "http://x:1"}),
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
