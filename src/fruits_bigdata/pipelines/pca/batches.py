"""What the workers of the PCA do with a batch of features: Arrow in, numpy inside, Arrow out."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.tables.schemas import FEATURES, LABEL, N_FEATURES, PATH, PCA_SCHEMA

# A summary on its way to the driver: moments, paths, labels, features.
SummaryRow = tuple[bytes, list[str], list[str], bytes]


def summarize(batches: Iterable[pa.RecordBatch], share: float) -> SummaryRow:
    """Return the summary of all `batches`, which hold `path`, `label` and `features`, in plain types.

    Args:
        batches: The rows.
        share: As in `FeatureSample.of`.
    """
    sample = FeatureSample.empty(N_FEATURES)

    def blocks() -> Iterator[NDArray[np.float32]]:
        nonlocal sample
        for batch in batches:
            matrix = _matrix(batch)
            paths, labels = batch.column(PATH).to_pylist(), batch.column(LABEL).to_pylist()
            sample += FeatureSample.of(paths, labels, matrix, share)
            yield matrix

    moments = Moments.of_blocks(blocks(), N_FEATURES)
    return moments.to_bytes(), list(sample.paths), list(sample.labels), sample.features.tobytes()


def summary_of_row(row: SummaryRow) -> FeatureSummary:
    """Return the summary that `summarize` has sent."""
    moments, paths, labels, features = row
    matrix = np.frombuffer(features, np.float32).reshape(-1, N_FEATURES)
    return FeatureSummary(Moments.from_bytes(moments), FeatureSample(tuple(paths), tuple(labels), matrix))


def project_batches(
    batches: Iterable[pa.RecordBatch], model: str, mean: NDArray[np.float64], rotation: NDArray[np.float64]
) -> Iterator[pa.RecordBatch]:
    """Yield a batch of `schemas.PCA_SCHEMA` for each batch with `path`, `label` and `features`.

    Args:
        batches: What to project.
        model: The model's name.
        mean: Shape (d,).
        rotation: Shape (d, k).
    """
    for batch in batches:
        scores = ((_matrix(batch) - mean) @ rotation).astype(np.float32)
        n, k = scores.shape
        lists = pa.ListArray.from_arrays(np.arange(0, (n + 1) * k, k, dtype=np.int32), scores.ravel())
        columns = [batch.column(PATH), batch.column(LABEL), pa.array([model] * n), lists]
        yield pa.RecordBatch.from_arrays(columns, schema=PCA_SCHEMA)


def _matrix(batch: pa.RecordBatch) -> NDArray[np.float32]:
    """Return the features of a batch, float32, shape (n, N_FEATURES), without a copy."""
    matrix: NDArray[np.float32] = batch.column(FEATURES).flatten().to_numpy().reshape(-1, N_FEATURES)
    return matrix
