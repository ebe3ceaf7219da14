"""Nodes of the export pipeline."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fruits_bigdata.datasets.scores_csv_dataset import ScoresCsv
from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import LABEL, PATH, PCA, pca_column_names

# Up to so many rows are sorted by their path: some 500 MB are held meanwhile.
_MAX_SORTED_ROWS = 2_000_000
_EXAMPLES = 5

logger = logging.getLogger(__name__)


class ExportError(RuntimeError):
    """The tables that were written do not hold the same images."""


def flatten_scores(pca: Table, pca_model: PcaModel) -> ScoresCsv:
    """Spread the scores over columns `pca_00`, `pca_01`, ..., sorted by path up to two million rows."""
    names = pca_column_names(pca_model.n_components_)
    schema = pa.schema({PATH: pa.string(), LABEL: pa.string()} | dict.fromkeys(names, pa.float32()))
    columns = [PATH, LABEL, PCA]

    def flat(table: pa.Table) -> Iterator[pa.RecordBatch]:
        for batch in table.to_batches():
            scores = batch.column(PCA).flatten().to_numpy().reshape(-1, len(names))
            arrays = [batch.column(PATH), batch.column(LABEL), *map(pa.array, np.ascontiguousarray(scores.T))]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def batches() -> Iterator[pa.RecordBatch]:
        if pca.rows <= _MAX_SORTED_ROWS:
            yield from flat(pca.read(columns).sort_by(PATH).combine_chunks())
            return
        for table in pca.folder.read(pca.files.values(), columns):
            yield from flat(table)

    return ScoresCsv(pca.state, schema, batches())


def check_export(
    images: Table,
    features: Table,
    rejected: Table,
    pca: Table,
    pca_csv: pa.ChunkedArray,
    comparison: Mapping[str, int],
) -> dict[str, int]:
    """Fail the run if the tables do not hold the same images, each once.

    `pca` and `pca_csv` hold the images of `features`; and these, the rejected ones and those that `limit`
    left to a later run are the ones that are listed.

    Args:
        images: The listing.
        features: The features.
        rejected: The rejected images.
        pca: The scores.
        pca_csv: The paths in the CSV.
        comparison: What the run found to do.

    Returns:
        The number of rows of `features`, `pca` and `pca_csv`.

    Raises:
        ExportError: Rows are missing, double or foreign; the message counts them and names some.
    """
    featurized = features.read([PATH]).column(PATH)
    done = pa.chunked_array([*featurized.chunks, *rejected.read([PATH]).column(PATH).chunks], pa.string())
    _check_each_once("features and rejected", done)
    listed = images.read([PATH]).column(PATH)
    _check_same("images", listed, "features and rejected", done, comparison["postponed"])
    for name, paths in (("pca", pca.read([PATH]).column(PATH)), ("pca_csv", pca_csv)):
        _check_each_once(name, paths)
        _check_same("features", featurized, name, paths)
    rows = {"features": len(featurized), "pca": pca.rows, "pca_csv": len(pca_csv)}
    logger.info("Checked: %s", ", ".join(f"{n:,} rows in {name}" for name, n in rows.items()))
    return rows


def _check_each_once(name: str, paths: pa.ChunkedArray) -> None:
    if pc.count_distinct(paths).as_py() == len(paths):
        return
    double = [path for path, n in Counter(paths.to_pylist()).items() if n > 1]
    raise _error(f"{len(double):,} images have several rows in {name}", double)


def _check_same(
    name: str, paths: pa.ChunkedArray, other_name: str, others: pa.ChunkedArray, n_missing: int = 0
) -> None:
    """Raise unless `others` hold the same paths, but for so many that are missing."""
    missing = paths.filter(pc.invert(pc.is_in(paths, value_set=others.combine_chunks())))
    foreign = others.filter(pc.invert(pc.is_in(others, value_set=paths.combine_chunks())))
    if len(foreign):
        raise _error(f"{len(foreign):,} images are in {other_name} and not in {name}", foreign.to_pylist())
    if len(missing) != n_missing:
        raise _error(
            f"{len(missing):,} images are in {name} and not in {other_name}, and {n_missing:,} should be",
            missing.to_pylist(),
        )


def _error(what: str, paths: list[str]) -> ExportError:
    examples = ", ".join(map(repr, sorted(paths)[:_EXAMPLES]))
    return ExportError(
        f"{what}, such as {examples}. Nothing that was featurized is lost: start `kedro run` again, which "
        f"lists the images anew, removes rows that count no more and makes pca and pca_csv from the rest"
    )
