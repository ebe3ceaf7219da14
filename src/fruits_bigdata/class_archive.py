"""Java's class data sharing for Spark on one machine; `python -m fruits_bigdata.class_archive` prepares it.

A local session spends seconds in loading and verifying the same thousands of classes each time. Java 13 and
later map them into memory from archives instead (JEP 310, JEP 350): one of Java's own classes, and one of
Spark's that builds upon it. They are made once for an environment, the second by a session that does what a
run does; a Java or a Spark that is not the archives' own ignores them.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import numpy as np
import pyarrow as pa

from fruits_bigdata.java import find_java, java_version
from fruits_bigdata.spark_session import archive_paths, create_session, start_python_workers

_N_IMAGES = 120


def make_archives() -> bool:
    """Make the archives of Java's own classes and of Spark's anew; return False if this Java keeps none.

    Raises:
        RuntimeError: The session that they are made from failed.
    """
    java = find_java()
    if java_version(java) != 17:
        return False
    folder = archive_paths()[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    # Java crashes over half an archive, so none is ever at its place; and the second fits its own first only.
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        base, top = (Path(unfinished, path.name) for path in archive_paths())
        _run([java, "-Xshare:dump", f"-XX:SharedArchiveFile={base}"])
        # Its output ends when Java has ended too, which is when the archive is whole.
        _run([sys.executable, "-m", __spec__.name, "--train", str(base), str(top)])
        for path in archive_paths():
            path.unlink(missing_ok=True)
        for path in archive_paths():
            os.replace(Path(unfinished, path.name), path)
    return True


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")


def _train(base: Path, top: Path) -> None:
    """Do what a run does, on a few made-up rows, in a session whose Java writes `top` when it ends."""
    from pyspark.sql.pandas.types import from_arrow_schema

    from fruits_bigdata.datasets.append_only_store_dataset import AppendOnlyStoreDataset
    from fruits_bigdata.datasets.published_table_dataset import PublishedTableDataset
    from fruits_bigdata.pipelines.export import nodes as export
    from fruits_bigdata.pipelines.featurization.nodes import compare_images, select_new_images
    from fruits_bigdata.pipelines.pca import nodes as pca
    from fruits_bigdata.schemas import FEATURES_SCHEMA, IMAGES_SCHEMA, N_FEATURES
    from fruits_bigdata.vision.engine import CompiledModel

    options = f'-XX:SharedArchiveFile="{base}" -XX:ArchiveClassesAtExit="{top}"'
    session = create_session(
        {
            "spark.master": "local[*,4]",
            "spark.driver.extraJavaOptions": options,
            "spark.ui.showConsoleProgress": False,
            "spark.sql.execution.arrow.pyspark.enabled": True,
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": 4,
        }
    )

    start_python_workers(session)

    def featurize(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rng = np.random.default_rng(batch.num_rows)
            features = rng.normal(size=batch.num_rows * N_FEATURES).astype(np.float32)
            offsets = np.arange(0, len(features) + 1, N_FEATURES, dtype=np.int32)
            columns = [
                *batch.columns,
                pa.array(["0"] * batch.num_rows),
                pa.ListArray.from_arrays(offsets, features),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=FEATURES_SCHEMA)

    with tempfile.TemporaryDirectory() as folder:
        listing = PublishedTableDataset(filepath=f"{folder}/images", schema="IMAGES_SCHEMA")
        store = AppendOnlyStoreDataset(filepath=f"{folder}/features", schema="FEATURES_SCHEMA")
        rejected = AppendOnlyStoreDataset(filepath=f"{folder}/rejected", schema="REJECTED_SCHEMA")
        scores = PublishedTableDataset(filepath=f"{folder}/pca", schema="PCA_SCHEMA", may_be_missing=True)
        csv = PublishedTableDataset(
            filepath=f"{folder}/csv",
            file_format="csv",
            save_args={"header": True},
            load_args={"header": True},
        )
        numbers = list(range(_N_IMAGES))
        rows = pa.RecordBatch.from_pydict(
            {
                "path": [f"{i}.jpg" for i in numbers],
                "label": [str(i % 3) for i in numbers],
                "length": numbers,
                "modified": numbers,
            },
            IMAGES_SCHEMA,
        )
        listing.save(pa.RecordBatchReader.from_batches(IMAGES_SCHEMA, [rows]))
        for _ in range(2):
            images = listing.load()
            comparison = compare_images(images, store.load(), rejected.load())
            compiled_model = CompiledModel("0", "0", b"0")
            new = select_new_images(images, store.load(), rejected.load(), compiled_model, comparison)
            new.persist().count()
            outcomes = new.repartition(4).mapInArrow(featurize, from_arrow_schema(FEATURES_SCHEMA)).persist()
            outcomes.count()
            store.save(outcomes.coalesce(2))
        summary = pca.summarize_features(store.load(), images, None)
        parameters = pca.PcaParameters(n_components=2, solver="moments", scale="none")
        model, _ = pca.fit_pca_model(summary, store.load(), rejected.load(), images, None, parameters)
        scores.save(pca.project_features(store.load(), images, model, scores.load()))
        csv.save(
            export.flatten_scores(scores.load(), model, export.ExportParameters(rows_per_csv_file=1_000))
        )
        export.check_export(store.load(), images, scores.load(), csv.load())
        scores.load().groupBy("label").count().orderBy("label").toPandas()
        session.stop()


@click.command(help=__doc__)
@click.option("--train", type=click.Path(path_type=Path), nargs=2, hidden=True)
def main(train: tuple[Path, Path] | None) -> None:
    """Make the archives, or be the session that they are made from."""
    if train:
        _train(*train)
    elif make_archives():
        click.echo(f"Spark starts faster from now on: {archive_paths()[1]}")
    else:
        click.echo("Only Java 17 keeps Spark's classes in an archive: Spark starts as ever")


if __name__ == "__main__":
    main()
