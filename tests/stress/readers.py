"""What other programs read of an output: pandas, deltalake, polars, DuckDB and Spark, table by table.

    python -m tests.stress.readers --images fruits360/Test --weights weights.h5 --spark-delta

After a first run, one with new images, one without some, and one that fits the PCA anew, each program reads
each table, and all must have the rows that the project's own reading has. `pandas`, DuckDB's `read_parquet`
and Spark without Delta's classes know nothing of the log and read all Parquet files of the folder. With
--spark-delta, Spark's `format("delta")` reads, too: Ivy fetches Delta's classes from Maven Central, once.
DuckDB's `delta_scan` is an extension that is fetched from DuckDB's own server, and is tried with
--duckdb-delta only.
"""

import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable

from fruits_bigdata.spark.session import create_session
from fruits_bigdata.tables.delta import Table
from tests.support.runs import TABLES, kedro_run, run_process, sample_images, write_results

DELTA_SPARK = "io.delta:delta-spark_2.12:3.3.2"

# Returns the rows of a table's folder.
Reader = Callable[[str], pd.DataFrame]


def by_polars(folder: str) -> pd.DataFrame:
    """Read with polars."""
    import polars

    return polars.read_delta(folder).to_arrow().to_pandas()


def by_duckdb_files(folder: str) -> pd.DataFrame:
    """Read the folder's files with DuckDB, which fails if there is none."""
    import duckdb

    if not list(Path(folder).glob("*.parquet")):
        return pd.DataFrame()
    return duckdb.read_parquet(f"{folder}/*.parquet").df()


def by_duckdb_arrow(folder: str) -> pd.DataFrame:
    """Read with deltalake, and ask DuckDB for it."""
    import duckdb

    return duckdb.from_arrow(DeltaTable(folder).to_pyarrow_table()).df()


def by_duckdb_delta(folder: str) -> pd.DataFrame:
    """Read with DuckDB's extension."""
    import duckdb

    return duckdb.sql(f"INSTALL delta; LOAD delta; FROM delta_scan('{folder}')").df()


READERS: dict[str, Reader] = {
    "pandas, the folder": pd.read_parquet,
    "deltalake": lambda folder: DeltaTable(folder).to_pandas(),
    "polars": by_polars,
    "DuckDB, the files": by_duckdb_files,
    "DuckDB by Arrow": by_duckdb_arrow,
}


def spark_readers(with_delta: bool) -> dict[str, Reader]:
    """Return how Spark reads, with Delta's classes and without."""
    settings: dict[str, object] = {
        "spark.master": "local[2]",
        "spark.ui.enabled": False,
        "spark.ui.showConsoleProgress": False,
    }
    if with_delta:
        settings |= {
            "spark.jars.packages": DELTA_SPARK,
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        }
    spark = create_session({**settings, "spark.sql.session.timeZone": "UTC"})
    spark.conf.set("spark.sql.execution.arrow.pyspark.enabled", True)

    def files(folder: str) -> pd.DataFrame:
        # Spark cannot tell the columns of no file.
        if not list(Path(folder).glob("*.parquet")):
            return pd.DataFrame()
        if with_delta:
            spark.conf.set("spark.databricks.delta.formatCheck.enabled", False)
        return spark.read.parquet(folder).toPandas()

    readers: dict[str, Reader] = {"Spark, the folder": files}
    if with_delta:
        readers["Spark, delta"] = lambda folder: spark.read.format("delta").load(folder).toPandas()
    return readers


def as_arrow(rows: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return rows in the types of the table and the order of the paths; each program has types of its own."""
    if rows.empty:
        return schema.empty_table()
    return pa.Table.from_pandas(rows[schema.names], schema, preserve_index=False).sort_by("path")


def compare(output: str, readers: dict[str, Reader]) -> dict[str, dict[str, str]]:
    """Return, for each program and table, the number of rows, or what is wrong with them."""
    found: dict[str, dict[str, str]] = {name: {} for name in readers}
    for name, (folder, schema) in TABLES.items():
        expected = Table(f"{output}/{folder}", schema).read().sort_by("path").combine_chunks()
        for reader, read in readers.items():
            try:
                rows = as_arrow(read(f"{output}/{folder}"), schema).combine_chunks()
            except Exception as error:  # whatever a program says of a table
                found[reader][name] = f"FAILED, {type(error).__name__}: {str(error).splitlines()[0][:200]}"
                continue
            equal = rows.equals(expected)
            found[reader][name] = f"{rows.num_rows:,}" if equal else f"OTHER: {rows.num_rows:,} rows"
    return found


def table(found: dict[str, dict[str, dict[str, str]]]) -> str:
    """Return the rows that each program read after each step."""
    lines = [f"| step | program | {' | '.join(TABLES)} |", "| --- " * (2 + len(TABLES)) + "|"]
    for step, by_reader in found.items():
        lines += [
            f"| {step} | {reader} | {' | '.join(rows.values())} |" for reader, rows in by_reader.items()
        ]
    return "\n".join(lines)


def steps(params: dict[str, object], paths: list[Path], shown: Path, erase: bool) -> Iterator[str]:
    """Do what an output goes through, and yield the name of each step."""
    links = [shown / path.parent.name / path.name for path in paths]
    third = len(paths) // 3

    def show(chosen: slice) -> None:
        for path, link in zip(paths[chosen], links[chosen], strict=True):
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)

    show(slice(third, None))
    kedro_run(params, "__default__")
    yield "first run"
    show(slice(third))
    kedro_run(params, "__default__")
    yield f"{third} new images"
    for link in links[-third:]:
        link.unlink()
    kedro_run(params, "__default__")
    yield f"{third} images gone"
    kedro_run({**params, "pca.refit": "always"}, "__default__")
    yield "PCA fitted anew"
    if erase:
        text = ",".join(f"{name}={value}" for name, value in params.items())
        image = str(links[0].relative_to(shown))
        run_process([sys.executable, "-m", "fruits_bigdata.erasure", "--path", image, "--params", text])
        yield "one image erased"


@click.command(help=__doc__)
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--weights-digest", help="Only for weights of your own.")
@click.option("--models", type=click.Path(path_type=Path), help="Where a compiled model may be.")
@click.option("--size", default=300, show_default=True, help="Images, of which two are damaged.")
@click.option("--spark/--no-spark", default=True, show_default=True)
@click.option("--spark-delta", is_flag=True, help="Spark reads the log, too, with classes of Maven Central.")
@click.option(
    "--duckdb-delta", is_flag=True, help="DuckDB reads the log, too, with an extension of its server."
)
@click.option("--erase", is_flag=True, help="Erase an image in the end.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("tests/stress/results/readers.json"))
def main(
    images: Path,
    weights: Path,
    weights_digest: str | None,
    models: Path | None,
    size: int,
    spark: bool,
    spark_delta: bool,
    duckdb_delta: bool,
    erase: bool,
    output: Path,
) -> None:
    """Run, read, compare."""
    with tempfile.TemporaryDirectory(prefix="readers-") as place:
        folder = Path(place)
        sample_images(images, size, folder / "all")
        paths = sorted((folder / "all").rglob("*.jpg"))
        random.Random(0).shuffle(paths)
        for path in (paths[0], paths[len(paths) // 2]):
            os.truncate(path, path.stat().st_size // 2)
        params: dict[str, object] = {
            "images_path": folder / "images",
            "output_path": folder / "output",
            "weights_path": weights.absolute(),
            "models_path": (models or folder / "models").absolute(),
            "pca.n_components": 10,
            **({"weights_digest": weights_digest} if weights_digest else {}),
        }
        readers = READERS | (spark_readers(spark_delta) if spark or spark_delta else {})
        if duckdb_delta:
            readers["DuckDB, delta"] = by_duckdb_delta
        found: dict[str, dict[str, dict[str, str]]] = {}
        for step in steps(params, paths, folder / "images", erase):
            found[step] = compare(str(folder / "output"), readers)
    click.echo(table(found))
    write_results(output, found)
    rows = [
        text for by_reader in found.values() for by_table in by_reader.values() for text in by_table.values()
    ]
    if any(not text.replace(",", "").isdecimal() for text in rows):
        raise click.ClickException("Not every program has read every row as it is")


if __name__ == "__main__":
    main()
