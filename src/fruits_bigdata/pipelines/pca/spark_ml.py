"""Spark ML's PCA: its own solver, for comparison, and this project's model for Spark ML's pipelines."""

import uuid
from dataclasses import replace
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel, feature
from pyspark.ml.common import _py2java
from pyspark.ml.functions import array_to_vector
from pyspark.ml.linalg import DenseMatrix, Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col

from fruits_bigdata.linalg.pca import PcaModel, fix_signs
from fruits_bigdata.schemas import FEATURES, PCA


def with_spark_ml(model: PcaModel, features: DataFrame) -> PcaModel:
    """Return `model` with the components and ratios of `pyspark.ml.feature.PCA` on the same features."""
    vectors = features.select(array_to_vector(col(FEATURES)).alias("vector"))
    if not np.all(model.scale_ == 1.0):
        # By the model's own deviations: a StandardScaler would fit them again, in another pass.
        scaler = feature.ElementwiseProduct(
            scalingVec=Vectors.dense(1 / model.scale_), inputCol="vector", outputCol="scaled"
        )
        vectors = scaler.transform(vectors).select(col("scaled").alias("vector"))
    fitted: Any = feature.PCA(k=model.n_components_, inputCol="vector", outputCol=PCA).fit(vectors)
    ratios = fitted.explainedVariance.toArray()
    total = model.explained_variance_[0] / model.explained_variance_ratio_[0]
    return replace(
        model,
        components_=fix_signs(fitted.pc.toArray().T),
        explained_variance_=ratios * total,
        explained_variance_ratio_=ratios,
    )


def to_spark_ml(
    model: PcaModel, session: SparkSession, input_col: str = FEATURES, output_col: str = PCA
) -> PipelineModel:
    """Return `model` as a fitted pipeline of Spark ML, whose scores are those of `model.transform`.

    Spark ML's `PCAModel` alone multiplies and does not centre: its scores are the model's plus the constant
    `mean @ components.T`. So a `StandardScalerModel` that takes off the mean, and divides by the scale, goes
    before it. The second stage is a plain `pyspark.ml.feature.PCAModel`.

    Args:
        model: A model.
        session: The session that the pipeline is for.
        input_col: A column of vectors: `pyspark.ml.functions.array_to_vector` makes them of arrays.
        output_col: The scores, a column of vectors.
    """
    context = session.sparkContext
    java: Any = context._jvm
    centred = f"{input_col}_centred"

    def to_java(value: object) -> Any:
        return _py2java(context, value)

    # The constructors are private to Spark ML's own Scala, and public to Java.
    scaler = feature.StandardScalerModel(
        java.org.apache.spark.ml.feature.StandardScalerModel(
            f"StandardScaler_{uuid.uuid4().hex[:12]}",
            to_java(Vectors.dense(model.scale_)),
            to_java(Vectors.dense(model.mean_)),
        )
    )
    scaler._set(inputCol=input_col, outputCol=centred, withMean=True, withStd=True)
    components = DenseMatrix(model.n_features_in_, model.n_components_, model.components_.ravel().tolist())
    pca = feature.PCAModel(
        java.org.apache.spark.ml.feature.PCAModel(
            f"PCA_{uuid.uuid4().hex[:12]}",
            to_java(components),
            to_java(Vectors.dense(model.explained_variance_ratio_)),
        )
    )
    pca._set(inputCol=centred, outputCol=output_col, k=model.n_components_)
    for stage in (scaler, pca):
        stage._transfer_params_to_java()
    return PipelineModel([scaler, pca])
