"""Nodes of the PCA pipeline."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, field_validator
from pyspark.sql import DataFrame
from pyspark.sql.functions import col
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import (
    Coverage,
    PcaError,
    PcaModel,
    Scale,
    check_n_components,
    fit_pca,
    fix_signs,
)
from fruits_bigdata.pipelines.current import fingerprint_stale, select_current
from fruits_bigdata.pipelines.pca.batches import PARTIAL_SCHEMA, project_batches, sum_moments
from fruits_bigdata.pipelines.rejections import count_rejections, describe_rejections
from fruits_bigdata.schemas import FEATURES, FEATURIZER, LABEL, N_FEATURES, PATH, PCA, PCA_SCHEMA

# A partial is 13 MB; so many of them fit the driver's spark.driver.maxResultSize.
_MAX_PARTIALS = 32

logger = logging.getLogger(__name__)


class PcaParameters(BaseModel):
    """Parameters of the PCA.

    Attributes:
        n_components: A number of components or a share of the variance, as in scikit-learn.
        solver: "moments", or "spark_ml" for Spark ML's own components, for comparison.
        scale: "std" divides each feature by its standard deviation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_components: int | float
    solver: Literal["moments", "spark_ml"]
    scale: Scale

    @field_validator("n_components")
    @classmethod
    def _is_possible(cls, n_components: int | float) -> int | float:
        check_n_components(n_components, N_FEATURES)
        return n_components


def compute_moments(
    features: DataFrame, images: DataFrame, pca_model: PcaModel | None
) -> tuple[Moments, Coverage]:
    """Sum up count, sum and Gram matrix of the current features, partition by partition.

    Args:
        features: The store.
        images: The listing.
        pca_model: The model of the run before. If the files that its moments cover are all there, with the
            same rows in them that do not count, only the rows of other files are added to them.

    Returns:
        The moments, and what they cover.
    """
    coverage = Coverage(
        frozenset(map(_file_name, features.inputFiles())), fingerprint_stale(features, images)
    )
    before = None if pca_model is None else pca_model.coverage
    if (
        not before
        or not before.files
        or not before.files <= coverage.files
        or before.left_out != coverage.left_out
    ):
        return _sum(select_current(features, images)), coverage
    assert pca_model is not None
    added = coverage.files - before.files
    if not added:
        logger.info("The moments of the model before cover all %s rows", f"{pca_model.moments.n:,}")
        return pca_model.moments, coverage
    rows = features.where(col("_metadata.file_name").isin(sorted(added)))
    moments = _sum(rows)
    logger.info("Added %s rows to the moments of %s", f"{moments.n:,}", f"{pca_model.moments.n:,}")
    return pca_model.moments + moments, coverage


def _file_name(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def _sum(rows: DataFrame) -> Moments:
    rows = rows.select(FEATURES).coalesce(_MAX_PARTIALS)
    partials = rows.mapInArrow(sum_moments, from_arrow_schema(PARTIAL_SCHEMA)).toLocalIterator(
        prefetchPartitions=True
    )
    return reduce(Moments.__add__, (Moments.from_bytes(row[0]) for row in partials), Moments.zero(N_FEATURES))


def fit_pca_model(
    moments: Moments,
    coverage: Coverage,
    features: DataFrame,
    rejected: DataFrame,
    images: DataFrame,
    parameters: PcaParameters,
) -> PcaModel:
    """Fit the PCA of the current features.

    Raises:
        PcaError: Fewer images than components, or no variance; if images were rejected, it says why.
    """
    stored = features.select(FEATURIZER).first()
    featurizer = "" if stored is None else stored[FEATURIZER]
    try:
        model = fit_pca(moments, parameters.n_components, parameters.scale, featurizer)
    except PcaError as error:
        rejections = count_rejections(select_current(rejected, images))
        why = f". Rejected: {describe_rejections(rejections)}" if rejections else ""
        raise PcaError(f"{error}{why}") from error
    if parameters.solver == "spark_ml":
        model = _with_spark_ml(model, select_current(features, images))
    model = replace(model, coverage=coverage)
    logger.info(
        "%d components explain %.2f %% of the variance of %s images (solver: %s)",
        model.n_components_,
        100 * model.explained_variance_ratio_.sum(),
        f"{moments.n:,}",
        parameters.solver,
    )
    return model


def project_features(features: DataFrame, images: DataFrame, pca_model: PcaModel) -> DataFrame:
    """Project the current features onto the components: rows of `schemas.PCA_SCHEMA`, centred scores."""
    rotation = (pca_model.components_ / pca_model.scale_).T
    model = features.sparkSession.sparkContext.broadcast((pca_model.mean_, rotation))

    def project(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return project_batches(batches, *model.value)

    rows = select_current(features, images).select(PATH, LABEL, FEATURES)
    return rows.mapInArrow(project, from_arrow_schema(PCA_SCHEMA))


def _with_spark_ml(model: PcaModel, features: DataFrame) -> PcaModel:
    """Return `model` with the components and ratios of `pyspark.ml.feature.PCA` on the same features."""
    from pyspark.ml import feature
    from pyspark.ml.functions import array_to_vector
    from pyspark.ml.linalg import Vectors

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
