"""What a large collection costs, with generated features: seconds and the driver's memory, part by part.

    python -m benchmarks.scale --rows 2000000

Some processes write a table of so many features, 5 KB each; then each part runs in a process of its own:
listing (empty files on disk), comparing the listing with the table, fitting the PCA, fitting it once more
after 1 % has come, the CSV and its check, removing 1 % of 100,000 rows, and 1,000 commits.
"""

import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import click
import numpy as np
import pyarrow as pa

from fruits_bigdata.datasets.scores_csv_dataset import ScoresCsvDataset
from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.pipelines.export.nodes import check_export, flatten_scores
from fruits_bigdata.pipelines.loading.nodes import list_images
from fruits_bigdata.pipelines.parameters import PcaParameters
from fruits_bigdata.pipelines.pca.nodes import fit_pca_model, project_features, summarize_features
from fruits_bigdata.spark.session import configure, map_parts
from fruits_bigdata.tables.comparison import compare, rows_with
from fruits_bigdata.tables.data_files import MAX_ROWS, DataFile, DataFolder
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.rewriting import rewrite
from fruits_bigdata.tables.schemas import FEATURES_SCHEMA, IMAGES_SCHEMA, N_FEATURES, PATH
from tests.support.processes import peak_memory_mb, process_tree
from tests.support.runs import TABLES, spark_settings, write_results

_PER_CLASS = 20_000
_SHARE = 0.01
_DATE = datetime(2026, 1, 1, tzinfo=UTC)

Figures = dict[str, float]
# Named parts, each with its figures.
Parts = dict[str, Figures]


@contextmanager
def timed(parts: Parts, name: str) -> Iterator[Figures]:
    """Time the block, and let it add figures of its own."""
    figures = parts.setdefault(name, {})
    began = perf_counter()
    yield figures
    figures["seconds"] = round(perf_counter() - began, 3)
    figures["driver_mb"] = peak_memory_mb("self")
    for pid, command in process_tree(os.getpid()).items():
        if "SparkSubmit" in command:
            figures["java_mb"] = peak_memory_mb(pid)


def in_a_process(part: Callable[..., Parts], *arguments: object) -> Parts:
    """Run a part in a process of its own, so that its peak of memory is its own too."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(part, *arguments).result()
    for name, figures in found.items():
        click.echo(f"{name}: {figures}", err=True)
    return found


def open_table(folder: str, name: str) -> Table:
    """Return a table below a folder."""
    return Table(f"{folder}/{name}", TABLES[name][1])


def listing(start: int, stop: int) -> pa.Table:
    """Return the listing of generated images, in classes."""
    n = stop - start
    columns = [
        [f"class {i // _PER_CLASS:05d}/img_{i:09d}_100.jpg" for i in range(start, stop)],
        [f"class {i // _PER_CLASS:05d}" for i in range(start, stop)],
        [5_000] * n,
        [_DATE] * n,
    ]
    return pa.Table.from_arrays(list(map(pa.array, columns)), IMAGES_SCHEMA.names).cast(IMAGES_SCHEMA)


def write_features(folder: DataFolder, start: int, stop: int) -> DataFile:
    """Write one file of features, non-negative and correlated as real ones are."""
    n = stop - start
    rng = np.random.default_rng(start)
    mixing = np.random.default_rng(0).random((64, N_FEATURES), dtype=np.float32)
    values = rng.random((n, 64), dtype=np.float32) @ mixing + rng.random((n, N_FEATURES), dtype=np.float32)
    offsets = np.arange(0, values.size + 1, N_FEATURES, dtype=np.int32)
    columns = [*listing(start, stop).columns, pa.array(["f"] * n)]
    columns.append(pa.ListArray.from_arrays(offsets, values.ravel()))
    return folder.write(pa.Table.from_arrays(columns, schema=FEATURES_SCHEMA))


def add_features(table: Table, start: int, stop: int, workers: int) -> None:
    """Let some processes write rows, and commit them."""
    starts = range(start, stop, MAX_ROWS)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        ends = [min(stop, at + MAX_ROWS) for at in starts]
        files = list(pool.map(write_features, [table.folder] * len(starts), starts, ends))
    table.commit(Change(table, files, metadata={"featurizer": "f"}))


def list_files(folder: str, rows: int) -> Parts:
    """List empty images on disk, twice."""
    parts: Parts = {}
    for i in range(rows):
        if i % _PER_CLASS == 0:
            Path(folder, f"class {i // _PER_CLASS:05d}").mkdir(parents=True)
        Path(folder, f"class {i // _PER_CLASS:05d}", f"img_{i:09d}_100.jpg").touch()
    for name in ("listing", "listing what is known"):
        with timed(parts, name):
            images = open_table(f"{folder}-tables", "images")
            images.commit(list_images(ImageFolder(folder), images))
    shutil.rmtree(folder)
    return parts


def comparing(folder: str, rows: int, new: int) -> Parts:
    """Compare a listing, in which some images are new, with the table."""
    parts: Parts = {}
    images = listing(new, rows + new)
    with timed(parts, "opening, checking and comparing"):
        features, rejected = open_table(folder, "features"), open_table(folder, "rejected")
        features.check()
        _, counts = compare(images, features, rejected)
    assert (counts["known"], counts["new"], counts["gone"]) == (rows - new, new, new), counts
    return parts


def fitting(folder: str, rows: int, new: int, workers: int) -> Parts:
    """Fit the PCA, project, and do both once more after some rows have come; then the CSV and its check."""
    configure(spark_settings())
    parts: Parts = {}
    parameters = PcaParameters(n_components=50, solver="moments", scale="none", refit="auto")
    features, rejected, pca = (open_table(folder, name) for name in ("features", "rejected", "pca"))
    model = None
    for what in ("PCA", f"PCA after {new:,} more"):
        if model is not None:
            add_features(features, rows, rows + new, workers)
        with timed(parts, f"{what}: moments"):
            summary = summarize_features(features, model)
        with timed(parts, f"{what}: fit"):
            model, _ = fit_pca_model(summary, features, rejected, model, parameters)
        with timed(parts, f"{what}: scores"):
            pca.commit(project_features(features, model, pca))
    csv = ScoresCsvDataset(filepath=f"{folder}/csv")
    with timed(parts, "CSV"):
        csv.save(flatten_scores(pca, model))
    images = open_table(folder, "images")
    images.commit(Change(images, [images.folder.write(listing(0, rows + new))]))
    with timed(parts, "check of the export"):
        check_export(images, features, rejected, pca, csv.load(), {"postponed": 0})
    return parts


def removing(folder: str, rows: int, workers: int) -> Parts:
    """Remove 1 % of a table, in one place and all over it."""
    configure(spark_settings())
    parts: Parts = {}
    for name, step in (("together", 1), ("all over", round(1 / _SHARE))):
        table = open_table(f"{folder}/{name}", "features")
        add_features(table, 0, rows, workers)
        paths = listing(0, rows).column(PATH)[: int(rows * _SHARE) * step][::step]
        before = table.files.keys()
        with timed(parts, f"removing {len(paths):,} of {rows:,} rows that lie {name}") as figures:
            added, removed = rewrite(table, rows_with(table, paths.combine_chunks()), map_parts)
            table.commit(Change(table, added, removed))
        assert table.rows == rows - len(paths)
        rewritten = sum(file.size for file in table.files.values() if file.name not in before)
        figures["rewritten_mb"] = round(rewritten / 1e6, 1)
        shutil.rmtree(f"{folder}/{name}")
    return parts


def committing(folder: str, commits: int) -> Parts:
    """Commit one small file after another."""
    parts: Parts = {}
    table = open_table(folder, "rejected")
    empty = table.schema.empty_table()
    seconds: list[float] = []
    for i in range(commits):
        file = table.folder.write(empty)
        began = perf_counter()
        # A run has a last commit only once.
        table.commit(Change(table, [file], last=False))
        seconds.append(perf_counter() - began)
        if i + 1 in {1, commits // 10, commits}:
            with timed(parts, f"opening after {i + 1:,} commits"):
                open_table(folder, "rejected")
            parts[f"one commit after {i:,}"] = {"seconds": round(float(np.median(seconds[-10:])), 4)}
    parts[f"{commits:,} commits"] = {"seconds": round(sum(seconds), 2)}
    return parts


@click.command(help=__doc__)
@click.option("--rows", default=2_000_000, show_default=True)
@click.option("--removed-from", default=100_000, show_default=True, help="Rows of which 1 % is removed.")
@click.option("--commits", default=1_000, show_default=True)
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, help="Who write the features.")
@click.option("--work", type=click.Path(path_type=Path), help="Where the tables lie: 5.2 GB a million rows.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/scale.json"))
def main(rows: int, removed_from: int, commits: int, workers: int, work: Path | None, output: Path) -> None:
    """Measure part by part."""
    folder = tempfile.mkdtemp(prefix="scale-", dir=work)
    new = max(1, int(rows * _SHARE))
    began = perf_counter()
    add_features(open_table(folder, "features"), 0, rows, workers)
    parts: Parts = {f"writing {rows:,} rows": {"seconds": round(perf_counter() - began, 1)}}
    parts |= in_a_process(list_files, f"{folder}/images-on-disk", rows)
    parts |= in_a_process(comparing, folder, rows, new)
    parts |= in_a_process(fitting, folder, rows, new, workers)
    parts |= in_a_process(removing, folder, removed_from, workers)
    parts |= in_a_process(committing, f"{folder}/commits", commits)
    click.echo("| part | seconds | driver, MB | Java, MB | rewritten, MB |\n| --- | --- | --- | --- | --- |")
    for name, figures in parts.items():
        cells = [str(figures.get(key, "")) for key in ("seconds", "driver_mb", "java_mb", "rewritten_mb")]
        click.echo(f"| {name} | {' | '.join(cells)} |")
    write_results(output, {"rows": rows, "parts": parts})
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
