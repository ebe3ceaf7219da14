from typing import Any

import pytest

from fruits_bigdata.erasure import objects
from fruits_bigdata.erasure.objects import find_history, find_objects, remove_objects
from fruits_bigdata.storage.locations import url_to_fs


@pytest.fixture
def name(bucket) -> str:
    """A bucket that keeps versions."""
    fs, name = url_to_fs(bucket)
    fs.call_s3("put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def put(name: str, key: str, times: int = 1) -> None:
    fs, _ = url_to_fs(f"s3://{name}")
    for i in range(times):
        fs.call_s3("put_object", Bucket=name, Key=key, Body=f"{key} {i}".encode())


def kept(name: str) -> list[tuple[str, str]]:
    fs, _ = url_to_fs(f"s3://{name}")
    found: dict[str, Any] = fs.call_s3("list_object_versions", Bucket=name)
    versions = [(one["Key"], "current" if one["IsLatest"] else "old") for one in found.get("Versions", ())]
    return sorted(versions + [(one["Key"], "marker") for one in found.get("DeleteMarkers", ())])


def test_objects_go_with_all_their_versions_and_no_others(name):
    fs, _ = url_to_fs(f"s3://{name}")
    put(name, "Test/a/1.jpg", 3)
    put(name, "Test/a/1.jpg.jpg")
    put(name, "Test/a/deleted before.jpg", 2)
    fs.call_s3("delete_object", Bucket=name, Key="Test/a/deleted before.jpg")
    put(name, "Test/b/1.jpg", 2)
    wanted = {"Test/a/1.jpg", "Test/a/deleted before.jpg"}
    fs.call_s3("create_multipart_upload", Bucket=name, Key="Test/a/1.jpg")
    entries = find_objects(name, "Test/a/", wanted.__contains__)
    assert {entry["Key"] for entry in entries} == wanted
    assert remove_objects(name, entries) == 7
    assert not fs.call_s3("list_multipart_uploads", Bucket=name).get("Uploads")
    assert kept(name) == [
        ("Test/a/1.jpg.jpg", "current"),
        ("Test/b/1.jpg", "current"),
        ("Test/b/1.jpg", "old"),
    ]
    assert find_objects(name, "Test/a/", wanted.__contains__) == []


def test_a_bucket_that_keeps_no_versions_loses_its_objects(bucket):
    name = bucket.removeprefix("s3://")
    put(name, "Test/a/1.jpg", 2)
    put(name, "Test/a/2.jpg")
    assert remove_objects(name, find_objects(name, "Test/a/1.jpg", "Test/a/1.jpg".__eq__)) == 1
    assert kept(name) == [("Test/a/2.jpg", "current")]


def test_old_versions_of_an_output_go_and_what_is_current_stays(name, monkeypatch):
    monkeypatch.setattr(objects, "_BATCH", 2)
    put(name, "Results/part-0.parquet", 3)
    put(name, "Results/part-1.parquet", 2)
    put(name, "Results_PCA/part-0.parquet", 2)
    put(name, "Results_Model/pca_model.npz", 2)
    fs, _ = url_to_fs(f"s3://{name}")
    fs.call_s3("delete_object", Bucket=name, Key="Results/part-1.parquet")
    for key in ("Results/part-0.parquet", "Results_PCA/part-0.parquet"):
        fs.call_s3("create_multipart_upload", Bucket=name, Key=key)
    assert remove_objects(name, find_history(f"s3://{name}/Results")) == 6
    assert remove_objects(name, find_history(f"s3://{name}/Results_Model/pca_model.npz")) == 1
    (upload,) = fs.call_s3("list_multipart_uploads", Bucket=name)["Uploads"]
    assert upload["Key"] == "Results_PCA/part-0.parquet"
    assert kept(name) == [
        ("Results/part-0.parquet", "current"),
        ("Results_Model/pca_model.npz", "current"),
        ("Results_PCA/part-0.parquet", "current"),
        ("Results_PCA/part-0.parquet", "old"),
    ]
    assert find_history(f"s3://{name}/Results") == find_history("/a/disk") == []
