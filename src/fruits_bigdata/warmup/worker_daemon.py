"""The process that forks Spark's Python workers: pyspark.daemon, with what every worker needs loaded before.

`spark.python.daemon.module` names it. Between two tasks a worker of pyspark.daemon calls
`importlib.invalidate_caches()`, at which Python 3.11 reads the directories of Spark's zip files and jar on
the module path again, and `gc.collect()`, which looks at every object that the imported libraries made. Here
the archives are off the path, and the libraries are loaded once, before the fork, and frozen: workers share
them, start at once and go from task to task without the wait.

Java sends a task in two small pieces, and TCP holds the second back until the first is acknowledged (Nagle's
algorithm, RFC 896), which Linux puts off by 40 ms (tcp(7), TCP_QUICKACK). Here a worker acknowledges at once,
and sends its own answers at once.
"""

import gc
import os
import socket
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from typing import BinaryIO


def drop_archives(path: list[str]) -> list[str]:
    """Return `path` without jars, and without zip files unless pyspark or py4j is in one of them only."""
    without = [entry for entry in path if not entry.endswith((".zip", ".jar"))]
    if any(PathFinder.find_spec(package, without) is None for package in ("pyspark", "py4j")):
        return [entry for entry in path if not entry.endswith(".jar")]
    return without


def without_delay(work: Callable[[BinaryIO, BinaryIO], None]) -> Callable[[BinaryIO, BinaryIO], None]:
    """Return `work`, a worker's one task between two streams of a socket, without TCP's delays."""

    def work_at_once(infile: BinaryIO, outfile: BinaryIO) -> None:
        with socket.socket(fileno=os.dup(infile.fileno())) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Linux forgets it, so it is said for each task; other systems do not know it.
            if hasattr(socket, "TCP_QUICKACK"):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        work(infile, outfile)

    return work_at_once


if __name__ == "__main__":
    sys.path[:] = drop_archives(sys.path)
    sys.path_importer_cache.clear()

    import pyspark.sql.pandas.serializers
    import pyspark.worker  # noqa: F401
    from pyspark import daemon

    import fruits_bigdata.pipelines.featurization.tasks
    import fruits_bigdata.pipelines.pca.batches
    import fruits_bigdata.vision.featurize  # noqa: F401

    gc.collect()
    gc.freeze()
    daemon.worker_main = without_delay(daemon.worker_main)  # type: ignore[attr-defined]
    daemon.manager()  # type: ignore[no-untyped-call]
