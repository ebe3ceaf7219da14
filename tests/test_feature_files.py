import pickle
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from fruits_bigdata.feature_files import FeatureFiles
from fruits_bigdata.storage import open_location

SCHEMA = pa.schema({"path": pa.string(), "features": pa.list_(pa.float32())})


def rows(numbers: range) -> pa.Table:
    """Rows whose features are their number."""
    columns = {"path": [f"é {i}.jpg" for i in numbers], "features": [[float(i), -float(i)] for i in numbers]}
    return pa.Table.from_pydict(columns, schema=SCHEMA)


@pytest.fixture
def store(tmp_path: Path, spark: SparkSession) -> DataFrame:
    """Five files, one of them large, in a folder whose name Hadoop escapes."""
    folder = tmp_path / "50%20 é #1, a"
    folder.mkdir()
    for i, n in enumerate((9_000, 100, 200, 300, 400)):
        pq.write_table(rows(range(i * 10_000, i * 10_000 + n)), folder / f"part-{i}.parquet")
    return spark.read.parquet(str(folder))


def files_of(table: DataFrame) -> FeatureFiles:
    files = FeatureFiles.of(table)
    assert files is not None
    return files


def test_rows_are_those_that_spark_reads(store: DataFrame) -> None:
    batches = list(files_of(store).read_batches(["path", "features"]))
    assert max(batch.num_rows for batch in batches) <= 2_000
    ours = pa.Table.from_batches(batches).to_pylist()
    assert ours == [row.asDict() for row in store.sort("features").collect()]


def test_workers_apply_a_function_to_every_row_once(spark: SparkSession, store: DataFrame) -> None:
    files = files_of(store)

    def total(batches: object) -> tuple[int, float]:
        columns = [batch.column("features").flatten().to_numpy()[::2] for batch in batches]  # type: ignore[attr-defined]
        values = np.concatenate(columns)
        return len(values), float(values.sum(dtype=np.float64))

    found = files.collect(spark, total, ["features"], 2)
    assert len(found) == 2
    expected = [row["features"][0] for row in store.collect()]
    assert sum(n for n, _ in found) == len(expected) == 10_000
    assert sum(value for _, value in found) == sum(expected)
    same = files.map_in_arrow(spark, lambda batches: batches, ["path", "features"], SCHEMA, 3)  # type: ignore[arg-type, return-value]
    assert same.rdd.getNumPartitions() == 3
    assert sorted(same.collect()) == sorted(store.collect())


def test_each_part_has_about_as_many_bytes(store: DataFrame) -> None:
    large, small = sorted(files_of(store).split(2), key=lambda part: len(part.urls))
    assert (len(large.urls), len(small.urls)) == (1, 4)
    assert len(files_of(store).split(50)) == 5


def test_files_are_found_by_their_names(store: DataFrame, spark: SparkSession) -> None:
    files = files_of(store)
    assert files.names == {f"part-{i}.parquet" for i in range(5)}
    some = files.named({"part-1.parquet", "part-3.parquet"})
    assert sum(batch.num_rows for batch in some.read_batches(["path"])) == 400
    nothing = files.named(set())
    assert nothing.collect(spark, list, ["path"], 2) == []
    assert nothing.map_in_arrow(spark, iter, ["path"], SCHEMA, 2).count() == 0


def test_a_table_in_memory_has_no_files(spark: SparkSession) -> None:
    assert FeatureFiles.of(spark.range(3).toDF("id")) is None


def test_a_worker_reads_from_s3_with_the_drivers_settings(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs, _ = open_location(bucket)
    for i in range(2):
        pq.write_table(rows(range(3_000)), tmp_path / "part.parquet")
        fs.put_file(str(tmp_path / "part.parquet"), f"{bucket}/Results/part-{i}.parquet")
    urls = [f"{bucket.replace('s3', 's3a', 1)}/Results/part-{i}.parquet" for i in range(2)]
    sent = pickle.dumps(FeatureFiles(urls).split(2))
    # A worker is a process that no hook has configured.
    monkeypatch.setattr(fsspec.config, "conf", {})
    for part in pickle.loads(sent):
        assert sum(batch.num_rows for batch in part.read_batches(["features"])) == 3_000
