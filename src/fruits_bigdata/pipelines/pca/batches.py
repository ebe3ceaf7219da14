"""What the workers of the PCA do with a batch of features: Arrow in, numpy inside, Arrow out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.schemas import FEATURES, LABEL, N_FEATURES, PATH, PCA_SCHEMA

# A summary as a row.
SUMMARY_SCHEMA = pa.schema(
    {
        "moments": pa.binary(),
        "paths": pa.list_(pa.string()),
        "labels": pa.list_(pa.string()),
        "features": pa.binary(),
    }
)


def summarize(batches: Iterable[pa.RecordBatch], share: float) -> Iterator[pa.RecordBatch]:
    """Yield one row of `SUMMARY_SCHEMA` for all `batches`, which hold `path`, `label` and `features`.

    Args:
        batches: The rows.
        share: As in `FeatureSample.of`.
    """
    total = FeatureSummary.empty(N_FEATURES)
    for batch in batches:
        matrix = _matrix(batch)
        paths, labels = batch.column(PATH).to_pylist(), batch.column(LABEL).to_pylist()
        total += FeatureSummary(Moments.of(matrix), FeatureSample.of(paths, labels, matrix, share))
    sample = total.sample
    row = (total.moments.to_bytes(), sample.paths, sample.labels, sample.features.tobytes())
    yield pa.RecordBatch.from_arrays(
        [pa.array([value], field.type) for value, field in zip(row, SUMMARY_SCHEMA, strict=True)],
        schema=SUMMARY_SCHEMA,
    )


def summary_of_row(row: Sequence[Any]) -> FeatureSummary:
    """Return the summary that a row of `SUMMARY_SCHEMA` holds."""
    moments, paths, labels, features = row
    matrix = np.frombuffer(features, np.float32).reshape(-1, N_FEATURES)
    return FeatureSummary(Moments.from_bytes(moments), FeatureSample(tuple(paths), tuple(labels), matrix))


def project_batches(
    batches: Iterable[pa.RecordBatch], mean: NDArray[np.float64], rotation: NDArray[np.float64]
) -> Iterator[pa.RecordBatch]:
    """Yield a batch of `schemas.PCA_SCHEMA` for each batch with `path`, `label` and `features`.

    Args:
        batches: What to project.
        mean: Shape (d,).
        rotation: Shape (d, k).
    """
    for batch in batches:
        scores = ((_matrix(batch) - mean) @ rotation).astype(np.float32)
        n, k = scores.shape
        lists = pa.ListArray.from_arrays(np.arange(0, (n + 1) * k, k, dtype=np.int32), scores.ravel())
        yield pa.RecordBatch.from_arrays([batch.column(PATH), batch.column(LABEL), lists], schema=PCA_SCHEMA)


def _matrix(batch: pa.RecordBatch) -> NDArray[np.float32]:
    """Return the features of a batch, float32, shape (n, N_FEATURES), without a copy."""
    matrix: NDArray[np.float32] = batch.column(FEATURES).flatten().to_numpy().reshape(-1, N_FEATURES)
    return matrix
