"""S3 that answers 503, breaks connections and hangs, before a real S3 protocol server."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from fruits_bigdata.datasets.compiled_models_dataset import CompiledModelsDataset
from fruits_bigdata.datasets.pca_model_dataset import PcaModelDataset
from fruits_bigdata.datasets.published_file_dataset import PublishedFileDataset
from fruits_bigdata.datasets.weights_dataset import WeightsDataset
from fruits_bigdata.hooks.failures import explain
from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import fit_pca
from fruits_bigdata.storage.errors import StorageError, is_s3_failure
from fruits_bigdata.storage.files import atomic_write
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.storage.s3 import configure_s3
from fruits_bigdata.tables.data_files import DataFolder
from fruits_bigdata.tables.delta import Change, ConcurrentRunError, Table
from fruits_bigdata.tables.schemas import REJECTED_SCHEMA
from fruits_bigdata.vision.featurize import _fetch
from tests.stress.conftest import N_IMAGES
from tests.support.commands import PROJECT
from tests.support.faulty_proxy import FAULTS, FaultyProxy, is_commit
from tests.support.runs import FEATURES, STATISTICS

IN_A_HURRY = {"attempts": 1, "timeout_seconds": 0.2}


@pytest.fixture
def proxy(s3_endpoint, bucket) -> Iterator[FaultyProxy]:
    """A proxy by which every S3 client of the test reaches the server; no request fails yet."""
    with FaultyProxy(s3_endpoint, share=0, hang_seconds=0.1) as proxy:
        configure_s3(settings(proxy))
        yield proxy


def settings(proxy: FaultyProxy, **given: object) -> dict[str, object]:
    return {"endpoint_url": proxy.endpoint, "region": "eu-west-3", **given}


def fill(bucket: str, images: dict[str, bytes]) -> ImageFolder:
    fs, root = url_to_fs(f"{bucket}/Test")
    for path, content in images.items():
        fs.pipe_file(f"{root}/{path}", content)
    return ImageFolder(f"{bucket}/Test")


def test_images_are_listed_and_read(bucket, proxy):
    rng = np.random.default_rng(0)
    images = {f"class {i % 3}/{i} é.jpg": rng.bytes(1000 * i) for i in range(60)}
    folder = fill(bucket, images)
    proxy.share = 0.1
    listed = pa.Table.from_batches(folder.list_batches())
    assert dict(zip(listed["path"].to_pylist(), listed["length"].to_pylist(), strict=True)) == {
        path: len(content) for path, content in images.items()
    }
    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(images, pool.map(folder.read, images), strict=True)) == images
    assert proxy.failed > 3


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_survived_by_both_clients(bucket, proxy, fault):
    content = np.random.default_rng(0).bytes(300_000)
    folder = fill(bucket, {"a/1.jpg": content})
    fs, path = url_to_fs(f"{bucket}/Test/a/1.jpg")
    proxy.faults, proxy.share = (fault,), 0.3
    for _ in range(8):
        assert folder.read("a/1.jpg") == content
        assert fs.cat_file(path) == content
        with atomic_write(f"{bucket}/written") as file:
            file.write(content)
    assert proxy.counts[fault] >= 5
    proxy.share = 0
    assert fs.cat_file(f"{bucket}/written") == content


def test_an_image_that_breaks_off_is_read_again_where_there_are_no_etags(bucket, proxy):
    content = np.random.default_rng(0).bytes(300_000)
    folder = fill(bucket, {"a/1.jpg": content})
    proxy.faults, proxy.share, proxy.without = ("cut",), 0.3, ("etag",)
    for _ in range(10):
        assert folder.read("a/1.jpg") == content
    assert proxy.counts["cut"] >= 2


def test_what_a_run_keeps_beside_its_tables_is_written_and_read(bucket, proxy, weights, params):
    fs, root = url_to_fs(bucket)
    fs.put_file(str(params["weights_path"]), f"{root}/weights.h5")
    features = np.random.default_rng(0).normal(size=(40, 8))
    model = fit_pca(Moments.of(features), 3)
    proxy.share = 0.1
    for i in range(6):
        compiled = CompiledModelsDataset(filepath=f"{bucket}/models")
        compiled.save({f"key{i}": b"a flatbuffer"})
        assert {key: read() for key, read in compiled.load().items()}[f"key{i}"] == b"a flatbuffer"
        pca = PcaModelDataset(filepath=f"{bucket}/pca_model.npz")
        pca.save(model)
        np.testing.assert_array_equal(pca.load().components_, model.components_)
        report = PublishedFileDataset(filepath=f"{bucket}/report.json", dataset="json.JSONDataset")
        report.save({"i": i})
        assert report.load() == {"i": i}
    kept = {"path": f"{bucket}/models"}
    dataset = WeightsDataset(filepath=f"{bucket}/weights.h5", models=kept, expected_digest=weights.digest)
    assert dataset.load().digest == weights.digest
    assert proxy.failed > 5


def rows(*paths: str) -> pa.Table:
    facts = {"label": "a", "length": 1, "featurizer": "f", "reason": "empty file"}
    return pa.Table.from_pylist([{"path": path, **facts} for path in paths], REJECTED_SCHEMA)


@pytest.mark.parametrize("fault", FAULTS)
def test_data_files_are_written_and_read_whatever_a_request_meets(bucket, proxy, fault):
    folder = DataFolder(f"{bucket}/table", REJECTED_SCHEMA)
    proxy.faults, proxy.share = (fault,), 0.3
    files = [folder.write(rows(f"{i}.jpg")) for i in range(8)]
    assert pa.concat_tables(folder.read(files, ["path"]))["path"].to_pylist() == [
        f"{i}.jpg" for i in range(8)
    ]
    assert proxy.counts[fault] >= 3


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("fault", ["slow_down", "lost", "cut", "reset"])
def test_a_commit_is_made_once_whatever_becomes_of_its_answer(bucket, proxy, fault, version):
    """With `lost` and `cut`, S3 has made the commit, and a second request is told that it is there."""
    table = Table(f"{bucket}/table", REJECTED_SCHEMA)

    def hits(method: str, path: str) -> bool:
        return method == "PUT" and path.endswith(f"/{version:020d}.json") and not proxy.counts[fault]

    proxy.faults, proxy.share, proxy.only = (fault,), 1, hits
    for i in range(3):
        table.commit(Change(table, [table.folder.write(rows(f"{i}.jpg"))]))
    assert proxy.counts[fault] == 1
    assert table.version == 3
    stored = Table(table.url, REJECTED_SCHEMA).read(["path"])["path"].to_pylist()
    assert sorted(stored) == [f"{i}.jpg" for i in range(3)]


def test_of_two_commits_at_once_one_is_refused(bucket, proxy):
    proxy.one_by_one = is_commit
    for i in range(5):
        table = Table(f"{bucket}/{i}", REJECTED_SCHEMA)
        table.commit(Change(table))
        both = [Table(table.url, REJECTED_SCHEMA) for _ in range(2)]
        changes = [Change(one, [one.folder.write(rows(f"{j}.jpg"))]) for j, one in enumerate(both)]
        with ThreadPoolExecutor(2) as pool:
            ends = [
                future.exception()
                for future in [
                    pool.submit(one.commit, change) for one, change in zip(both, changes, strict=True)
                ]
            ]
        assert sorted(type(end) is ConcurrentRunError for end in ends) == [False, True], ends
        assert ends.count(None) == 1
        (winner,) = Table(table.url, REJECTED_SCHEMA).read(["path"])["path"].to_pylist()
        assert winner == f"{ends.index(None)}.jpg"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_never_does_is_given_up_and_no_image_is_rejected(bucket, proxy, fault):
    fill(bucket, {"a/1.jpg": b"x" * 1000})
    configure_s3(settings(proxy, **IN_A_HURRY))
    proxy.faults, proxy.share, proxy.hang_seconds = (fault,), 1, 1e6
    folder = ImageFolder(f"{bucket}/Test")
    # A worker rejects an image whose reading raises an OSError.
    with pytest.raises(StorageError) as error:
        _fetch(folder.read, "a/1.jpg", 1000)
    assert f"S3 ({proxy.endpoint}) failed while reading {bucket}/Test/a/1.jpg: " in str(error.value)
    assert "start the run again" in str(error.value)
    assert "Debug source" not in str(error.value)
    # It is not said that the folder does not exist.
    with pytest.raises(Exception) as failure:  # noqa: PT011
        folder.exists()
    assert is_s3_failure(failure.value)
    said = explain(failure.value, f"loading {bucket}", bucket, "/tmp")
    assert f"S3 ({proxy.endpoint}) failed while loading {bucket}: " in str(said)


def test_an_object_that_is_not_there_is_no_failure_of_s3(bucket):
    fs, path = url_to_fs(f"{bucket}/Test/AccessDenied/1.jpg")
    with pytest.raises(ValueError, match="other reasons") as error:  # noqa: PT012
        try:
            fs.cat_file(path, max_concurrency=1)
        except FileNotFoundError:
            raise ValueError("other reasons")  # noqa: B904
    assert explain(error.value, "loading", bucket, "/tmp") is None
    with pytest.raises(FileNotFoundError):
        ImageFolder(f"{bucket}/Test").read("AccessDenied/1.jpg")


@pytest.mark.parametrize("path", ["a/1.jpg", "a//1\t.jpg"])
def test_a_missing_bucket_is_not_the_images_trouble(bucket, path):
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/Test/.*bucket does not exist"):
        _fetch(ImageFolder("s3://no-such-bucket/Test").read, path, 1)


def s3_run(
    bucket: str, proxy: FaultyProxy, params: dict[str, object], command: Callable[..., list[str]]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Put all that a run reads on S3, and return what runs it."""
    fs, root = url_to_fs(bucket)
    for folder, name in (("images_path", "Test"), ("models_path", "models")):
        source = Path(str(params[folder]))
        for path in sorted(source.rglob("*.*")):
            fs.put_file(str(path), f"{root}/{name}/{path.relative_to(source)}")

    def run(output: Path, **given: object) -> subprocess.CompletedProcess[str]:
        places = {
            "images_path": f"{bucket}/Test",
            "models_path": f"{bucket}/models",
            "weights_path": f"{bucket}/models/seeded.h5",
            "s3.endpoint_url": proxy.endpoint,
            "output_path": output,
        }
        return subprocess.run(command(**places, **given), cwd=PROJECT, capture_output=True, text=True)

    return run


def test_a_run_over_s3_ends_as_if_nothing_had_failed_or_fails_and_is_repaired(
    bucket, proxy, params, command, assert_same, tmp_path
):
    run = s3_run(bucket, proxy, params, command)
    # First the storage goes away once the first chunk is in the table, and does not come back.
    committed = tmp_path / FEATURES / "_delta_log" / f"{1:020d}.json"

    def gone(method: str, path: str) -> bool:
        return path.endswith(".jpg") and committed.exists()

    proxy.share, proxy.only, proxy.faults = 1, gone, ("slow_down",)
    failed = run(tmp_path, **{"s3.timeout_seconds": 0.3, "s3.attempts": 1})
    assert failed.returncode == 1
    last = failed.stderr.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith(f"S3 ({proxy.endpoint}) failed while reading {bucket}/Test/class ")
    assert "SlowDown: Please reduce your request rate" in last
    assert not list((tmp_path / "04_feature").glob("rejected/*.parquet"))
    # Then one request in ten fails, one way or another.
    n_kept = DeltaTable(tmp_path / FEATURES).to_pyarrow_table().num_rows
    proxy.only, proxy.share, proxy.faults, proxy.hang_seconds = lambda method, path: True, 0.1, FAULTS, 0.5
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    statistics = json.loads((tmp_path / STATISTICS).read_text())
    assert statistics["images"] == N_IMAGES - n_kept < N_IMAGES
    assert_same(tmp_path)
