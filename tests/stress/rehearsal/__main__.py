"""Rehearse the cluster on this machine: the package as it is shipped, S3 by HTTP, YARN with two nodes.

    make rehearsal IMAGES=/path/to/images

Each run is `fruits-run`, which is `kedro run --env emr` on the master, with its images and its output on S3:
one undisturbed, one in which an executor's container is killed, one in which a share of the requests to S3
fails, and one that loses a node. All must leave what a run on this machine alone leaves.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import numpy as np
import pandas as pd

from fruits_bigdata.datasets.weights_dataset import WeightsDataset
from fruits_bigdata.emr.package import build_package
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import FEATURES_SCHEMA
from fruits_bigdata.vision.weights import WEIGHTS_FILE_NAME
from tests.stress.rehearsal.master import Events, Master
from tests.stress.rehearsal.spark_home import make_spark_home
from tests.stress.rehearsal.yarn import YarnCluster
from tests.support.faulty_proxy import FaultyProxy
from tests.support.moto_s3 import BUCKET, MotoS3
from tests.support.runs import FEATURES, PROJECT, kedro_run, sample_images, write_results

# Searched for in all that was written and logged.
ACCESS_KEY, SECRET_KEY = "AKIAREHEARSALPLANTED", "rehearsal/planted+secret/0123456789abcdef"
# These could be sent again without harm, and S3 does them to every client.
_FAULTS = ("slow_down", "reset")
# Scores of both are products of the same floats, added up in another order.
_TOLERANCE = 1e-4
_ROWS = (
    ("", "{run}"),
    ("rows", "{rows:,}"),
    ("seconds", "{seconds:.0f}"),
    ("images/s", "{images_per_second:.1f}"),
    ("bytes broadcast", "{broadcast}"),
    ("containers", "{containers}"),
    ("images per node", "{nodes}"),
    ("tasks failed", "{tasks_failed}"),
    ("requests to S3", "{requests:,}"),
    ("requests failed", "{requests_failed}"),
    ("retries", "{retries}"),
)


class Rehearsal:
    """The cluster, its S3 and what a local run has left.

    Args:
        work: Where all is installed, written and logged.
        cluster: YARN.
        s3: The server behind the proxy.
        proxy: What the cluster talks to.
        master: Where runs are started.
        n_images: The images in it.
        local: The output of the run on this machine.
        params: Of each run, beside its places and S3's settings.
    """

    def __init__(
        self,
        work: Path,
        cluster: YarnCluster,
        s3: MotoS3,
        proxy: FaultyProxy,
        master: Master,
        n_images: int,
        local: Path,
        params: Mapping[str, object],
    ) -> None:
        self._work, self._cluster, self._s3, self._proxy = work, cluster, s3, proxy
        self._master, self._n_images, self._local = master, n_images, local
        self._given = params

    def run(
        self, name: str, disturb: Callable[[], None] | None = None, share: float = 0.0
    ) -> dict[str, object]:
        """Run, disturb the run in its middle, and compare what it leaves with the local run's.

        Returns:
            Its row of the table.

        Raises:
            click.ClickException: It failed, or left something else.
        """
        click.echo(f"{name} ...")
        proxy = self._proxy
        proxy.requests.clear()
        proxy.counts.clear()
        proxy.retries, proxy.share = 0, share
        # The bucket's own key, or another that the run names.
        key = self._s3.other_key_arn if share else self._s3.key_arn
        encryption = {"s3.encryption": "aws:kms", "s3.kms_key": key} if share else {}
        began = time.monotonic()
        place = f"runs/{re.sub('[^a-z0-9]+', '-', name)}" if disturb or share else ""
        process = self._master.start(name, {**self._params(place), **encryption})
        try:
            if disturb:
                self._wait_for_images(name, process, self._n_images // 2)
                disturb()
            if process.wait(timeout=1800):
                raise click.ClickException(f"The run failed: {self._tail(name)}")
        except subprocess.TimeoutExpired:
            raise click.ClickException(f"The run hangs: {self._tail(name)}") from None
        finally:
            process.kill()
        seconds = time.monotonic() - began
        proxy.share = 0.0
        requests, failed, retries = sum(proxy.requests.values()), proxy.failed, proxy.retries
        output = self._s3.download(place, self._work / "outputs" / name)
        rows = self._compare(name, output)
        otherwise = self._s3.encrypted_otherwise(place, key)
        if otherwise:
            raise click.ClickException(
                f"{name}: {len(otherwise)} objects are not encrypted with {key}: {otherwise[:3]}"
            )
        said = json.loads((output / "Results_Report" / "featurization_statistics.json").read_text())
        application = self._cluster.applications()[-1]["id"]
        (log,) = (self._work / "events").glob(f"{application}*")
        events = Events.load(log)
        hosts = {one["host"]: one["images"] for one in said["timeline"]["hosts"]}
        return {
            "run": name,
            "rows": rows,
            "seconds": seconds,
            "images_per_second": said["images_per_second"],
            "broadcast": f"{len(events.executors)} x {said['broadcast_bytes']:,}",
            "containers": len(events.executors) + 1,
            "nodes": ", ".join(f"{host.rpartition('.')[2]}: {n:,}" for host, n in sorted(hosts.items())),
            "hosts": hosts,
            "tasks_failed": events.failed,
            "requests": requests,
            "requests_failed": failed,
            "retries": retries,
        }

    def kill_container(self) -> None:
        """Kill an executor's Java, and with it its Python workers."""
        pid, node = next(found for found in self._cluster.containers() if found[1] in self._cluster.nodes)
        os.kill(pid, signal.SIGKILL)
        click.echo(f"  killed the executor on {node}")

    def kill_node(self) -> None:
        """Kill a node manager and its containers."""
        node = self._cluster.nodes[-1]
        self._cluster.kill_node_manager(node)
        click.echo(f"  killed the node {node}")

    def check_secrets(self) -> int:
        """Search all files and objects for the planted key; return how many were searched.

        Raises:
            click.ClickException: It was found.
        """
        self._s3.download("", self._work / "outputs" / "all")
        own = self._s3.credentials_file
        n = 0
        for path in self._work.rglob("*"):
            # What was installed came before the key did.
            if not path.is_file() or path == own or "venv" in path.parts or "package" in path.parts:
                continue
            n += 1
            content = path.read_bytes()
            if ACCESS_KEY.encode() in content or SECRET_KEY.encode() in content:
                raise click.ClickException(f"The credentials are in {path}")
        return n

    def _params(self, place: str) -> dict[str, object]:
        return {
            "images_path": f"s3://{BUCKET}/Test",
            "output_path": f"s3://{BUCKET}/{place}".rstrip("/"),
            "models_path": f"s3://{BUCKET}/Models",
            **self._s3.params(self._proxy.endpoint),
            # Some chunks of 16 tasks: what is disturbed has stored some and not others.
            "featurization.images_per_task": max(1, self._n_images // 96),
            **self._given,
        }

    def _wait_for_images(self, name: str, process: subprocess.Popen[bytes], n: int) -> None:
        while self._proxy.requests["GET", "Test"] < n:
            if process.poll() is not None:
                raise click.ClickException(f"The run ended before it was disturbed: {self._tail(name)}")
            time.sleep(0.1)

    def _compare(self, name: str, output: Path) -> int:
        """Return the rows of features, which are the local run's."""
        here, there = (_features(folder) for folder in (self._local / FEATURES, output / "Results"))
        if list(there["path"]) != list(here["path"]) or not np.array_equal(
            np.stack(list(there["features"])), np.stack(list(here["features"]))
        ):
            raise click.ClickException(
                f"{name}: its {len(there):,} rows of features are not the {len(here):,} of a local run"
            )
        scores, its_scores = (
            pd.read_csv(folder / "pca.csv").sort_values("path", ignore_index=True)
            for folder in (self._local / "07_model_output" / "pca_csv", output / "Results_CSV")
        )
        pd.testing.assert_frame_equal(its_scores, scores, check_exact=False, rtol=0, atol=_TOLERANCE)
        return len(there)

    def _tail(self, name: str) -> str:
        log = self._master.log_of(name)
        return f"{log} ends with\n{log.read_text(errors='replace')[-4000:]}"


@click.command(help=__doc__)
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=PROJECT / "data" / "01_raw" / "Test",
    help="The folder of the images; by default that of `make images`.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Keras weights; by default those that `make run` keeps, or has fetched.",
)
@click.option("--weights-digest", help="Only for weights of your own.")
@click.option("--size", default=1000, show_default=True, help="Images, spread over the folder.")
@click.option("--share", default=0.02, show_default=True, help="The requests that fail in the last run.")
@click.option("--short", is_flag=True, help="One run, in which a container is killed and requests fail.")
@click.option("--work", type=click.Path(path_type=Path), default=PROJECT / "build" / "rehearsal")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("tests/stress/results/rehearsal.json")
)
def main(
    images: Path,
    weights: Path | None,
    weights_digest: str | None,
    size: int,
    share: float,
    short: bool,
    work: Path,
    output: Path,
) -> None:
    """Run the rehearsal."""
    work = work.absolute()
    shutil.rmtree(work, ignore_errors=True)
    (work / "events").mkdir(parents=True)
    sampled = work / "images" / "Test"
    n_images = sample_images(images, size, sampled)
    click.echo(f"{n_images:,} images; everything is written to {work}")
    click.echo("A run on this machine, from disk, to compare with ...")
    local = work / "local"
    weights = weights or _kept_weights()
    digest = {"weights_digest": weights_digest} if weights_digest else {}
    places = {
        "images_path": sampled,
        "output_path": local,
        "weights_path": weights,
        "models_path": local / "m",
        **digest,
    }
    kedro_run(places, pipelines="loading,featurization,pca,export")
    click.echo("The package, and what each node makes of it ...")
    package = build_package(work / "package", weights, project=PROJECT)
    spark_home = make_spark_home(
        work / "spark", {"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file://{work / 'events'}"}
    )
    s3 = MotoS3(work, ACCESS_KEY, SECRET_KEY)
    # A file of credentials in place of the instances' role.
    cluster = YarnCluster(work / "yarn", environment=s3.variables)
    variables = {"SPARK_HOME": str(spark_home), "HADOOP_CONF_DIR": str(cluster.conf_dir), **s3.variables}
    master = Master(work, package, variables)
    with s3, FaultyProxy(s3.endpoint, 0.0, _FAULTS) as proxy, cluster:
        s3.upload(sampled, "Test")
        rehearsal = Rehearsal(work, cluster, s3, proxy, master, n_images, local, digest)
        if short:
            results = [rehearsal.run("container killed, requests failing", rehearsal.kill_container, share)]
        else:
            results = [
                rehearsal.run("undisturbed"),
                rehearsal.run("container killed", rehearsal.kill_container),
                rehearsal.run(f"{share:.0%} of requests failing", share=share),
                rehearsal.run("node killed", rehearsal.kill_node),
            ]
        searched = rehearsal.check_secrets()
    write_results(output, results)
    click.echo(_table(results))
    hosts = results[0]["hosts"]
    if isinstance(hosts, dict) and len(hosts) != len(cluster.nodes):
        raise click.ClickException(f"Not every node has worked: {hosts}")
    click.echo(
        f"Each run left what the run on this machine did: features to the last bit, scores within "
        f"{_TOLERANCE:g}.\nEach object is encrypted with the bucket's key or, where requests failed, by the "
        f"one that the run named.\n"
        f"The planted credentials are in none of {searched:,} files, logs and objects."
    )


def _features(folder: Path) -> pd.DataFrame:
    rows: pd.DataFrame = Table(str(folder), FEATURES_SCHEMA).read().to_pandas()
    return rows.sort_values("path", ignore_index=True)


def _kept_weights() -> Path:
    models = PROJECT / "data" / "06_models"
    WeightsDataset(models={"path": str(models)}).load()
    return models / WEIGHTS_FILE_NAME


def _table(results: list[dict[str, object]]) -> str:
    """Return a line for each figure and a column for each run."""
    rows = [[title, *(form.format(**one) for one in results)] for title, form in _ROWS]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(["", *(line.rstrip() for line in lines), ""])


if __name__ == "__main__":
    sys.exit(main())
