from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyspark.ml.feature import PCA as SPARK_ML_PCA
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql.functions import concat, lit
from sklearn.decomposition import PCA

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import Coverage, PcaError, PcaModel, fit_pca
from fruits_bigdata.pipelines.pca import nodes
from fruits_bigdata.pipelines.pca.nodes import PcaParameters, compute_moments, fit_pca_model, project_features

PARAMETERS = PcaParameters(n_components=20, solver="moments", scale="none")


@pytest.fixture(scope="module")
def moments(features: DataFrame, images: DataFrame) -> Moments:
    return compute_moments(features, images, None)[0]


@pytest.fixture(scope="module")
def pca_model(moments: Moments, features: DataFrame, images: DataFrame) -> PcaModel:
    return fit(moments, features, images)


def fit(moments: Moments, features: DataFrame, images: DataFrame, **changes: object) -> PcaModel:
    """Fit with other parameters."""
    parameters = PARAMETERS.model_copy(update=changes)
    return fit_pca_model(moments, Coverage(), features, features.limit(0), images, parameters)


@pytest.fixture(scope="module")
def scikit_learn(matrix: np.ndarray) -> PCA:
    return PCA(20, svd_solver="full").fit(matrix.astype(np.float64))


def test_moments_are_those_of_all_partitions(moments: Moments, matrix: np.ndarray) -> None:
    assert moments.n == len(matrix)
    np.testing.assert_allclose(moments.sum, matrix.astype(np.float64).sum(axis=0), rtol=1e-12)
    expected = matrix.T.astype(np.float64) @ matrix.astype(np.float64)
    np.testing.assert_allclose(moments.gram, expected, rtol=1e-11)


def test_only_current_rows_count(features: DataFrame, images: DataFrame, matrix: np.ndarray) -> None:
    some, _ = compute_moments(features, images.where("label = 'class 2'"), None)
    assert some.n == 20
    np.testing.assert_allclose(some.sum, matrix[2::4].astype(np.float64).sum(axis=0), rtol=1e-12)


def test_no_features_have_no_moments(features: DataFrame, images: DataFrame) -> None:
    nothing, _ = compute_moments(features, images.limit(0), None)
    assert nothing.n == 0
    none, no_image = features.limit(0), images.limit(0)
    with pytest.raises(PcaError, match=r"^No image has features$"):
        fit_pca_model(nothing, Coverage(), none, no_image.withColumn("reason", lit("")), no_image, PARAMETERS)
    rejected = images.withColumn("reason", concat(lit("damaged: "), "path"))
    with pytest.raises(
        PcaError, match=r"No image has features\. Rejected: 80 damaged \(such as 'class 0/000"
    ):
        fit_pca_model(nothing, Coverage(), none, rejected, images, PARAMETERS)


def test_the_model_equals_scikit_learns(pca_model: PcaModel, scikit_learn: PCA) -> None:
    assert pca_model.featurizer == "f1"
    np.testing.assert_allclose(pca_model.components_, scikit_learn.components_, atol=1e-9)
    np.testing.assert_allclose(
        pca_model.explained_variance_ratio_, scikit_learn.explained_variance_ratio_, atol=1e-9
    )


def test_a_share_of_the_variance(
    moments: Moments, features: DataFrame, images: DataFrame, matrix: np.ndarray
) -> None:
    model = fit(moments, features, images, n_components=0.9)
    assert model.n_components_ == PCA(0.9, svd_solver="full").fit(matrix.astype(np.float64)).n_components_


def test_solver_spark_ml_is_spark_mls_own(
    moments: Moments, features: DataFrame, images: DataFrame, pca_model: PcaModel
) -> None:
    model = fit(moments, features, images, solver="spark_ml")
    vectors = features.select(array_to_vector("features").alias("v"))
    theirs = SPARK_ML_PCA(k=20, inputCol="v", outputCol="p").fit(vectors)
    np.testing.assert_allclose(
        model.explained_variance_ratio_, theirs.explainedVariance.toArray(), atol=1e-12
    )
    np.testing.assert_allclose(np.abs(model.components_), np.abs(theirs.pc.toArray().T), atol=1e-12)
    np.testing.assert_allclose(model.components_, pca_model.components_, atol=1e-8)
    np.testing.assert_allclose(model.explained_variance_, pca_model.explained_variance_, rtol=1e-8)


def test_solver_spark_ml_scales_too(moments: Moments, features: DataFrame, images: DataFrame) -> None:
    ours = fit(moments, features, images, scale="std")
    theirs = fit(moments, features, images, scale="std", solver="spark_ml")
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-8)


@pytest.mark.parametrize("scale", ["none", "std"])
def test_scores_are_centred_and_equal_the_models_own(
    features: DataFrame,
    images: DataFrame,
    moments: Moments,
    scikit_learn: PCA,
    matrix: np.ndarray,
    scale: str,
) -> None:
    model = fit(moments, features, images, scale=scale)
    assert (model.scale_ == 1).all() == (scale == "none")
    pca = project_features(features, images, model)
    assert pca.dtypes == [("path", "string"), ("label", "string"), ("pca", "array<float>")]
    rows = sorted(pca.collect(), key=lambda row: row["path"].rsplit("/")[-1])
    scores = np.array([row["pca"] for row in rows])
    np.testing.assert_allclose(scores, model.transform(matrix), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-4)
    if scale == "none":
        np.testing.assert_allclose(scores, scikit_learn.transform(matrix.astype(np.float64)), atol=1e-4)


def test_only_current_rows_are_projected(features: DataFrame, images: DataFrame, pca_model: PcaModel) -> None:
    pca = project_features(features, images.where("label = 'class 3'"), pca_model)
    assert {row["label"] for row in pca.collect()} == {"class 3"}
    assert pca.count() == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"solver": "magic"},
        {"scale": "max"},
        {"n_components": "many"},
        {"n_components": 0},
        {"n_components": 1281},
        {"k": 3},
    ],
)
def test_a_wrong_parameter_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PcaParameters(**(PARAMETERS.model_dump() | wrong))


@pytest.fixture
def store(features: DataFrame, tmp_path: Path) -> Callable[[str], DataFrame]:
    """Appends the rows of a condition to files, and returns all that is there."""

    def append(condition: str) -> DataFrame:
        features.where(condition).coalesce(1).write.mode("append").parquet(f"{tmp_path}/store")
        return features.sparkSession.read.schema(features.schema).parquet(f"{tmp_path}/store")

    return append


def rows_summed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many rows each summing takes."""
    seen: list[int] = []
    original = nodes._sum

    def count(rows: DataFrame) -> Moments:
        seen.append(rows.count())
        return original(rows)

    monkeypatch.setattr(nodes, "_sum", count)
    return seen


def test_only_the_rows_of_new_files_are_added_to_the_moments_before(
    store: Callable[[str], DataFrame], images: DataFrame, matrix: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed = rows_summed(monkeypatch)
    stored = store("label in ('class 0', 'class 1')")
    model = fitted(stored, images, None)
    assert model.moments.n == 40
    # Nothing new.
    moments, coverage = compute_moments(stored, images, model)
    assert (moments, coverage) == (model.moments, model.coverage)
    store("label = 'class 2'")
    grown = store("label = 'class 3'")
    model = fitted(grown, images, model)
    assert summed == [40, 40]
    np.testing.assert_allclose(model.moments.gram, Moments.of(matrix).gram, rtol=1e-12)
    assert len(model.coverage.files) == 3


def fitted(features: DataFrame, images: DataFrame, before: PcaModel | None) -> PcaModel:
    moments, coverage = compute_moments(features, images, before)
    return replace(fit_pca(moments, 5, featurizer="f1"), coverage=coverage)


def test_after_a_change_a_removal_or_a_compaction_all_rows_are_summed_anew(
    store: Callable[[str], DataFrame],
    features: DataFrame,
    images: DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = store("true")
    model = fitted(stored, images, None)
    summed = rows_summed(monkeypatch)
    fewer = images.where("path != 'class 0/000.jpg'")
    model = fitted(stored, fewer, model)
    assert summed == [79]
    # The same row is stale as before.
    model = fitted(stored, fewer, model)
    assert summed == [79]
    # Another one.
    fitted(stored, images.where("path != 'class 1/001.jpg'"), model)
    assert summed == [79, 79]
    features.write.parquet(f"{tmp_path}/compacted")
    fitted(features.sparkSession.read.parquet(f"{tmp_path}/compacted"), images, model)
    assert summed == [79, 79, 80]


def test_without_files_all_rows_are_summed(features: DataFrame, images: DataFrame) -> None:
    model = replace(fit_pca(Moments.of(np.eye(1280)), 5), coverage=Coverage(frozenset(), "0 0"))
    in_memory = features.sparkSession.createDataFrame(features.collect(), features.schema)
    assert compute_moments(in_memory, images, model)[0].n == 80
