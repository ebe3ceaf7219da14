"""What a large collection costs besides its features, with generated metadata.

    python -m benchmarks.scale --rows 2000000

Listing (empty files on disk), comparing with the stores, selecting what is new, cutting it into chunks, the
CSV and its check: each part's seconds, and the largest memory of the driver and of its Java up to then.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from benchmarks.processes import peak_memory_mb
from benchmarks.runs import PROJECT, write_results
from fruits_bigdata.datasets.published_table_dataset import PublishedTableDataset
from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.pipelines.comparison import compare_with_stores
from fruits_bigdata.pipelines.export.nodes import ExportParameters, check_export, flatten_scores
from fruits_bigdata.pipelines.featurization.nodes import select_new_images
from fruits_bigdata.pipelines.loading.nodes import list_images
from fruits_bigdata.schemas import N_FEATURES, PATH
from fruits_bigdata.spark_session import create_session, java_process_id
from fruits_bigdata.vision.engine import CompiledModel

_FILES_PER_FOLDER = 20_000
_CHUNKS = 200
_COMPONENTS = 50


def make_files(folder: Path, rows: int) -> None:
    """Make empty images, in folders like classes."""
    for i in range(rows):
        if i % _FILES_PER_FOLDER == 0:
            label = folder / f"class {i // _FILES_PER_FOLDER:05d}"
            label.mkdir(parents=True)
        (label / f"img_{i:09d}_100.jpg").touch()


class Stopwatch:
    """Times parts and notes the memory after each."""

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = []

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Time the block."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        memory = {"driver_mb": peak_memory_mb("self")}
        if SparkSession.getActiveSession() is not None:
            memory["java_mb"] = peak_memory_mb(java_process_id())
        self.parts.append({"part": part, "seconds": round(seconds, 2), **memory})
        click.echo(json.dumps(self.parts[-1]))


def with_features(images: DataFrame) -> DataFrame:
    """Return stored features of images, without their numbers: no part that is measured here reads them."""
    return images.withColumn("featurizer", f.lit("f")).withColumn(
        "features", f.array(f.lit(0.0).cast("float"))
    )


def with_scores(images: DataFrame) -> DataFrame:
    """Return random scores of images."""
    scores = f.array(*(f.randn(i).cast("float") for i in range(_COMPONENTS)))
    return images.select("path", "label", scores.alias("pca"))


def model() -> PcaModel:
    """Return a model of which only the number of components counts."""
    ones = np.ones(N_FEATURES)
    components = np.eye(_COMPONENTS, N_FEATURES)
    ratios = np.full(_COMPONENTS, 1 / _COMPONENTS)
    return PcaModel(ones, ones, components, ratios, ratios, _COMPONENTS, "f")


@click.command(help=__doc__)
@click.option("--rows", default=2_000_000, show_default=True)
@click.option("--new", default=20_000, show_default=True, help="Of them not in the store yet.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/scale.json"))
def main(rows: int, new: int, output: Path) -> None:
    """Measure part by part."""
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    watch = Stopwatch()
    make_files(folder / "images", rows)
    listing = PublishedTableDataset(filepath=f"{folder}/listing", schema="IMAGES_SCHEMA")
    with watch.time("listing, and writing it"):
        listing.save(list_images(ImageFolder(f"{folder}/images"), None))
    shutil.rmtree(folder / "images")
    text = (PROJECT / "conf/base/spark.yml").read_text()
    create_session({key: value for key, value in yaml.safe_load(text).items() if "${" not in str(value)})
    images = listing.load()
    spark = images.sparkSession
    stored = images.orderBy(f.xxhash64(PATH)).limit(rows - new)
    with_features(stored).write.parquet(f"{folder}/features")
    features = spark.read.parquet(f"{folder}/features")
    rejected = features.drop("features").withColumn("reason", f.lit("")).limit(0)
    with watch.time("comparing with the stores"):
        found = compare_with_stores(images, features, rejected)
    assert (found["known"], found["new"]) == (rows - new, new), found
    with watch.time("selecting and counting what is new"):
        assert (
            select_new_images(images, features, rejected, CompiledModel("f", "d", b""), found).count() == new
        )
    everything = images.persist()
    assert everything.count() == rows
    with watch.time(f"cutting the first of {_CHUNKS} chunks from a list where all are new"):
        chunk = everything.where(f.pmod(f.xxhash64(PATH), f.lit(_CHUNKS)) == 0).repartition(50)
        chunk.write.format("noop").mode("overwrite").save()
    everything.unpersist()
    with_scores(images).write.parquet(f"{folder}/scores")
    pca = spark.read.parquet(f"{folder}/scores")
    entry = yaml.safe_load((PROJECT / "conf/base/catalog.yml").read_text())["pca_csv"]
    csv = PublishedTableDataset(
        filepath=f"{folder}/csv",
        file_format="csv",
        save_args=entry["save_args"],
        load_args=entry["load_args"],
    )
    with watch.time("CSV"):
        csv.save(flatten_scores(pca, model(), ExportParameters(rows_per_csv_file=1_000_000)))
    with_features(images).write.parquet(f"{folder}/all_features")
    with watch.time("check of the export"):
        check_export(spark.read.parquet(f"{folder}/all_features"), images, pca, csv.load())
    sizes = {name: size_mb(folder / name) for name in ("listing", "scores", "csv")}
    spark.stop()
    click.echo(f"Written by every run, MB: {sizes}")
    write_results(output, {"rows": rows, "parts": watch.parts, "rewritten_mb": sizes})
    shutil.rmtree(folder)


def size_mb(folder: Path) -> float:
    """Return the size of the files below a folder."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)


if __name__ == "__main__":
    main()
