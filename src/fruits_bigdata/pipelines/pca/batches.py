"""What the workers of the PCA do with a batch of features: Arrow in, numpy inside, Arrow out."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.schemas import FEATURES, LABEL, N_FEATURES, PATH, PCA_SCHEMA

PARTIAL = "moments"
PARTIAL_SCHEMA = pa.schema({PARTIAL: pa.binary()})


def sum_moments(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield one row, the moments of the `features` of all `batches`."""
    total = Moments.zero(N_FEATURES)
    for batch in batches:
        total += Moments.of(_matrix(batch))
    yield pa.RecordBatch.from_pydict({PARTIAL: [total.to_bytes()]}, schema=PARTIAL_SCHEMA)


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
