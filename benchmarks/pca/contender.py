"""One contender, in a process of its own: fits twice, and says how long it took and how much memory.

    python -m benchmarks.pca.contender NAME FOLDER RESULT.npz

NAME is moments, spark_ml, spark_ml_native or scikit_learn; FOLDER holds the tables `features` and, of rows
that come later, `added`. Prints one line of JSON.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from pyspark.sql import SparkSession

from benchmarks.pca.features import open_features
from fruits_bigdata.pipelines.parameters import PcaParameters
from fruits_bigdata.pipelines.pca import nodes
from fruits_bigdata.pipelines.pca.nodes import fit_pca_model, summarize_features
from fruits_bigdata.spark.session import create_session, start_python_workers
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import REJECTED_SCHEMA
from tests.support.processes import peak_memory_mb, process_tree
from tests.support.runs import spark_settings

N_COMPONENTS = 50
# As Debian's package libopenblas0-pthread installs it.
OPENBLAS = Path("/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0")

Components = tuple[np.ndarray, np.ndarray]


def session(**changes: object) -> SparkSession:
    """Start Spark with the project's settings, and its Python workers."""
    started = create_session({**spark_settings(), "spark.ui.enabled": False, **changes})
    start_python_workers(started)
    return started


class Watch(threading.Thread):
    """Notes the largest memory of this process, of its Java and of any Python worker."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks = {"driver_mb": 0.0, "java_mb": 0.0, "worker_mb": 0.0}
        self._own = peak_memory_mb("self")

    def run(self) -> None:
        """Look ten times a second."""
        while True:
            self.look()
            time.sleep(0.1)

    def look(self) -> None:
        """Look once."""
        seen = {"driver_mb": [peak_memory_mb("self")], "java_mb": [], "worker_mb": []}
        for pid, command in process_tree(int(Path("/proc/self").resolve().name)).items():
            kind = "java_mb" if "org.apache.spark" in command else "worker_mb"
            try:
                seen[kind].append(peak_memory_mb(pid))
            except (OSError, AssertionError):
                continue
        for kind, found in seen.items():
            self.peaks[kind] = max([self.peaks[kind], *found])


def moments(folder: Path) -> tuple[Callable[[], Components], Callable[[], dict[str, Any]]]:
    """This project's nodes."""
    session()
    parameters = PcaParameters(n_components=N_COMPONENTS, solver="moments", scale="none")
    features, nothing = open_features(folder / "features"), Table(f"{folder}/rejected", REJECTED_SCHEMA)
    seen: dict[str, Any] = {}

    def fit() -> Components:
        model, _ = fit_pca_model(summarize_features(features, None), features, nothing, None, parameters)
        seen["model"] = model
        return model.components_, model.explained_variance_ratio_

    def add() -> dict[str, Any]:
        """Add the rows of `added` to the table, and to the moments."""
        file = features.folder.write(open_features(folder / "added").read())
        features.commit(Change(features, [file]))
        began = time.perf_counter()
        summarize_features(features, seen["model"])
        adding = time.perf_counter() - began
        began = time.perf_counter()
        nodes._summarize(features, [file], seen["model"].summary.sample.share)
        summing = time.perf_counter() - began
        features.commit(Change(features, removed=[file.name]))
        return {"added": file.rows, "adding_seconds": adding, "summing_seconds": summing}

    return fit, add


def spark_ml(folder: Path, native: bool) -> Callable[[], Components]:
    """`pyspark.ml.feature.PCA`, on Java's own compiler settings, which suit it better than the project's."""
    from pyspark.ml.feature import PCA
    from pyspark.ml.functions import array_to_vector

    options = "-Dfile.encoding=UTF-8"
    if native:
        if not OPENBLAS.exists():
            raise click.ClickException(f"{OPENBLAS} is not there: apt-get install libopenblas0-pthread")
        names = ("blas", "lapack")
        options += "".join(f" -Ddev.ludovic.netlib.{name}.nativeLibPath={OPENBLAS}" for name in names)
    spark = session(**{"spark.driver.extraJavaOptions": options, "spark.driver.memory": "6g"})
    if native:
        found = spark.sparkContext._jvm.dev.ludovic.netlib.blas.NativeBLAS.getInstance()  # type: ignore[union-attr]
        assert "JNI" in found.getClass().getName(), found

    def fit() -> Components:
        features = spark.read.parquet(str(folder / "features"))
        vectors = features.select(array_to_vector("features").alias("x"))
        fitted: Any = PCA(k=N_COMPONENTS, inputCol="x", outputCol="y").fit(vectors)
        return fitted.pc.toArray().T, fitted.explainedVariance.toArray()

    return fit


def scikit_learn(folder: Path) -> Callable[[], Components]:
    """scikit-learn's full solver, the matrix in memory."""
    import pyarrow.parquet as pq
    from sklearn.decomposition import PCA

    def fit() -> Components:
        column = pq.read_table(folder / "features", columns=["features"])["features"]
        chunks = [chunk.flatten().to_numpy().reshape(len(chunk), -1) for chunk in column.chunks]
        fitted = PCA(N_COMPONENTS, svd_solver="full").fit(np.concatenate(chunks, dtype=np.float64))
        return fitted.components_, fitted.explained_variance_ratio_

    return fit


@click.command(help=__doc__)
@click.argument("name")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.argument("result", type=click.Path(path_type=Path))
def main(name: str, folder: Path, result: Path) -> None:
    """Fit, and say so."""
    watch = Watch()
    add = None
    if name == "moments":
        fit, add = moments(folder)
    elif name == "scikit_learn":
        fit = scikit_learn(folder)
    else:
        fit = spark_ml(folder, native=name == "spark_ml_native")
    watch.start()
    seconds = []
    # The first is what a run pays, whose Java is new; the second what a long-lived session would.
    for _ in range(2 if name != "scikit_learn" else 1):
        began = time.perf_counter()
        components, ratios = fit()
        seconds.append(time.perf_counter() - began)
    watch.look()
    np.savez(result, components=components, ratios=ratios)
    added = add() if add is not None and (folder / "added").exists() else {}
    print(json.dumps({"seconds": seconds, **added, **watch.peaks}))


if __name__ == "__main__":
    main()
