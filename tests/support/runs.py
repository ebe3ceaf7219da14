"""What benchmarks and stress tests share: images, runs of this project, features and results."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pyspark
import yaml
from deltalake import DeltaTable

from fruits_bigdata.tables.schemas import FEATURES_SCHEMA, IMAGES_SCHEMA, PCA_SCHEMA, REJECTED_SCHEMA
from tests.support.commands import PROJECT

# Two executors, each a Java of its own with one core and 2 GB, on this machine.
_LOCAL_CLUSTER = """
spark.master: local-cluster[2,1,2048]
spark.ui.enabled: false
spark.executor.extraJavaOptions: -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
"""
# Below the output folder of a run of this project.
IMAGES, FEATURES, REJECTED = "02_intermediate/images", "04_feature/features", "04_feature/rejected"
PCA, CSV, MODEL = "07_model_output/pca", "07_model_output/pca_csv/pca.csv", "06_models/pca_model.npz"
STATISTICS = "08_reporting/featurization_statistics.json"
TABLES = {
    "images": (IMAGES, IMAGES_SCHEMA),
    "features": (FEATURES, FEATURES_SCHEMA),
    "rejected": (REJECTED, REJECTED_SCHEMA),
    "pca": (PCA, PCA_SCHEMA),
}


def spark_settings() -> dict[str, object]:
    """Return the settings of Spark that the project ships for one machine."""
    settings = yaml.safe_load((PROJECT / "conf/base/spark.yml").read_text())
    return {key: value for key, value in settings.items() if "${" not in str(value)}


def sample_images(images: Path, size: int, folder: Path) -> int:
    """Copy `size` images, spread evenly over the sorted listing, with their class folders."""
    paths = sorted(images.rglob("*.jpg"))
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(size, len(paths))).astype(int)]
    for path in chosen:
        target = folder / path.relative_to(images)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return len(chosen)


def kedro_run(
    params: Mapping[str, object],
    pipelines: str = "loading,featurization",
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> str:
    """Run this project in a process of its own; return what it logs.

    Raises:
        click.ClickException: The run failed.
    """
    given = ",".join(f"{name}={value}" for name, value in params.items())
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", pipelines, *options, "--params", given]
    return run_process(command, environment)


def run_process(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """Return what a command prints.

    Raises:
        click.ClickException: It failed.
    """
    # Not through pipes: these end with the last of the processes that Java leaves behind.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = subprocess.call(
            command, cwd=PROJECT, env={**os.environ, **(environment or {})}, stdout=out, stderr=err
        )
        out.seek(0)
        err.seek(0)
        if code:
            raise click.ClickException(f"{command} failed:\n{out.read()[-2000:]}{err.read()[-3000:]}")
        return out.read()


def local_cluster(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the options and the variables with which `kedro run` works on a cluster on this machine.

    Args:
        folder: Where its configuration and what its workers log are to lie.
    """
    shutil.copytree(PROJECT / "conf", folder / "conf")
    (folder / "conf" / "cluster").mkdir()
    (folder / "conf" / "cluster" / "spark.yml").write_text(_LOCAL_CLUSTER)
    options = ["--conf-source", str(folder / "conf"), "--env", "cluster"]
    # Spark's workers log into the folder `work` of its home, which is among the installed packages.
    home = folder / "spark"
    home.mkdir()
    for entry in Path(pyspark.__file__).parent.iterdir():
        (home / entry.name).symlink_to(entry)
    return options, {"SPARK_HOME": str(home)}


def read_table(folder: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return columns, or all, of a table of a run, sorted by path."""
    return DeltaTable(folder).to_pandas(columns=columns).sort_values("path", ignore_index=True)


def read_features(folder: Path) -> pd.Series:
    """Return the features by the image's class and name, whichever way a contender writes its path."""
    table = pd.read_parquet(folder)
    names = ["/".join(path.replace("%20", " ").split("/")[-2:]) for path in table["path"]]
    return pd.Series(list(table["features"]), index=names).sort_index()


def cosines(features: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the cosine of each row with the same row of the reference, both (n, n_features)."""
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(reference, axis=1)
    return (features * reference).sum(1) / lengths


def write_results(output: Path, results: object) -> None:
    """Write the results as JSON, with the machine that they come from."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    machine = {
        "platform": platform.platform(),
        "cpu": [line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")][:1],
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")
