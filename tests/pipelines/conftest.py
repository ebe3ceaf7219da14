"""Features as the featurization leaves them, without the cost of computing them."""

from datetime import UTC, datetime

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from fruits_bigdata.schemas import IMAGES_SCHEMA, N_FEATURES, PCA_SCHEMA
from fruits_bigdata.spark_session import empty_table

N_IMAGES = 80


@pytest.fixture(scope="session")
def matrix() -> np.ndarray:
    """Features of 80 images, correlated and non-negative like MobileNetV2's, float32 (80, 1280)."""
    rng = np.random.default_rng(5)
    mixed = rng.normal(size=(N_IMAGES, 30)) @ rng.normal(size=(30, N_FEATURES))
    return np.maximum(mixed + rng.normal(size=mixed.shape), 0).astype(np.float32)


@pytest.fixture(scope="session")
def features(spark: SparkSession, matrix: np.ndarray) -> DataFrame:
    date = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (f"class {i % 4}/{i:03d}.jpg", f"class {i % 4}", 100 + i, date, "f1", row.tolist())
        for i, row in enumerate(matrix)
    ]
    schema = (
        "path string, label string, length long, modified timestamp, featurizer string, features array<float>"
    )
    return spark.createDataFrame(rows, schema).repartition(5).persist()


@pytest.fixture(scope="session")
def images(features: DataFrame) -> DataFrame:
    return features.select(IMAGES_SCHEMA.names)


@pytest.fixture(scope="session")
def no_scores(spark: SparkSession) -> DataFrame:
    """What is published before the first run."""
    return empty_table(spark, PCA_SCHEMA)
