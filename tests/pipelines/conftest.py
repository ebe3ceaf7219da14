"""Tables as the featurization leaves them, without the cost of computing features."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fruits_bigdata.spark import session as spark_session
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import (
    FEATURES_SCHEMA,
    IMAGES_SCHEMA,
    N_FEATURES,
    PCA_SCHEMA,
    REJECTED_SCHEMA,
)

N_IMAGES = 80


@pytest.fixture(scope="session")
def matrix() -> np.ndarray:
    """Features of 80 images, correlated and non-negative like MobileNetV2's, float32 (80, 1280)."""
    rng = np.random.default_rng(5)
    mixed = rng.normal(size=(N_IMAGES, 30)) @ rng.normal(size=(30, N_FEATURES))
    return np.maximum(mixed + rng.normal(size=mixed.shape), 0).astype(np.float32)


def image_rows(numbers: list[int]) -> pa.Table:
    """Return the listing of some of the 80 images, which are of four classes."""
    date = datetime(2026, 1, 1, tzinfo=UTC)
    columns = {
        "path": [f"class {i % 4}/{i:03d}.jpg" for i in numbers],
        "label": [f"class {i % 4}" for i in numbers],
        "length": [100 + i for i in numbers],
        "modified": [date for _ in numbers],
    }
    return pa.table(columns, schema=IMAGES_SCHEMA)


Store = Callable[..., Table]


def open_store(root: Path, matrix: np.ndarray) -> Store:
    """Return a function that appends features of some images as one file, and returns the table."""

    def append(numbers: range | list[int] = range(N_IMAGES), featurizer: str = "f1") -> Table:
        table = Table(str(root / "features"), FEATURES_SCHEMA)
        images = image_rows(list(numbers))
        features = pa.array(list(matrix[list(numbers)]), pa.list_(pa.float32()))
        rows = pa.table(
            [*images.columns, pa.array([featurizer] * len(images), pa.string()), features],
            schema=FEATURES_SCHEMA,
        )
        files = [table.folder.write(rows)] if len(rows) else []
        table.commit(Change(table, files, metadata={"featurizer": featurizer}))
        return table

    return append


@pytest.fixture
def store(tmp_path, matrix) -> Store:
    return open_store(tmp_path, matrix)


@pytest.fixture(scope="session")
def features(tmp_path_factory, matrix) -> Table:
    """All 80 images in five files; only read."""
    append = open_store(tmp_path_factory.mktemp("features"), matrix)
    for i in range(5):
        table = append(range(i, N_IMAGES, 5))
    return table


@pytest.fixture
def images(tmp_path) -> Table:
    """The listing of the 80 images."""
    table = Table(str(tmp_path / "images"), IMAGES_SCHEMA)
    table.commit(Change(table, [table.folder.write(image_rows(list(range(N_IMAGES))))]))
    return table


@pytest.fixture
def rejected(tmp_path) -> Table:
    """No image is rejected."""
    table = Table(str(tmp_path / "rejected"), REJECTED_SCHEMA)
    table.commit(Change(table))
    return table


@pytest.fixture
def no_scores(tmp_path) -> Table:
    """What there is before the first run."""
    return Table(str(tmp_path / "pca"), PCA_SCHEMA)


def reject(table: Table, numbers: list[int], reason: str) -> Table:
    """Append rejected images."""
    rows = image_rows(numbers)
    texts = [pa.array([text] * len(rows), pa.string()) for text in ("f1", reason)]
    new = pa.table([*rows.columns, *texts], schema=REJECTED_SCHEMA)
    table.commit(Change(table, [table.folder.write(new)]))
    return table


@pytest.fixture(params=["in this process", "by Spark's workers"])
def anywhere(request, monkeypatch) -> str:
    """Let little data be worked on in this process, or by Spark's workers, as if it were much."""
    if request.param == "by Spark's workers":
        request.getfixturevalue("spark")
        monkeypatch.setattr(spark_session, "_LOCAL_BYTES", 0)
    return str(request.param)
