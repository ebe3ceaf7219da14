"""Nodes of the export pipeline."""

import logging
from collections.abc import Mapping
from functools import reduce

from pydantic import BaseModel, ConfigDict, PositiveInt
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.pipelines.current import select_current
from fruits_bigdata.schemas import LABEL, PATH, PCA, pca_column_names
from fruits_bigdata.table_source import source_of, with_source

logger = logging.getLogger(__name__)


class ExportParameters(BaseModel):
    """Parameters of the export.

    Attributes:
        rows_per_csv_file: Rows of a CSV file at most: up to so many images, the CSV is a single file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows_per_csv_file: PositiveInt


class ExportError(RuntimeError):
    """The tables that were written do not hold the same images."""


def flatten_scores(pca: DataFrame, pca_model: PcaModel, parameters: ExportParameters) -> DataFrame:
    """Spread the scores over columns `pca_00`, `pca_01`, ..., sorted by path."""
    names = pca_column_names(pca_model.n_components_)
    scores = [f.col(PCA)[i].alias(name) for i, name in enumerate(names)]
    n_files = -(-pca.count() // parameters.rows_per_csv_file)
    flat = pca.select(PATH, LABEL, *scores)
    parts = flat.coalesce(1) if n_files == 1 else flat.repartitionByRange(n_files, PATH)
    table = parts.sortWithinPartitions(PATH)
    source = source_of(pca)
    return table if source is None else with_source(table, f"{parameters.model_dump_json()} of {source}")


def check_export(
    features: DataFrame, images: DataFrame, pca: DataFrame, pca_csv: DataFrame
) -> dict[str, int]:
    """Fail the run if current features, `pca` and `pca_csv` do not hold the same images, each once.

    Returns:
        The number of rows of each table.

    Raises:
        ExportError: Rows are missing, double or foreign; the message counts them and names some.
    """
    tables: Mapping[str, DataFrame] = {
        "features": select_current(features, images),
        "pca": pca,
        "pca_csv": pca_csv,
    }
    marked = (table.select(PATH, f.lit(name).alias("table")) for name, table in tables.items())
    counts = [f.count(f.when(f.col("table") == name, 1)).alias(name) for name in tables]
    by_path = reduce(DataFrame.unionByName, marked).groupBy(PATH).agg(*counts)
    is_wrong = f.expr(" OR ".join(f"{name} != 1" for name in tables))
    n_wrong = f.count(f.when(is_wrong, 1)).alias("wrong")
    totals = by_path.agg(*(f.coalesce(f.sum(name), f.lit(0)).alias(name) for name in tables), n_wrong).first()
    assert totals is not None
    if totals["wrong"]:
        listed = "; ".join(
            f"{row[PATH]!r}: " + ", ".join(f"{row[t]} in {t}" for t in tables)
            for row in by_path.where(is_wrong).orderBy(PATH).limit(5).collect()
        )
        raise ExportError(
            f"{totals['wrong']:,} images are not exactly once in each of {', '.join(tables)}, such as "
            f"{listed}. Nothing that was featurized is lost: run `kedro run --pipelines pca,export` again; "
            f"`kedro run --pipelines compaction` rids features of double rows"
        )
    rows = {name: int(totals[name]) for name in tables}
    logger.info("Checked: %s", ", ".join(f"{n:,} rows in {name}" for name, n in rows.items()))
    return rows
