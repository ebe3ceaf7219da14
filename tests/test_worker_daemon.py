import os
import socket
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

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


NEEDLESS = {"kedro", "pandas", "pydantic", "tensorflow", "matplotlib", "h5py", "s3fs"}


def test_a_worker_starts_with_what_it_needs_and_nothing_else(spark: SparkSession) -> None:
    def look(_: int) -> dict[str, object]:
        import gc
        import sys

        from pyspark import daemon

        found = {
            "parent": Path(f"/proc/{os.getppid()}/cmdline").read_text(),
            "archives": [entry for entry in sys.path if entry.endswith((".jar", ".zip"))],
            "frozen": gc.get_freeze_count(),
            "has_its_libraries": "fruits_bigdata.vision.featurize" in sys.modules,
            "needless": sorted(NEEDLESS & set(sys.modules)),
            "main": daemon.worker_main.__name__,
            "block": int(os.environ.get("MALLOC_MMAP_THRESHOLD_") or 0),
        }
        import numpy as np
        from threadpoolctl import threadpool_info

        np.eye(2) @ np.eye(2)
        pools = [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]
        return {**found, "threads": {*pools}}

    worker = spark.sparkContext.parallelize([1], 1).map(look).first()
    assert "fruits_bigdata.worker_daemon" in str(worker["parent"])
    assert (worker["archives"], worker["needless"]) == ([], [])
    assert worker["has_its_libraries"]
    assert int(str(worker["frozen"])) > 10_000
    assert worker["main"] == "work_at_once"
    # Large blocks go back to the system (mallopt(3)): Pillow keeps pixels in blocks of 16 MB.
    assert 0 < int(str(worker["block"])) < 16 * 1024 * 1024
    assert worker["threads"] == {1}
