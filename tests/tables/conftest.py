"""Tables with rows that are quickly made."""

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import IMAGES_SCHEMA, REJECTED_SCHEMA

DATE = datetime(2026, 1, 1, tzinfo=UTC)


def listing(*paths: str, label: str = "Apple", length: int = 1, modified: datetime = DATE) -> pa.Table:
    """Return rows of `IMAGES_SCHEMA`."""
    n = len(paths)
    columns = [list(paths), [label] * n, [length] * n, [modified] * n]
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, IMAGES_SCHEMA, strict=True)],
        schema=IMAGES_SCHEMA,
    )


def rejections(*paths: str, **facts: object) -> pa.Table:
    """Return rows of `REJECTED_SCHEMA`, the smallest that tables of outcomes have."""
    images = listing(*paths, **facts)  # type: ignore[arg-type]
    more = [pa.array([text] * len(images), pa.string()) for text in ("model", "truncated: why")]
    return pa.table([*images.columns, *more], schema=REJECTED_SCHEMA)


@pytest.fixture
def rejected(tmp_path) -> Table:
    """A table that does not exist yet."""
    return Table(str(tmp_path / "rejected"), REJECTED_SCHEMA)


@pytest.fixture(params=["disk", "s3"])
def anywhere(request, tmp_path) -> Callable[[str], Table]:
    """Open a table on disk and on S3."""
    root = str(tmp_path) if request.param == "disk" else request.getfixturevalue("bucket")
    return lambda name: Table(f"{root}/{name}", REJECTED_SCHEMA)
