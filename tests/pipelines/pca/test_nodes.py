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

from fruits_bigdata.feature_files import FeatureFiles
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaError, PcaModel, fit_pca
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.pipelines.pca import nodes
from fruits_bigdata.pipelines.pca.nodes import (
    PcaParameters,
    fit_pca_model,
    project_features,
    summarize_features,
)
from fruits_bigdata.table_source import source_of, without_source

PARAMETERS = PcaParameters(n_components=20, solver="moments", scale="none")


@pytest.fixture(scope="module")
def summary(features: DataFrame, images: DataFrame) -> FeatureSummary:
    return summarize_features(features, images, None)


@pytest.fixture(scope="module")
def pca_model(summary: FeatureSummary, features: DataFrame, images: DataFrame) -> PcaModel:
    return fit(summary, features, images)


def fit(
    summary: FeatureSummary,
    features: DataFrame,
    images: DataFrame,
    before: PcaModel | None = None,
    **changes: object,
) -> PcaModel:
    """Fit with other parameters."""
    return fit_with_report(summary, features, images, before, **changes)[0]


def fit_with_report(
    summary: FeatureSummary,
    features: DataFrame,
    images: DataFrame,
    before: PcaModel | None,
    **changes: object,
) -> tuple[PcaModel, dict[str, object]]:
    parameters = PARAMETERS.model_copy(update=changes)
    rejected = features.limit(0).withColumn("reason", lit(""))
    return fit_pca_model(summary, features, rejected, images, before, parameters)


@pytest.fixture(scope="module")
def scikit_learn(matrix: np.ndarray) -> PCA:
    return PCA(20, svd_solver="full").fit(matrix.astype(np.float64))


def test_moments_are_those_of_all_partitions(summary: FeatureSummary, matrix: np.ndarray) -> None:
    moments = summary.moments
    assert moments.n == len(matrix)
    np.testing.assert_allclose(moments.sum, matrix.astype(np.float64).sum(axis=0), rtol=1e-12)
    expected = matrix.T.astype(np.float64) @ matrix.astype(np.float64)
    np.testing.assert_allclose(moments.gram, expected, rtol=1e-11)


def test_only_current_rows_count(features: DataFrame, images: DataFrame, matrix: np.ndarray) -> None:
    some = summarize_features(features, images.where("label = 'class 2'"), None).moments
    assert some.n == 20
    np.testing.assert_allclose(some.sum, matrix[2::4].astype(np.float64).sum(axis=0), rtol=1e-12)


def test_no_features_have_no_moments(features: DataFrame, images: DataFrame) -> None:
    nothing = summarize_features(features, images.limit(0), None)
    assert nothing.moments.n == 0
    none, no_image = features.limit(0), images.limit(0)
    with pytest.raises(PcaError, match=r"^No image has features$"):
        fit_pca_model(nothing, none, no_image.withColumn("reason", lit("")), no_image, None, PARAMETERS)
    rejected = images.withColumn("reason", concat(lit("damaged: "), "path"))
    with pytest.raises(
        PcaError, match=r"No image has features\. Rejected: 80 damaged \(such as 'class 0/000"
    ):
        fit_pca_model(nothing, none, rejected, images, None, PARAMETERS)


def test_the_model_equals_scikit_learns(pca_model: PcaModel, scikit_learn: PCA) -> None:
    assert pca_model.featurizer == "f1"
    np.testing.assert_allclose(pca_model.components_, scikit_learn.components_, atol=1e-9)
    np.testing.assert_allclose(
        pca_model.explained_variance_ratio_, scikit_learn.explained_variance_ratio_, atol=1e-9
    )


def test_a_share_of_the_variance(
    summary: FeatureSummary, features: DataFrame, images: DataFrame, matrix: np.ndarray
) -> None:
    model = fit(summary, features, images, n_components=0.9)
    assert model.n_components_ == PCA(0.9, svd_solver="full").fit(matrix.astype(np.float64)).n_components_


def test_solver_spark_ml_is_spark_mls_own(
    summary: FeatureSummary, features: DataFrame, images: DataFrame, pca_model: PcaModel
) -> None:
    model = fit(summary, features, images, solver="spark_ml")
    vectors = features.select(array_to_vector("features").alias("v"))
    theirs = SPARK_ML_PCA(k=20, inputCol="v", outputCol="p").fit(vectors)
    np.testing.assert_allclose(
        model.explained_variance_ratio_, theirs.explainedVariance.toArray(), atol=1e-12
    )
    np.testing.assert_allclose(np.abs(model.components_), np.abs(theirs.pc.toArray().T), atol=1e-12)
    np.testing.assert_allclose(model.components_, pca_model.components_, atol=1e-8)
    np.testing.assert_allclose(model.explained_variance_, pca_model.explained_variance_, rtol=1e-8)


def test_solver_spark_ml_scales_too(summary: FeatureSummary, features: DataFrame, images: DataFrame) -> None:
    ours = fit(summary, features, images, scale="std")
    theirs = fit(summary, features, images, scale="std", solver="spark_ml")
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-8)


@pytest.mark.parametrize("scale", ["none", "std"])
def test_scores_are_centred_and_equal_the_models_own(
    features: DataFrame,
    images: DataFrame,
    summary: FeatureSummary,
    no_scores: DataFrame,
    scikit_learn: PCA,
    matrix: np.ndarray,
    scale: str,
) -> None:
    model = fit(summary, features, images, scale=scale)
    assert (model.scale_ == 1).all() == (scale == "none")
    pca = project_features(features, images, model, no_scores)
    assert pca.dtypes == [("path", "string"), ("label", "string"), ("pca", "array<float>")]
    rows = sorted(pca.collect(), key=lambda row: row["path"].rsplit("/")[-1])
    scores = np.array([row["pca"] for row in rows])
    np.testing.assert_allclose(scores, model.transform(matrix), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-4)
    if scale == "none":
        np.testing.assert_allclose(scores, scikit_learn.transform(matrix.astype(np.float64)), atol=1e-4)


def test_only_current_rows_are_projected(
    features: DataFrame, images: DataFrame, pca_model: PcaModel, no_scores: DataFrame
) -> None:
    pca = project_features(features, images.where("label = 'class 3'"), pca_model, no_scores)
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
        {"refit": "sometimes"},
        {"refit_tolerance": 2},
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


def n_rows(rows: DataFrame, files: FeatureFiles | None) -> int:
    """Return the rows of `files` or, if there are none, of `rows`."""
    return rows.count() if files is None else sum(batch.num_rows for batch in files.read_batches(["path"]))


def rows_summed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many rows each summing takes."""
    seen: list[int] = []
    original = nodes._summarize

    def count(rows: DataFrame, files: FeatureFiles | None, share: float) -> FeatureSummary:
        seen.append(n_rows(rows, files))
        return original(rows, files, share)

    monkeypatch.setattr(nodes, "_summarize", count)
    return seen


def test_only_the_rows_of_new_files_are_added_to_the_moments_before(
    store: Callable[[str], DataFrame], images: DataFrame, matrix: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed = rows_summed(monkeypatch)
    stored = store("label in ('class 0', 'class 1')")
    before = summarized(stored, images, None)
    assert before.moments.n == 40
    # Nothing new.
    assert summarized(stored, images, before) is before
    store("label = 'class 2'")
    grown = store("label = 'class 3'")
    after = summarized(grown, images, before)
    assert summed == [40, 40]
    np.testing.assert_allclose(after.moments.gram, Moments.of(matrix).gram, rtol=1e-12)
    paths = [f"class {i % 4}/{i:03d}.jpg" for i in range(80)]
    assert after.sample.paths == FeatureSample.of(paths, paths, matrix).paths
    assert len(after.coverage.files) == 3


def summarized(features: DataFrame, images: DataFrame, before: FeatureSummary | None) -> FeatureSummary:
    """Summarize with the model of a run before whose summary was `before`."""
    model = None if before is None else replace(fit_pca(before.moments, 5, featurizer="f1"), summary=before)
    return summarize_features(features, images, model)


def test_after_a_change_a_removal_or_a_compaction_all_rows_are_summed_anew(
    store: Callable[[str], DataFrame],
    features: DataFrame,
    images: DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = store("true")
    before = summarized(stored, images, None)
    summed = rows_summed(monkeypatch)
    fewer = images.where("path != 'class 0/000.jpg'")
    before = summarized(stored, fewer, before)
    assert summed == [79]
    # The same row is stale as before.
    before = summarized(stored, fewer, before)
    assert summed == [79]
    # Another one.
    summarized(stored, images.where("path != 'class 1/001.jpg'"), before)
    assert summed == [79, 79]
    features.write.parquet(f"{tmp_path}/compacted")
    summarized(features.sparkSession.read.parquet(f"{tmp_path}/compacted"), images, before)
    assert summed == [79, 79, 80]


def test_without_files_all_rows_are_summed(
    features: DataFrame, images: DataFrame, summary: FeatureSummary
) -> None:
    in_memory = features.sparkSession.createDataFrame(features.collect(), features.schema)
    doubled = replace(summary, moments=summary.moments + summary.moments)
    assert summarized(in_memory, images, doubled).moments.n == 80


@pytest.fixture(scope="module")
def shifted(features: DataFrame) -> DataFrame:
    """The features of other fruit: the order of the values is another, and so are the best axes."""
    return features.selectExpr(
        "path", "label", "length", "modified", "featurizer", "reverse(features) features"
    )


def test_axes_are_kept_while_they_are_nearly_the_best(
    summary: FeatureSummary, features: DataFrame, images: DataFrame, shifted: DataFrame
) -> None:
    some = summarize_features(features, images.where("label != 'class 3'"), None)
    before = fit(some, features, images)
    grown, report = fit_with_report(summary, features, images, before, refit_tolerance=1.0)
    assert grown.name == before.name == report["model"]
    assert report["refitted"] is False
    assert 0 < float(str(report["drift"])) < 1
    assert grown.summary is summary
    assert grown.n_samples_ == 60
    # What drifts further than the tolerance is fitted anew.
    anew, report = fit_with_report(summary, features, images, before, refit_tolerance=0.0)
    assert report["refitted"] is True
    assert (report["model"], report["model_before"]) == (anew.name, before.name)
    np.testing.assert_array_equal(anew.components_, fit(summary, features, images).components_)
    other = summarize_features(shifted, images, None)
    assert fit(other, shifted, images, before).name != before.name
    # Unless it is never to be.
    kept, report = fit_with_report(other, shifted, images, before, refit="never")
    assert kept.name == before.name
    assert float(str(report["drift"])) > 0.1


def test_refit_always_fits_anew(summary: FeatureSummary, features: DataFrame, images: DataFrame) -> None:
    some = summarize_features(features, images.where("label != 'class 3'"), None)
    before = fit(some, features, images)
    anew = fit(summary, features, images, before, refit="always", refit_tolerance=1.0)
    np.testing.assert_array_equal(anew.components_, fit(summary, features, images).components_)


@pytest.mark.parametrize("changes", [{"n_components": 5}, {"scale": "std"}])
def test_axes_that_were_not_asked_for_are_not_kept(
    pca_model: PcaModel,
    summary: FeatureSummary,
    features: DataFrame,
    images: DataFrame,
    changes: dict[str, object],
) -> None:
    anew = fit(summary, features, images, pca_model, **changes)
    assert anew.name != pca_model.name
    with pytest.raises(
        PcaError, match=r"refit=never keeps the axes of the model .*give the same, or pca.refit"
    ):
        fit(summary, features, images, pca_model, refit="never", **changes)


def test_axes_of_other_features_are_not_kept(
    pca_model: PcaModel, summary: FeatureSummary, features: DataFrame, images: DataFrame
) -> None:
    others = features.withColumn("featurizer", lit("f2"))
    anew = fit(summary, others, images, pca_model)
    assert anew.featurizer == "f2"
    with pytest.raises(PcaError, match=r"to features of f1, and this run asks for .* has features of f2"):
        fit(summary, others, images, pca_model, refit="never")


def test_scores_of_the_same_model_are_kept_and_only_new_rows_projected(
    store: Callable[[str], DataFrame],
    images: DataFrame,
    no_scores: DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    projected: list[int] = []
    original = nodes._project

    def count(rows: DataFrame, files: FeatureFiles | None, model: PcaModel) -> DataFrame:
        projected.append(n_rows(rows, files))
        return original(rows, files, model)

    monkeypatch.setattr(nodes, "_project", count)
    stored = store("label in ('class 0', 'class 1')")
    model = fit(summarize_features(stored, images, None), stored, images)
    first = project_features(stored, images, model, no_scores)
    assert project_features(stored, images, model, first) is first
    grown = store("label in ('class 2', 'class 3')")
    model = fit(summarize_features(grown, images, model), grown, images, model, refit="never")
    second = project_features(grown, images, model, first)
    assert projected == [40, 40]
    assert source_of(second) != source_of(first)
    alone = {row["path"]: row["pca"] for row in project_features(grown, images, model, no_scores).collect()}
    assert {row["path"]: row["pca"] for row in second.collect()} == alone
    assert second.count() == 80
    # Another model's scores, or those of other rows, are no use.
    projected.clear()
    project_features(grown, images, fit(model.summary, grown, images, n_components=5), second)  # type: ignore[arg-type]
    fewer = images.where("path != 'class 0/000.jpg'")
    less = replace(model, summary=summarize_features(grown, fewer, model))
    assert project_features(grown, fewer, less, second).count() == 79
    project_features(grown, images, model, without_source(second))
    assert projected == [80, 79, 80]
