"""Spark ML's own PCA, for comparison."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from fruits_bigdata.linalg.pca import PcaError, PcaModel, fix_signs
from fruits_bigdata.spark.session import get_session
from fruits_bigdata.tables.data_files import share_out
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import FEATURES, PCA

# Both solve the same eigenproblem in float64; right ones differ by 1e-13 (benchmarks/pca).
_TOLERANCE = 1e-6


def with_spark_ml(model: PcaModel, features: Table) -> PcaModel:
    """Return `model` with the components and ratios of `pyspark.ml.feature.PCA` on the same features.

    Raises:
        PcaError: Spark ML's ratios are not those of the features: the LAPACK that it brings (netlib, in Java)
            can fail on a singular covariance, which one of fewer images than features is.
    """
    # Imported here, so that only who asks for it waits for it.
    from pyspark.ml import feature
    from pyspark.ml.functions import array_to_vector
    from pyspark.ml.linalg import Vectors
    from pyspark.sql.functions import col

    vectors = _read(features).select(array_to_vector(col(FEATURES)).alias("vector"))
    if not np.all(model.scale_ == 1.0):
        # By the model's own deviations: a StandardScaler would fit them again, in another pass.
        scaler = feature.ElementwiseProduct(
            scalingVec=Vectors.dense(1 / model.scale_), inputCol="vector", outputCol="scaled"
        )
        vectors = scaler.transform(vectors).selectExpr("scaled as vector")
    fitted: Any = feature.PCA(k=model.n_components_, inputCol="vector", outputCol=PCA).fit(vectors)
    ratios = fitted.explainedVariance.toArray()
    if np.abs(ratios - model.explained_variance_ratio_).max() > _TOLERANCE:
        raise PcaError(
            f"Spark ML's {model.n_components_} components explain {ratios.sum():.2%} of the variance, and "
            f"{model.explained_variance_ratio_.sum():.2%} is right: its solver fails on singular "
            f"covariances, as of {model.n_samples_:,} images with {model.n_features_in_:,} features. Give "
            f"pca.solver=moments"
        )
    total = model.explained_variance_[0] / model.explained_variance_ratio_[0]
    return replace(
        model,
        components_=fix_signs(fitted.pc.toArray().T),
        explained_variance_=ratios * total,
        explained_variance_ratio_=ratios,
    )


def _read(features: Table) -> DataFrame:
    """Return the features as a DataFrame that the workers read: Spark needs no way to the storage."""
    session, folder = get_session(), features.folder
    parts = share_out(features.files.values(), 4 * session.sparkContext.defaultParallelism)

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                for file in parts[number]:
                    yield from folder.batches(file, [FEATURES])

    return session.range(0, len(parts), 1, len(parts)).mapInArrow(read, f"{FEATURES} array<float>")
