import os
import socket
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

import pytest
from pyspark.sql import SparkSession

from fruits_bigdata.worker_daemon import drop_archives, without_delay


def test_archives_leave_the_path() -> None:
    path = ["", "/opt/spark-core.jar", *sys.path, "/opt/pyspark.zip"]
    assert drop_archives(path) == [entry for entry in path if not entry.endswith((".jar", ".zip"))]


def test_a_zip_that_alone_holds_pyspark_stays(tmp_path: Path) -> None:
    archive = str(tmp_path / "pyspark.zip")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("pyspark/__init__.py", "")
        file.writestr("py4j/__init__.py", "")
    path = [str(tmp_path), archive, "/opt/spark-core.jar"]
    assert drop_archives(path) == [str(tmp_path), archive]


@pytest.fixture
def worker(spark: SparkSession) -> dict[str, object]:
    def look(_: int) -> dict[str, object]:
        import gc
        import sys

        return {
            "pid": os.getpid(),
            "parent": open(f"/proc/{os.getppid()}/cmdline").read(),
            "archives": [entry for entry in sys.path if entry.endswith((".jar", ".zip"))],
            "frozen": gc.get_freeze_count(),
            "loaded": "fruits_bigdata.vision.featurize" in sys.modules,
        }

    return spark.sparkContext.parallelize([1], 1).map(look).first()


def test_workers_start_with_their_libraries_and_without_archives(worker: dict[str, object]) -> None:
    assert "fruits_bigdata.worker_daemon" in str(worker["parent"])
    assert worker["archives"] == []
    assert worker["loaded"]
    assert int(str(worker["frozen"])) > 10_000


def test_workers_give_large_blocks_back_to_the_system(spark: SparkSession) -> None:
    # mallopt(3): read when the process starts, and no longer adjusted by itself.
    name = "MALLOC_MMAP_THRESHOLD_"
    (value,) = spark.sparkContext.parallelize([0], 1).map(lambda _: os.environ.get(name)).collect()
    # Pillow keeps pixels in blocks of 16 MB.
    assert 0 < int(value or 0) < 16 * 1024 * 1024


def test_workers_do_not_load_what_only_the_driver_needs(spark: SparkSession) -> None:
    needless = {"kedro", "pandas", "pydantic", "tensorflow", "matplotlib", "h5py", "s3fs"}

    def loaded(_: int) -> list[str]:
        import sys

        return sorted(needless & set(sys.modules))

    assert spark.sparkContext.parallelize([1], 1).map(loaded).first() == []


def test_a_worker_neither_holds_back_its_answers_nor_its_acknowledgements() -> None:
    seen = []

    def work(infile: BinaryIO, outfile: BinaryIO) -> None:
        options = (socket.TCP_NODELAY, socket.TCP_QUICKACK)
        seen.append([worker.getsockopt(socket.IPPROTO_TCP, option) for option in options])
        outfile.write(infile.read(5))

    with socket.create_server(("127.0.0.1", 0)) as server:
        java = socket.create_connection(server.getsockname())
        worker, _ = server.accept()
    with java, worker, worker.makefile("rb") as infile, worker.makefile("wb") as outfile:
        worker.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        java.sendall(b"hello")
        without_delay(work)(infile, outfile)
        outfile.flush()
        assert java.recv(5) == b"hello"
    assert seen == [[1, 1]]


def test_the_daemon_works_without_delay(spark: SparkSession) -> None:
    def name(_: int) -> str:
        from pyspark import daemon

        return daemon.worker_main.__name__

    assert spark.sparkContext.parallelize([1], 1).map(name).first() == "work_at_once"


def test_a_workers_matrix_products_take_one_thread(spark: SparkSession) -> None:
    def threads(_: int) -> list[int]:
        import numpy as np
        from threadpoolctl import threadpool_info

        np.eye(2) @ np.eye(2)
        return [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]

    found = spark.sparkContext.parallelize([1], 1).map(threads).first()
    assert found
    assert set(found) == {1}
