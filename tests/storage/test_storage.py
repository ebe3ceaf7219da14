import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from fruits_bigdata.storage.files import atomic_write
from fruits_bigdata.storage.locations import expand_home, is_s3, spark_location, url_to_fs
from fruits_bigdata.storage.s3 import configure_s3, delta_options, open_bucket
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import REJECTED_SCHEMA


@pytest.mark.parametrize("url", ["s3://bucket/Test", "s3a://bucket/Test/"])
def test_s3_and_s3a_are_the_same_thing(url):
    assert is_s3(url)
    fs, path = url_to_fs(url)
    assert "s3" in fs.protocol
    assert path == "bucket/Test"
    assert spark_location(url) == "s3a://bucket/Test"


@pytest.mark.parametrize("name", ["plain", "a b", "é", "50%20", "a#b?c+d", "x::y", "a://b"])
def test_a_local_path_is_taken_as_it_is(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"here")
    for url in (str(folder), f"{folder}/", f"file:{folder}", f"file://{folder}"):
        fs, path = url_to_fs(url)
        assert fs.cat_file(f"{path}/file") == b"here"
        assert not path.endswith("/")
    assert spark_location(str(folder)) == f"file:{folder}"


def test_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home("~/images") == f"{tmp_path}/images"
    assert expand_home("/a/~/images") == "/a/~/images"
    assert expand_home("s3://bucket/~") == "s3://bucket/~"
    assert expand_home(None) is None


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    url = f"{tmp_path}/folder/model"
    with atomic_write(url) as file:
        file.write(b"old")
    with atomic_write(url) as file:
        file.write(b"ne")
        file.flush()
        assert Path(url).read_bytes() == b"old"
        file.write(b"w")
    assert Path(url).read_bytes() == b"new"
    assert os.listdir(tmp_path / "folder") == ["model"]


def test_a_failure_leaves_what_was_there(tmp_path):
    url = f"{tmp_path}/model"
    Path(url).write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_write(url) as file:  # noqa: PT012
        file.write(b"half")
        raise RuntimeError
    assert Path(url).read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model"]


def test_two_writers_do_not_meet(tmp_path):
    url = f"{tmp_path}/model"
    with atomic_write(url) as first, atomic_write(url) as second:
        first.write(b"first")
        second.write(b"second")
    assert Path(url).read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["model"]


def test_a_file_on_s3_is_whole_or_not_there(bucket):
    fs, _ = url_to_fs(bucket)
    with pytest.raises(RuntimeError), atomic_write(f"{bucket}/model") as file:  # noqa: PT012
        file.write(b"half")
        raise RuntimeError
    assert not fs.exists(f"{bucket}/model")
    with atomic_write(f"{bucket}/model") as file:
        file.write(b"whole")
    assert fs.cat_file(f"{bucket}/model") == b"whole"


def test_endpoint_and_region_reach_every_file_system(monkeypatch):
    monkeypatch.setattr(fsspec.config, "conf", {})
    limits = {"timeout_seconds": 7, "attempts": 3}
    configure_s3({"endpoint_url": "http://127.0.0.1:9", "region": "eu-west-1", "path_style": True, **limits})
    fs, _ = url_to_fs("s3://bucket")
    assert fs.endpoint_url == "http://127.0.0.1:9"
    assert fs.client_kwargs["region_name"] == "eu-west-1"
    assert fs.config_kwargs["s3"]["addressing_style"] == "path"
    assert fs.config_kwargs["read_timeout"] == fs.config_kwargs["connect_timeout"] == 7
    assert fs.config_kwargs["retries"] == {"mode": "standard", "total_max_attempts": 3}
    configure_s3({"endpoint_url": None, "region": "eu-west-3"})
    fs, _ = url_to_fs("s3://bucket")
    assert fs.endpoint_url == "https://s3.eu-west-3.amazonaws.com"


def test_what_another_process_writes_to_s3_is_seen(bucket):
    fs, path = url_to_fs(bucket)
    fs.pipe_file(f"{path}/folder/one", b"1")
    assert len(fs.ls(f"{path}/folder")) == 1
    fs.call_s3("put_object", Bucket=path, Key="folder/two", Body=b"2")
    assert len(fs.ls(f"{path}/folder")) == 2


VARIABLES = (
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_S3_ENDPOINT",
    "AWS_ENDPOINT_URL_DYNAMODB",
)


def test_no_variable_leads_one_client_elsewhere(bucket, s3_settings, monkeypatch):
    requests: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            requests.append(self.requestline)
            self.send_error(404)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = do_any  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in VARIABLES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.setenv(name, "us-east-1")
        # Other settings than before, since s3fs keeps a client for those that it has seen.
        configure_s3({**s3_settings, "attempts": 4})
        with atomic_write(f"{bucket}/by s3fs") as file:
            file.write(b"1")
        table = Table(f"{bucket}/by obstore and delta-rs", REJECTED_SCHEMA)
        table.commit(Change(table, [table.folder.write(REJECTED_SCHEMA.empty_table())]))
        assert Table(table.url, REJECTED_SCHEMA).check() is None
        server.shutdown()
    assert requests == []


def test_aws_is_named_to_every_client(monkeypatch):
    monkeypatch.setattr(fsspec.config, "conf", {})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    configure_s3({"endpoint_url": None, "region": "eu-west-3"})
    options = fsspec.config.conf["s3"]
    assert options["endpoint_url"] == "https://s3.eu-west-3.amazonaws.com"
    for bucket, endpoint, virtual_hosted in (
        ("fruits", "https://fruits.s3.eu-west-3.amazonaws.com", True),
        # No certificate has a name with one more dot.
        ("my.fruits", "https://s3.eu-west-3.amazonaws.com", False),
    ):
        delta = delta_options(f"s3://{bucket}/Results")
        assert (delta["aws_endpoint_url"], delta["aws_region"]) == (endpoint, "eu-west-3")
        assert delta["aws_virtual_hosted_style_request"] == str(virtual_hosted).lower()
        config = open_bucket(bucket, options).config
        assert (config["endpoint"], config["region"]) == (endpoint, "eu-west-3")
    assert delta_options("/data/Results") == {}
