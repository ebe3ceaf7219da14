"""Features to fit on: the real ones of a run, and as many more between them as are asked for."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fruits_bigdata.tables.data_files import MAX_ROWS
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import FEATURES_SCHEMA, FEATURIZER, IMAGES_SCHEMA
from tests.support.runs import read_table

_DATE = datetime(2026, 1, 1, tzinfo=UTC)


def read_real(folder: Path) -> tuple[list[str], list[str], NDArray[np.float32]]:
    """Return paths, labels and features, float32 (n, d), of a table, in the order of the paths."""
    table = read_table(folder, ["path", "label", "features"])
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


def write_features(table: Table, labels: list[str], features: NDArray[np.float32], name: str) -> None:
    """Add rows to a table."""
    files = []
    for start in range(0, len(labels), MAX_ROWS):
        part = features[start : start + MAX_ROWS]
        n, d = part.shape
        columns = [
            pa.array([f"{name}/{start + i}.jpg" for i in range(n)]),
            pa.array(labels[start : start + n]),
            pa.array([5_000] * n, pa.int64()),
            pa.array([_DATE] * n, IMAGES_SCHEMA.field("modified").type),
            pa.array(["f"] * n),
            pa.ListArray.from_arrays(np.arange(0, (n + 1) * d, d, dtype=np.int32), part.ravel()),
        ]
        files.append(table.folder.write(pa.Table.from_arrays(columns, schema=FEATURES_SCHEMA)))
    table.commit(Change(table, files, metadata={FEATURIZER: "f"}))


def open_features(folder: Path) -> Table:
    """Return a table of features."""
    return Table(str(folder), FEATURES_SCHEMA)
