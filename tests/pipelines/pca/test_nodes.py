import numpy as np
import pytest
from pyspark.ml.feature import PCA as SPARK_ML_PCA
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from sklearn.decomposition import PCA

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaError, PcaModel
from fruits_bigdata.pipelines.pca.nodes import PcaParameters, compute_moments, fit_pca_model, project_features

PARAMETERS = PcaParameters(n_components=20, solver="moments", scale="none")


@pytest.fixture(scope="module")
def moments(features: DataFrame, images: DataFrame) -> Moments:
    return compute_moments(features, images)


@pytest.fixture(scope="module")
def pca_model(moments: Moments, features: DataFrame, images: DataFrame) -> PcaModel:
    return fit_pca_model(moments, features, images, PARAMETERS)


@pytest.fixture(scope="module")
def scikit_learn(matrix: np.ndarray) -> PCA:
    return PCA(20, svd_solver="full").fit(matrix.astype(np.float64))


def test_moments_are_those_of_all_partitions(moments: Moments, matrix: np.ndarray) -> None:
    assert moments.n == len(matrix)
    np.testing.assert_allclose(moments.sum, matrix.astype(np.float64).sum(axis=0), rtol=1e-12)
    expected = matrix.T.astype(np.float64) @ matrix.astype(np.float64)
    np.testing.assert_allclose(moments.gram, expected, rtol=1e-11)


def test_only_current_rows_count(features: DataFrame, images: DataFrame, matrix: np.ndarray) -> None:
    some = compute_moments(features, images.where("label = 'class 2'"))
    assert some.n == 20
    np.testing.assert_allclose(some.sum, matrix[2::4].astype(np.float64).sum(axis=0), rtol=1e-12)


def test_no_features_have_no_moments(features: DataFrame, images: DataFrame) -> None:
    nothing = compute_moments(features, images.limit(0))
    assert nothing.n == 0
    with pytest.raises(PcaError, match="No image has features"):
        fit_pca_model(nothing, features, images.limit(0), PARAMETERS)


def test_the_model_equals_scikit_learns(pca_model: PcaModel, scikit_learn: PCA) -> None:
    assert pca_model.featurizer == "f1"
    np.testing.assert_allclose(pca_model.components_, scikit_learn.components_, atol=1e-9)
    np.testing.assert_allclose(
        pca_model.explained_variance_ratio_, scikit_learn.explained_variance_ratio_, atol=1e-9
    )


def test_a_share_of_the_variance(
    moments: Moments, features: DataFrame, images: DataFrame, matrix: np.ndarray
) -> None:
    model = fit_pca_model(moments, features, images, PARAMETERS.model_copy(update={"n_components": 0.9}))
    assert model.n_components_ == PCA(0.9, svd_solver="full").fit(matrix.astype(np.float64)).n_components_


def test_solver_spark_ml_is_spark_mls_own(
    moments: Moments, features: DataFrame, images: DataFrame, pca_model: PcaModel
) -> None:
    model = fit_pca_model(moments, features, images, PARAMETERS.model_copy(update={"solver": "spark_ml"}))
    vectors = features.select(array_to_vector("features").alias("v"))
    theirs = SPARK_ML_PCA(k=20, inputCol="v", outputCol="p").fit(vectors)
    np.testing.assert_allclose(
        model.explained_variance_ratio_, theirs.explainedVariance.toArray(), atol=1e-12
    )
    np.testing.assert_allclose(np.abs(model.components_), np.abs(theirs.pc.toArray().T), atol=1e-12)
    np.testing.assert_allclose(model.components_, pca_model.components_, atol=1e-8)
    np.testing.assert_allclose(model.explained_variance_, pca_model.explained_variance_, rtol=1e-8)


def test_solver_spark_ml_scales_too(moments: Moments, features: DataFrame, images: DataFrame) -> None:
    scaled = PARAMETERS.model_copy(update={"scale": "std"})
    ours = fit_pca_model(moments, features, images, scaled)
    theirs = fit_pca_model(moments, features, images, scaled.model_copy(update={"solver": "spark_ml"}))
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
    model = fit_pca_model(moments, features, images, PARAMETERS.model_copy(update={"scale": scale}))
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
