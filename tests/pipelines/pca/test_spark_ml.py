from dataclasses import replace

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import PCA, PCAModel
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.pipelines.pca.spark_ml import to_spark_ml


@pytest.fixture(scope="module")
def vectors(features: DataFrame) -> DataFrame:
    return features.select("path", array_to_vector("features").alias("features"))


def scores(pipeline: PipelineModel | PCAModel, vectors: DataFrame) -> np.ndarray:
    rows = sorted(pipeline.transform(vectors).collect(), key=lambda row: row["path"].rsplit("/")[-1])
    return np.array([row["pca"].toArray() for row in rows])


@pytest.mark.parametrize("scale", ["none", "std"])
def test_spark_mls_pipeline_gives_the_models_scores(
    spark: SparkSession, vectors: DataFrame, matrix: np.ndarray, scale: str
) -> None:
    model = fit_pca(Moments.of(matrix), 7, scale=scale)  # type: ignore[arg-type]
    pipeline = to_spark_ml(model, spark)
    np.testing.assert_allclose(scores(pipeline, vectors), model.transform(matrix), atol=1e-9)


def test_the_second_stage_is_spark_mls_own_model(
    spark: SparkSession, vectors: DataFrame, matrix: np.ndarray
) -> None:
    model = fit_pca(Moments.of(matrix), 7)
    own = to_spark_ml(model, spark).stages[1]
    assert isinstance(own, PCAModel)
    fitted = PCA(k=7, inputCol="features", outputCol="pca").fit(vectors)
    np.testing.assert_allclose(np.abs(own.pc.toArray()), np.abs(fitted.pc.toArray()), atol=1e-9)
    np.testing.assert_allclose(
        own.explainedVariance.toArray(), fitted.explainedVariance.toArray(), atol=1e-10
    )
    # Alone it does not centre: what its scores have more is a constant.
    own.setInputCol("features")
    more = scores(own, vectors) - model.transform(matrix)
    np.testing.assert_allclose(more, np.tile(model.mean_ @ model.components_.T, (len(matrix), 1)), atol=1e-9)


def test_a_pipeline_can_be_saved_and_loaded(
    spark: SparkSession, vectors: DataFrame, matrix: np.ndarray, tmp_path: object
) -> None:
    model: PcaModel = replace(fit_pca(Moments.of(matrix), 3), featurizer="f1")
    to_spark_ml(model, spark).save(f"file:{tmp_path}/pipeline")
    loaded = PipelineModel.load(f"file:{tmp_path}/pipeline")
    np.testing.assert_allclose(scores(loaded, vectors), model.transform(matrix), atol=1e-9)
