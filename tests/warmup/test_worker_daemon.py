import json
import socket
import sys
import zipfile
from typing import BinaryIO

from fruits_bigdata.warmup.worker_daemon import drop_archives, without_delay
from tests.support.commands import PROJECT, run_python


def test_archives_leave_the_path():
    path = ["", "/opt/spark-core.jar", *sys.path, "/opt/pyspark.zip"]
    assert drop_archives(path) == [entry for entry in path if not entry.endswith((".jar", ".zip"))]


def test_a_zip_that_alone_holds_pyspark_stays(tmp_path):
    archive = str(tmp_path / "pyspark.zip")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("pyspark/__init__.py", "")
        file.writestr("py4j/__init__.py", "")
    path = [str(tmp_path), archive, "/opt/spark-core.jar"]
    assert drop_archives(path) == [str(tmp_path), archive]


def test_a_worker_neither_holds_back_its_answers_nor_its_acknowledgements():
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


# In a process of its own: a worker that has done another test's work has loaded what that needed.
PROGRAM = """
import json, os, sys
from pathlib import Path
import yaml
from fruits_bigdata.spark.session import create_session

def look(_):
    import gc, os, sys
    from pathlib import Path
    from pyspark import daemon

    needless = {"kedro", "pandas", "pydantic", "tensorflow", "matplotlib", "h5py", "s3fs"}
    found = {
        "parent": Path(f"/proc/{os.getppid()}/cmdline").read_text(),
        "archives": [entry for entry in sys.path if entry.endswith((".jar", ".zip"))],
        "frozen": gc.get_freeze_count(),
        "has_its_libraries": "fruits_bigdata.vision.featurize" in sys.modules,
        "needless": sorted(needless & set(sys.modules)),
        "main": daemon.worker_main.__name__,
        "block": int(os.environ.get("MALLOC_MMAP_THRESHOLD_") or 0),
    }
    import numpy as np
    from threadpoolctl import threadpool_info

    np.eye(2) @ np.eye(2)
    pools = [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {**found, "threads": sorted({*pools})}

text = yaml.safe_load(Path(sys.argv[1]).read_text())
settings = {key: value for key, value in text.items() if "${" not in str(value)}
spark = create_session({**settings, "spark.master": "local[1]"})
print(json.dumps(spark.sparkContext.parallelize([1], 1).map(look).first()))
"""


def test_a_worker_starts_with_what_it_needs_and_nothing_else():
    settings = PROJECT / "conf/base/spark.yml"
    done = run_python(PROGRAM, str(settings))
    assert done.returncode == 0, done.stderr
    worker = json.loads(done.stdout.splitlines()[-1])
    assert "fruits_bigdata.warmup.worker_daemon" in worker["parent"]
    assert (worker["archives"], worker["needless"]) == ([], [])
    assert worker["has_its_libraries"]
    assert worker["frozen"] > 10_000
    assert worker["main"] == "work_at_once"
    # Large blocks go back to the system (mallopt(3)): Pillow keeps pixels in blocks of 16 MB.
    assert 0 < worker["block"] < 16 * 1024 * 1024
    assert worker["threads"] == [1]
