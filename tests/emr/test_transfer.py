"""Files to the bucket and from it."""

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from fruits_bigdata.emr.account import Account, CloudError
from fruits_bigdata.emr.transfer import download, in_parallel, list_objects, upload_images, upload_package
from fruits_bigdata.images.folder import ImageFolder


@pytest.fixture
def account(fruits_emr) -> Account:
    account = Account(fruits_emr.project, "eu-west-3", dry_run=False, say=print)
    location = {"LocationConstraint": "eu-west-3"}
    account.client("s3").create_bucket(Bucket=account.bucket, CreateBucketConfiguration=location)
    return account


def test_images_arrive_under_the_paths_that_a_run_gives_them(account, images_path, odd_names):
    # moto's server has no route to a key with a line break.
    for name in (one for one in odd_names if not set(one) & set("\n\r")):
        (images_path / name).parent.mkdir(parents=True, exist_ok=True)
        (images_path / name).write_bytes(name.encode())
    (images_path / os.fsdecode(b"no utf-8 \xe9.jpg")).write_bytes(b"x")
    local = [
        path for batch in ImageFolder(str(images_path)).list_batches() for path in batch["path"].to_pylist()
    ]
    assert upload_images(account, str(images_path)).done == len(local)
    there = list_objects(account, "Test/")
    assert sorted(there) == sorted(f"Test/{path}" for path in local)
    found = account.client("s3").get_object(Bucket=account.bucket, Key=f"Test/{odd_names[0]}")
    assert found["Body"].read() == odd_names[0].encode()


def test_only_what_is_missing_or_changed_is_sent_again(account, images_path):
    assert upload_images(account, str(images_path)).done == 6
    again = upload_images(account, str(images_path))
    assert (again.done, again.skipped) == (0, 6)
    first, second, third, *_ = sorted(images_path.rglob("*.jpg"))
    first.write_bytes(first.read_bytes() + b"longer")
    os.utime(first, (0, 0))
    later = second.stat().st_mtime + 3600
    os.utime(second, (later, later))
    key = f"Test/{third.relative_to(images_path)}"
    account.client("s3").delete_object(Bucket=account.bucket, Key=key)
    again = upload_images(account, str(images_path))
    assert (again.done, again.skipped) == (3, 3)


def test_a_file_that_cannot_be_read_is_counted_and_the_others_arrive(account, images_path, caplog):
    (images_path / "Apple Red" / "broken.jpg").symlink_to("nowhere")
    result = upload_images(account, str(images_path))
    assert (result.done, result.failed) == (6, 1)
    assert "broken.jpg cannot be read" in caplog.text


def test_a_folder_without_images_is_refused(account, tmp_path):
    with pytest.raises(CloudError, match="There is no folder"):
        upload_images(account, str(tmp_path / "none"))
    with pytest.raises(CloudError, match="no JPEG or PNG"):
        upload_images(account, str(tmp_path))


@pytest.fixture
def package(tmp_path) -> Path:
    folder = tmp_path / "package"
    for name in ("bootstrap.sh", "wheels/a.whl", "wheels/b.whl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    write_manifest(folder)
    return folder


def write_manifest(folder: Path) -> None:
    (folder / "MANIFEST.json").unlink(missing_ok=True)
    files = {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }
    told = {"version": "1.0", "architecture": "x86_64", "files": files}
    (folder / "MANIFEST.json").write_text(json.dumps(told))


def test_a_package_is_sent_once_and_what_changed_again(account, package):
    first = upload_package(account, package)
    assert (first.done, first.skipped) == (4, 0)
    again = upload_package(account, package)
    assert (again.done, again.skipped) == (0, 4)
    # As long as before, so that only the digest tells.
    (package / "wheels/a.whl").write_text("WHEELS/A.WHL")
    (package / "wheels/b.whl").unlink()
    write_manifest(package)
    again = upload_package(account, package)
    assert (again.done, again.skipped) == (2, 1)
    there = list_objects(account, "Package/1.0-x86_64/")
    assert set(there) == {
        f"Package/1.0-x86_64/{name}" for name in ("MANIFEST.json", "bootstrap.sh", "wheels/a.whl")
    }


def test_a_package_that_is_interrupted_is_none_until_it_is_whole(account, package, monkeypatch):
    upload_package(account, package)
    (package / "wheels/a.whl").write_text("new")
    write_manifest(package)
    s3 = account.client("s3")

    def fails(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(s3, "put_object", fails)
        with pytest.raises(KeyboardInterrupt):
            upload_package(account, package)
    assert "Package/1.0-x86_64/MANIFEST.json" not in list_objects(account, "Package/")
    assert upload_package(account, package).done == 2


def test_results_are_fetched_once_and_nothing_is_written_outside(account, tmp_path):
    s3 = account.client("s3")
    for key in ("Results_CSV/a.csv", "Results_PCA/b.parquet", "Results/../../outside"):
        s3.put_object(Bucket=account.bucket, Key=key, Body=b"1")
    to = tmp_path / "deep" / "to"
    assert download(account, ["Results"], to).done == 2
    assert download(account, ["Results"], to).skipped == 2
    assert not list(tmp_path.rglob("outside"))
    s3.put_object(Bucket=account.bucket, Key="Results_CSV/a.csv", Body=b"22")
    assert download(account, ["Results"], to).done == 1
    assert (to / "Results_CSV/a.csv").read_text() == "22"


def files_in(folder: Path) -> set[str]:
    return {
        str(Path(where, name).relative_to(folder)) for where, _, names in os.walk(folder) for name in names
    }


def test_a_second_download_leaves_what_is_in_the_bucket_and_nothing_outside_is_touched(account, tmp_path):
    s3 = account.client("s3")

    def put(*keys: str) -> None:
        for key in keys:
            s3.put_object(Bucket=account.bucket, Key=key, Body=b"1")

    to, elsewhere = tmp_path / "to", tmp_path / "elsewhere"
    for mine in (to / "Results_mine/a.csv", to / "notes.txt", elsewhere / "b.csv"):
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_text("mine")
    put("Results_CSV/part-0-old.csv", "Results_CSV/deep/part-1-old.csv", "Results_PCA/a.parquet")
    assert download(account, ["Results"], to).removed == 0
    # As an interrupted download leaves it.
    (to / "Results_CSV/part-2-old.csv.part").write_text("")
    (to / "Results_CSV/link").symlink_to(elsewhere)
    (to / "Results_CSV/copy.csv").symlink_to("part-0-new.csv")
    (to / ".fruits-emr.json").write_text(json.dumps(["Results_CSV", "Results_PCA", "../elsewhere", ".."]))
    for key in list_objects(account, "Results"):
        s3.delete_object(Bucket=account.bucket, Key=key)
    put("Results_CSV/part-0-new.csv")

    account.dry_run = True
    assert download(account, ["Results"], to).removed == 0
    account.dry_run = False
    assert "Results_PCA/a.parquet" in files_in(to)

    result = download(account, ["Results"], to)
    assert (result.done, result.removed) == (1, 6)
    mine = {"Results_mine/a.csv", "notes.txt", ".fruits-emr.json"}
    assert files_in(to) == {*mine, "Results_CSV/part-0-new.csv"}
    assert not (to / "Results_CSV/link").is_symlink()
    assert files_in(elsewhere) == {"b.csv"}
    assert download(account, ["Results"], to).removed == 0


def test_a_folder_with_files_of_somebody_elses_is_not_mixed_with_results(account, tmp_path):
    account.client("s3").put_object(Bucket=account.bucket, Key="Results_CSV/a.csv", Body=b"1")
    (tmp_path / "Results_CSV").mkdir()
    (tmp_path / "Results_CSV/mine.csv").write_text("mine")
    with pytest.raises(CloudError, match=r"mine.csv, and that fruits-emr did not fetch: move them away"):
        download(account, ["Results"], tmp_path)
    assert files_in(tmp_path) == {"Results_CSV/mine.csv"}


def test_work_in_parallel_stops_at_the_first_error(account):
    started: list[int] = []
    lock = threading.Lock()

    def work(n: int) -> int:
        with lock:
            started.append(n)
        if n == 3:
            raise OSError("the line is down")
        return n

    with pytest.raises(OSError, match="the line is down"):
        list(in_parallel(account, work, list(range(10_000)), None))
    assert len(started) < 1_000
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]
