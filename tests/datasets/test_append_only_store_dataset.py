import os
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.datasets.append_only_store_dataset import (
    AppendOnlyStoreDataset,
    RewrittenStoreDataset,
)
from fruits_bigdata.datasets.store_rewrite import StoreRewrite
from fruits_bigdata.schemas import REJECTED_SCHEMA


@pytest.fixture
def store(tmp_path: Path) -> AppendOnlyStoreDataset:
    return AppendOnlyStoreDataset(filepath=f"{tmp_path}/re jected", schema="REJECTED_SCHEMA")


@pytest.fixture
def rewritten(tmp_path: Path) -> RewrittenStoreDataset:
    """The same store by its other name."""
    return RewrittenStoreDataset(filepath=f"{tmp_path}/re jected", schema="REJECTED_SCHEMA")


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


def test_a_store_is_rewritten_from_its_own_rows_into_few_files(
    store: AppendOnlyStoreDataset, rewritten: RewrittenStoreDataset, spark: SparkSession, tmp_path: Path
) -> None:
    for path in "abc":
        store.save(rejected(spark, path))
    assert rewritten.exists()
    rewritten.save([store.load().where("path != 'b'").coalesce(1)])
    assert paths(store) == ["a", "c"]
    kinds = [path.suffix for path in (tmp_path / "re jected").iterdir() if "part-" in path.name]
    assert sorted(kinds) == [".crc", ".parquet"]
    store.save(rejected(spark, "d"))
    assert paths(store) == ["a", "c", "d"]


def test_nothing_to_rewrite_changes_no_file(
    store: AppendOnlyStoreDataset, rewritten: RewrittenStoreDataset, spark: SparkSession, tmp_path: Path
) -> None:
    store.save(rejected(spark, "a"))
    before = sorted((tmp_path / "re jected").iterdir())
    rewritten.save([])
    assert sorted((tmp_path / "re jected").iterdir()) == before


def test_a_store_can_be_emptied(
    store: AppendOnlyStoreDataset, rewritten: RewrittenStoreDataset, spark: SparkSession
) -> None:
    store.save(rejected(spark, "a"))
    rewritten.save([store.load().limit(0)])
    assert paths(store) == []
    store.save(rejected(spark, "b"))
    assert paths(store) == ["b"]


class Killed(BaseException):
    """What no code catches, as nothing catches a SIGKILL."""


def steps(monkeypatch: pytest.MonkeyPatch, store: AppendOnlyStoreDataset, die_at: int) -> list[list[str]]:
    """Let a reader look before each change of a rewriting, and the rewriting die at one of them."""
    seen: list[list[str]] = []

    def look_and_go_on(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def step(*args: object, **kwargs: object) -> object:
            seen.append(paths(store))
            if len(seen) == die_at:
                raise Killed
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, step)

    look_and_go_on(RewrittenStoreDataset, "_append")
    look_and_go_on(StoreRewrite, "save")
    look_and_go_on(os, "remove")
    return seen


# Journal, append, journal, removal of two checksums and two files, journal.
N_STEPS = 8


@pytest.mark.parametrize("die_at", range(1, N_STEPS + 1))
@pytest.mark.parametrize("writes_next", ["appended", "rewritten"])
def test_whenever_a_rewriting_dies_every_row_is_seen_once_and_the_next_run_repairs(
    store: AppendOnlyStoreDataset,
    rewritten: RewrittenStoreDataset,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    die_at: int,
    writes_next: str,
) -> None:
    for path in ("a", "stale"):
        store.save(rejected(spark, path).coalesce(1))
    with monkeypatch.context() as patch:
        seen = steps(patch, store, die_at)
        with pytest.raises(Killed):
            rewritten.save([store.load().where("path = 'a'").coalesce(1)])
    assert len(seen) == die_at
    before, after = ["a", "stale"], ["a"]
    # What a reader finds changes once, when the new files are declared whole.
    assert seen == ([before] * 3 + [after] * 5)[:die_at]
    left = before if die_at <= 3 else after
    assert paths(store) == left
    if writes_next == "appended":
        store.save(rejected(spark))
    else:
        rewritten.save([])
    assert paths(store) == left
    # Other readers too, now.
    assert sorted(pd.read_parquet(tmp_path / "re jected")["path"]) == left


def test_a_rewriting_has_so_many_steps(
    store: AppendOnlyStoreDataset,
    rewritten: RewrittenStoreDataset,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in ("a", "stale"):
        store.save(rejected(spark, path).coalesce(1))
    with monkeypatch.context() as patch:
        seen = steps(patch, store, die_at=0)
        rewritten.save([store.load().where("path = 'a'").coalesce(1)])
    assert len(seen) == N_STEPS


def test_rows_that_do_not_arrive_are_noticed_before_the_old_ones_go(
    store: AppendOnlyStoreDataset,
    rewritten: RewrittenStoreDataset,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.save(rejected(spark, "a", "b"))
    append = RewrittenStoreDataset._append
    monkeypatch.setattr(
        RewrittenStoreDataset, "_append", lambda self, rows, **options: append(self, rows.limit(1), **options)
    )
    with pytest.raises(DatasetError, match="1 rows of 2 were written"):
        rewritten.save([store.load()])
    assert paths(store) == ["a", "b"]


def test_a_reader_that_a_rewriting_passes_by_looks_again(
    store: AppendOnlyStoreDataset,
    rewritten: RewrittenStoreDataset,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in ("a", "stale"):
        store.save(rejected(spark, path).coalesce(1))
    list_files = AppendOnlyStoreDataset._files
    passed = []

    def meanwhile(self: AppendOnlyStoreDataset) -> list[str]:
        files = list_files(self)
        if not passed:
            passed.append(True)
            rewritten.save([rejected(spark, "a").coalesce(1)])
        return files

    monkeypatch.setattr(AppendOnlyStoreDataset, "_files", meanwhile)
    assert paths(store) == ["a"]


def test_files_that_come_while_a_store_is_rewritten_are_not_read(
    store: AppendOnlyStoreDataset, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(rejected(spark, "a").coalesce(1))
    list_files = AppendOnlyStoreDataset._files
    StoreRewrite("writing", list_files(store)).save(store._filepath)

    def meanwhile(self: AppendOnlyStoreDataset) -> list[str]:
        files = list_files(self)
        # The rewriting's job commits between this listing and Spark's.
        self._append(rejected(spark, "a").coalesce(1))
        return files

    monkeypatch.setattr(AppendOnlyStoreDataset, "_files", meanwhile)
    assert paths(store) == ["a"]


def test_a_reader_gives_up_on_a_store_that_is_rewritten_over_and_over(
    store: AppendOnlyStoreDataset, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(rejected(spark, "a"))
    monkeypatch.setattr(StoreRewrite, "load", classmethod(lambda cls, store: cls("done")))
    with pytest.raises(DatasetError, match="rewritten over and over"):
        store.load()
