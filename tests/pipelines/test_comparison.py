import pytest
from pyspark.sql import DataFrame
from pyspark.sql.functions import expr, lit

from fruits_bigdata.pipelines.comparison import compare_with_stores, describe_comparison


@pytest.fixture(scope="module")
def rejected(features: DataFrame) -> DataFrame:
    return features.drop("features").withColumn("reason", lit("why")).limit(0)


def test_with_empty_stores_every_image_is_new(
    features: DataFrame, images: DataFrame, rejected: DataFrame
) -> None:
    counts = compare_with_stores(images, features.limit(0), rejected)
    assert counts == {
        "listed": 80,
        "known": 0,
        "rejected_before": 0,
        "changed": 0,
        "new": 80,
        "gone": 0,
        "stored_rows": 0,
        "stale_rows": 0,
    }


def test_each_image_counts_once_and_by_what_is_to_be_done(features: DataFrame, images: DataFrame) -> None:
    # class 0: featurized; class 1: rejected; class 2: changed since, some of them twice; class 3: new, but
    # for three that are stored and no longer listed.
    stored = features.where("label in ('class 0', 'class 2')")
    older = stored.where("label = 'class 2' and path < 'class 2/020.jpg'").withColumn(
        "length", lit(1).cast("long")
    )
    gone = features.where("path in ('class 3/003.jpg', 'class 3/007.jpg')")
    rejected = features.where("label = 'class 1'").drop("features").withColumn("reason", lit("why"))
    rejected_gone = (
        features.where("path = 'class 3/011.jpg'").drop("features").withColumn("reason", lit("why"))
    )
    listed = images.where("path not in ('class 3/003.jpg', 'class 3/007.jpg', 'class 3/011.jpg')").withColumn(
        "length", expr("if(label = 'class 2', length + 1, length)")
    )
    n_older = older.count()
    counts = compare_with_stores(listed, stored.union(older).union(gone), rejected.union(rejected_gone))
    assert n_older > 0
    assert counts == {
        "listed": 77,
        "known": 20,
        "rejected_before": 20,
        "changed": 20,
        "new": 17,
        "gone": 3,
        "stored_rows": 63 + n_older,
        "stale_rows": 23 + n_older,
    }


def test_a_changed_image_that_was_featurized_again_is_known(features: DataFrame, images: DataFrame) -> None:
    rejected = features.drop("features").withColumn("reason", lit("why"))
    changed = features.withColumn("length", features.length + 1)
    counts = compare_with_stores(images, features, rejected.withColumn("length", lit(1).cast("long")))
    assert (counts["known"], counts["changed"], counts["stale_rows"]) == (80, 0, 80)
    counts = compare_with_stores(images, features.union(changed), rejected.limit(0))
    assert (counts["known"], counts["changed"], counts["stale_rows"]) == (80, 0, 80)


def test_the_counts_make_a_sentence() -> None:
    names = ("listed", "known", "rejected_before", "changed", "new", "gone", "stored_rows", "stale_rows")
    said = describe_comparison({name: 1000 * i for i, name in enumerate(names)})
    assert said.startswith(
        "0 images listed: 1,000 featurized before, 2,000 rejected before, 4,000 new, 3,000"
    )
