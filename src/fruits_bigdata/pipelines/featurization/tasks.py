"""What a Spark task of the featurization does: a part of the images in, one data file and a small row out."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fruits_bigdata.tables.data_files import DataFile, DataFolder
from fruits_bigdata.tables.schemas import (
    FEATURES_SCHEMA,
    IMAGES_SCHEMA,
    MODIFIED,
    OUTCOME_SCHEMA,
    REASON,
    REJECTED_SCHEMA,
)
from fruits_bigdata.vision.statistics import FeaturizationStatistics

# Spark's timestamps go through pandas, whose dates end in 2262; whole microseconds go through unharmed.
TASK_SCHEMA = IMAGES_SCHEMA.set(IMAGES_SCHEMA.get_field_index(MODIFIED), pa.field(MODIFIED, pa.int64()))
RESULT_SCHEMA = pa.schema(
    {
        "file": pa.string(),
        "size": pa.int64(),
        "rows": pa.int64(),
        "rejected": pa.binary(),
        "statistics": pa.binary(),
    }
)

Outcomes = Callable[
    [Iterable[pa.RecordBatch], Callable[[FeaturizationStatistics], None]], Iterable[pa.RecordBatch]
]


@dataclass(frozen=True, eq=False)
class TaskResult:
    """What one task did.

    Attributes:
        file: The data file that it wrote; None if no image has features.
        rejected: Rows of `schemas.REJECTED_SCHEMA`.
        statistics: Of its images.
    """

    file: DataFile | None
    rejected: pa.Table
    statistics: FeaturizationStatistics

    @classmethod
    def of(cls, file: str | None, size: int, rows: int, rejected: bytes, statistics: bytes) -> "TaskResult":
        """Return the result that a row of `RESULT_SCHEMA` tells."""
        return cls(
            None if file is None else DataFile(file, size, rows),
            pa.ipc.open_stream(rejected).read_all(),
            pickle.loads(statistics),
        )


def run_task(
    batches: Iterable[pa.RecordBatch], outcomes: Outcomes, folder: DataFolder
) -> Iterator[pa.RecordBatch]:
    """Featurize images and write their features as one file.

    Args:
        batches: Record batches of `TASK_SCHEMA`.
        outcomes: Returns a batch of `schemas.OUTCOME_SCHEMA` for each batch, and reports the statistics.
        folder: Where the file is written.

    Yields:
        One row of `RESULT_SCHEMA`; none if there are no images.
    """
    reports: list[FeaturizationStatistics] = []
    images = (
        pa.RecordBatch.from_arrays(
            [batch.column(name).cast(IMAGES_SCHEMA.field(name).type) for name in IMAGES_SCHEMA.names],
            schema=IMAGES_SCHEMA,
        )
        for batch in batches
    )
    table = pa.Table.from_batches(outcomes(images, reports.append), OUTCOME_SCHEMA)
    if not table.num_rows:
        return
    is_featurized = pc.is_null(table.column(REASON))
    features = table.filter(is_featurized).select(FEATURES_SCHEMA.names)
    rejected = table.filter(pc.invert(is_featurized)).select(REJECTED_SCHEMA.names)
    file = folder.write(features) if features.num_rows else None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, REJECTED_SCHEMA) as writer:
        writer.write_table(rejected)
    (statistics,) = reports
    row = {
        "file": [None if file is None else file.name],
        "size": [0 if file is None else file.size],
        "rows": [0 if file is None else file.rows],
        "rejected": [sink.getvalue().to_pybytes()],
        "statistics": [pickle.dumps(statistics)],
    }
    yield pa.RecordBatch.from_pydict(row, RESULT_SCHEMA)
