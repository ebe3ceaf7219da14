"""The process that forks Spark's Python workers: pyspark.daemon, with what every worker needs loaded before.

`spark.python.daemon.module` names it. Between two tasks a worker of pyspark.daemon calls
`importlib.invalidate_caches()`, at which Python 3.11 reads the directories of Spark's zip files and jar on
the module path again, and `gc.collect()`, which looks at every object that the imported libraries made. Here
the archives are off the path, and the libraries are loaded once, before the fork, and frozen: workers share
them, start at once and go from task to task without the wait.
"""

import gc
import sys
from importlib.machinery import PathFinder


def drop_archives(path: list[str]) -> list[str]:
    """Return `path` without jars, and without zip files unless pyspark or py4j is in one of them only."""
    without = [entry for entry in path if not entry.endswith((".zip", ".jar"))]
    if any(PathFinder.find_spec(package, without) is None for package in ("pyspark", "py4j")):
        return [entry for entry in path if not entry.endswith(".jar")]
    return without


if __name__ == "__main__":
    sys.path[:] = drop_archives(sys.path)
    sys.path_importer_cache.clear()

    import pandas  # noqa: F401
    import pyspark.sql.pandas.serializers
    import pyspark.worker  # noqa: F401
    from pyspark.daemon import manager

    import fruits_bigdata.pipelines.featurization.progress
    import fruits_bigdata.pipelines.pca.batches
    import fruits_bigdata.vision.featurize  # noqa: F401

    gc.collect()
    gc.freeze()
    manager()  # type: ignore[no-untyped-call]
