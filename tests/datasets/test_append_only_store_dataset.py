from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.datasets.append_only_store_dataset import AppendOnlyStoreDataset
from fruits_bigdata.schemas import REJECTED_SCHEMA


@pytest.fixture
def store(tmp_path: Path) -> AppendOnlyStoreDataset:
    return AppendOnlyStoreDataset(filepath=f"{tmp_path}/re jected", schema="REJECTED_SCHEMA")


def rejected(spark: SparkSession, *paths: str) -> DataFrame:
    rows = [(path, "label", 1, None, "f", "why") for path in paths]
    return spark.createDataFrame(rows, from_arrow_schema(REJECTED_SCHEMA))


def paths(store: AppendOnlyStoreDataset) -> list[str]:
    return sorted(row["path"] for row in store.load().collect())


def test_a_store_that_does_not_exist_is_an_empty_table(
    store: AppendOnlyStoreDataset, spark: SparkSession
) -> None:
    assert not store.exists()
    assert store.load().schema == from_arrow_schema(REJECTED_SCHEMA)
    assert paths(store) == []


def test_rows_are_added_and_none_is_lost(store: AppendOnlyStoreDataset, spark: SparkSession) -> None:
    store.save(rejected(spark, "a", "b"))
    store.save(rejected(spark, "c"))
    assert paths(store) == ["a", "b", "c"]
    assert store.exists()


def test_nothing_to_add_leaves_no_file(
    store: AppendOnlyStoreDataset, spark: SparkSession, tmp_path: Path
) -> None:
    store.save(rejected(spark))
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_job_left_is_neither_read_nor_published(
    store: AppendOnlyStoreDataset, spark: SparkSession, tmp_path: Path
) -> None:
    rejected(spark, "dead").coalesce(1).write.parquet(f"{tmp_path}/other")
    (part,) = (tmp_path / "other").glob("*.parquet")
    committed = tmp_path / "re jected/_temporary/0/task_1/part-00000.parquet"
    committed.parent.mkdir(parents=True)
    part.rename(committed)
    assert paths(store) == []
    assert not store.exists()
    # The committer of version 1, Hadoop's default, publishes whatever committed task it finds.
    store = AppendOnlyStoreDataset(
        filepath=f"{tmp_path}/re jected",
        schema="REJECTED_SCHEMA",
        save_args={"mapreduce.fileoutputcommitter.algorithm.version": "1"},
    )
    store.save(rejected(spark, "alive"))
    assert paths(store) == ["alive"]


def test_other_tools_read_the_dates(
    store: AppendOnlyStoreDataset, spark: SparkSession, tmp_path: Path
) -> None:
    store.save(rejected(spark, "a"))
    (file, *_) = (tmp_path / "re jected").glob("*.parquet")
    assert str(pq.read_schema(file).field("modified").type) == "timestamp[us, tz=UTC]"


def test_options_reach_sparks_writer(spark: SparkSession, tmp_path: Path) -> None:
    store = AppendOnlyStoreDataset(
        filepath=f"{tmp_path}/store", schema="REJECTED_SCHEMA", save_args={"compression": "gzip"}
    )
    store.save(rejected(spark, "a"))
    assert list((tmp_path / "store").glob("*.gz.parquet"))
