import pytest
from pyspark.sql import DataFrame
from pyspark.sql.functions import expr

from fruits_bigdata.pipelines import current
from fruits_bigdata.pipelines.current import select_current


def test_when_nothing_is_stale_the_store_is_read_as_it_is(features: DataFrame, images: DataFrame) -> None:
    assert select_current(features, images) is features


@pytest.mark.parametrize("max_broadcast_rows", [1_000_000, 1])
def test_rows_of_images_that_vanished_or_changed_do_not_count(
    features: DataFrame, images: DataFrame, max_broadcast_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "_MAX_BROADCAST_ROWS", max_broadcast_rows)
    listed = images.where("label != 'class 1'").withColumn(
        "length", expr("if(path = 'class 0/000.jpg', length + 1, length)")
    )
    rows = select_current(features, listed)
    assert rows.columns == features.columns
    found = {row["path"] for row in rows.select("path").collect()}
    expected = {row["path"] for row in listed.collect()} - {"class 0/000.jpg"}
    assert found == expected
    assert len(found) == rows.count() == 59


@pytest.mark.parametrize("max_broadcast_rows", [1_000_000, 0])
def test_of_an_image_that_was_featurized_again_the_new_row_counts(
    features: DataFrame, images: DataFrame, max_broadcast_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "_MAX_BROADCAST_ROWS", max_broadcast_rows)
    longer = expr("if(path = 'class 0/000.jpg', length + 1, length)")
    again = features.where("path = 'class 0/000.jpg'").withColumn("length", longer)
    rows = select_current(features.union(again), images.withColumn("length", longer))
    assert rows.count() == 80
    assert [row["length"] for row in rows.where("path = 'class 0/000.jpg'").collect()] == [101]
