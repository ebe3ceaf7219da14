import logging
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import array, lit

from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.pipelines.plan.nodes import plan_run


def as_table(spark: SparkSession, listing: pa.Table) -> DataFrame:
    return spark.createDataFrame(listing.to_pandas())


def test_a_plan_says_what_a_run_would_do(
    spark: SparkSession,
    image_folder: ImageFolder,
    images_path: Path,
    listing: pa.Table,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored = as_table(spark, listing).withColumn("featurizer", lit("f"))
    features = stored.where("label = 'Apple Red'").withColumn("features", array(lit(0.0).cast("float")))
    rejected = stored.where("path = 'Café crème/0_100.jpg'").withColumn("reason", lit("why"))
    (images_path / "Apple Red" / "0_100.jpg").unlink()
    (images_path / "Apple Red" / "1_100.jpg").write_bytes(b"another")
    with caplog.at_level(logging.INFO):
        plan = plan_run(image_folder, features, rejected, None, False)
    assert plan == {
        "listed": 5,
        "known": 1,
        "rejected_before": 1,
        "changed": 1,
        "new": 2,
        "gone": 1,
        "stored_rows": 4,
        "stale_rows": 2,
        "to_featurize": 3,
    }
    assert "would featurize 3 images, 0 of them rejected before; 2 of 4 stored rows" in caplog.text
    assert plan_run(image_folder, features, rejected, None, True)["to_featurize"] == 4
    assert plan_run(image_folder, features, rejected, 2, True)["listed"] == 2
