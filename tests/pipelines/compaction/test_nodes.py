import logging
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql.functions import lit

from fruits_bigdata.pipelines.compaction.nodes import (
    CompactionParameters,
    compact_stale_stores,
    compact_stores,
)

PARAMETERS = CompactionParameters(max_stale_share=0.25)


@pytest.fixture(scope="module")
def rejected(features: DataFrame) -> DataFrame:
    return features.drop("features").withColumn("reason", lit("why"))


def comparison(**counts: int) -> dict[str, int]:
    return {"known": 1, "rejected_before": 0, "changed": 0, "stored_rows": 100, "stale_rows": 0, **counts}


def test_current_rows_are_kept(features: DataFrame, rejected: DataFrame, images: DataFrame) -> None:
    listed = images.where("label in ('class 0', 'class 1')")
    stored = features.where("label != 'class 1'"), rejected.where("label in ('class 1', 'class 3')")
    kept = compact_stores(*stored, listed, None)
    assert [[table.count() for table in tables] for tables in kept] == [[20], [20]]
    (kept_features,), (kept_rejected,) = kept
    assert kept_features.columns == features.columns
    assert {row["label"] for row in kept_features.collect()} == {"class 0"}
    assert {row["label"] for row in kept_rejected.collect()} == {"class 1"}


def test_of_double_rows_one_is_kept(
    features: DataFrame, rejected: DataFrame, images: DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    doubled = features.union(features.where("label = 'class 0'"))
    (kept,), _ = compact_stores(doubled, rejected.limit(0), images, None)
    assert kept.count() == kept.select("path").distinct().count() == 80
    assert "20 rows are double" in caplog.text


def test_many_small_files_become_few(
    features: DataFrame, rejected: DataFrame, images: DataFrame, tmp_path: Any
) -> None:
    spark = features.sparkSession
    features.repartition(12).write.parquet(f"{tmp_path}/many")
    many = spark.read.parquet(f"{tmp_path}/many")
    (kept,), none = compact_stores(many, rejected.limit(0), images, None)
    assert none == []
    kept.write.parquet(f"{tmp_path}/few")
    few = spark.read.parquet(f"{tmp_path}/few")
    assert len(few.inputFiles()) < 12
    assert few.count() == 80
    # And stay as they are then.
    assert compact_stores(few, rejected.limit(0), images, None) == ([], [])


def test_a_limited_listing_is_no_reason_to_drop_rows(
    features: DataFrame, rejected: DataFrame, images: DataFrame
) -> None:
    with pytest.raises(ValueError, match="limit=10"):
        compact_stores(features, rejected, images.limit(10), 10)
    stale = comparison(stale_rows=90)
    assert compact_stale_stores(features, rejected, images.limit(10), 10, stale, PARAMETERS) == ([], [])


def test_a_listing_of_another_folder_is_no_reason_to_drop_everything(
    features: DataFrame, rejected: DataFrame, images: DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = images.withColumn("path", lit("elsewhere.jpg")).limit(1)
    with pytest.raises(ValueError, match=r"None of the 160 stored rows .* is images_path the right folder"):
        compact_stores(features, rejected, elsewhere, None)
    stale = comparison(known=0, stale_rows=100)
    assert compact_stale_stores(features, rejected, elsewhere, None, stale, PARAMETERS) == ([], [])
    assert "None of the 100 rows that were stored before" in caplog.text


@pytest.mark.parametrize(("stale", "compacts"), [(0, False), (25, False), (26, True), (100, True)])
def test_a_run_compacts_by_itself_when_too_much_is_stale(
    features: DataFrame,
    rejected: DataFrame,
    images: DataFrame,
    stale: int,
    compacts: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = comparison(stale_rows=stale, known=0, changed=1)
    listed = images.where("label = 'class 0'")
    with caplog.at_level(logging.INFO):
        kept, _ = compact_stale_stores(features, rejected.limit(0), listed, None, found, PARAMETERS)
    assert [table.count() for table in kept] == [20] * compacts
    assert (f"{stale} % of the stored rows were stale" in caplog.text) == compacts


def test_an_empty_store_is_not_compacted(features: DataFrame, rejected: DataFrame, images: DataFrame) -> None:
    empty = features.limit(0), rejected.limit(0), images
    assert compact_stale_stores(*empty, None, comparison(stored_rows=0), PARAMETERS) == ([], [])


def test_a_mistyped_share_is_refused() -> None:
    with pytest.raises(ValueError, match="max_stale_share"):
        CompactionParameters(max_stale_share=25)
