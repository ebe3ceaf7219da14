"""Features to fit on: the real ones of a run, and as many more between them as are asked for."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fruits_bigdata.schemas import FEATURES_SCHEMA, IMAGES_SCHEMA

# As many rows as a chunk's task leaves in a file of the store.
_ROWS_PER_FILE = 2_500
_DATE = datetime(2026, 1, 1, tzinfo=UTC)


def read_real(folder: Path) -> tuple[list[str], list[str], NDArray[np.float32]]:
    """Return paths, labels and features, float32 (n, d), of a store, in the order of the paths."""
    table = pd.read_parquet(folder, columns=["path", "label", "features"]).sort_values("path")
    return list(table["path"]), list(table["label"]), np.stack(table["features"].to_list())


def between(
    labels: list[str], features: NDArray[np.float32], n: int, seed: int
) -> tuple[list[str], NDArray[np.float32]]:
    """Return `n` rows, each somewhere between two real rows of one class, with their labels.

    They are non-negative and correlated as real ones are, and no two are equal.
    """
    rng = np.random.default_rng(seed)
    codes = np.unique(labels, return_inverse=True)[1]
    by_class = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    left = rng.integers(0, len(features), n)
    right = np.array([rng.choice(by_class[codes[i]]) for i in left])
    share = rng.random((n, 1), dtype=np.float32)
    return [labels[i] for i in left], share * features[left] + (1 - share) * features[right]


def write_store(folder: Path, labels: list[str], features: NDArray[np.float32], name: str) -> None:
    """Append rows to a store, as `<folder>/features/`, and their listing to `<folder>/images/`."""
    for schema in ("features", "images"):
        (folder / schema).mkdir(parents=True, exist_ok=True)
    for start in range(0, len(labels), _ROWS_PER_FILE):
        part = features[start : start + _ROWS_PER_FILE]
        n, d = part.shape
        columns = [
            pa.array([f"{name}/{start + i}.jpg" for i in range(n)]),
            pa.array(labels[start : start + n]),
            pa.array([5_000] * n, pa.int64()),
            pa.array([_DATE] * n, IMAGES_SCHEMA.field("modified").type),
            pa.array(["f"] * n),
            pa.ListArray.from_arrays(np.arange(0, (n + 1) * d, d, dtype=np.int32), part.ravel()),
        ]
        rows = pa.Table.from_arrays(columns, schema=FEATURES_SCHEMA)
        file = f"{name}-{start:09d}.parquet"
        pq.write_table(rows, folder / "features" / file, use_dictionary=["label", "featurizer"])
        pq.write_table(rows.select(IMAGES_SCHEMA.names), folder / "images" / file)
