from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import (
    PcaError,
    PcaModel,
    drift,
    explained_variance_ratio,
    fit_pca,
    reconstruction_error,
)
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Correlated, non-negative, like pooled activations."""
    rng = np.random.default_rng(1)
    return np.maximum(rng.normal(size=(300, 15)) @ rng.normal(size=(15, 40)) + 0.5, 0).astype(np.float32)


@pytest.mark.parametrize("n_components", [1, 7, 40, 0.5, 0.95, 0.999])
def test_equals_scikit_learns_full_solver_signs_included(rows, n_components):
    theirs = PCA(n_components, svd_solver="full").fit(rows.astype(np.float64))
    ours = fit_pca(Moments.of(rows), n_components)
    assert ours.n_components_ == theirs.n_components_
    np.testing.assert_allclose(ours.mean_, theirs.mean_, atol=1e-12)
    np.testing.assert_allclose(ours.components_, theirs.components_, atol=1e-9)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, atol=1e-9)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-10)
    np.testing.assert_allclose(ours.transform(rows), theirs.transform(rows.astype(np.float64)), atol=1e-9)


def test_scale_std_equals_a_standard_scaler_before_the_pca(rows):
    # Values that are no binary fractions leave rounding errors where there is no variance.
    constants = np.tile(np.linspace(0.1, 7.7, 30), (len(rows), 1))
    constant = np.hstack([rows, constants])
    # scikit-learn's scaler divides by n, Spark's and ours by n - 1.
    scaled = StandardScaler().fit_transform(constant) * np.sqrt((len(rows) - 1) / len(rows))
    theirs = PCA(5, svd_solver="full").fit(scaled)
    ours = fit_pca(Moments.of(constant), 5, scale="std")
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-9)
    np.testing.assert_allclose(ours.transform(constant), theirs.transform(scaled), atol=1e-8)


def test_the_largest_loading_of_each_component_is_positive(rows):
    components = fit_pca(Moments.of(rows), 10).components_
    assert (components[np.arange(10), np.abs(components).argmax(axis=1)] > 0).all()


def test_numpy_alone_reads_the_file(rows, tmp_path):
    names = [str(i) for i in range(len(rows))]
    summary = FeatureSummary(Moments.of(rows), FeatureSample.of(names, names, rows))
    fitted = fit_pca(summary.moments, 3, scale="std", featurizer="abc")
    model = replace(fitted, summary=summary)
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        assert arrays["components"].shape == (3, 40)
        assert {"mean", "explained_variance", "explained_variance_ratio", "moments_gram"} <= set(arrays)
    back = PcaModel.load(tmp_path / "model.npz")
    assert back.featurizer == "abc"
    assert back.n_samples_ == 300
    assert back.summary is not None
    np.testing.assert_array_equal(back.summary.moments.sum, summary.moments.sum)
    np.testing.assert_array_equal(back.summary.moments.gram, summary.moments.gram)
    np.testing.assert_array_equal(back.explained_variance_, model.explained_variance_)
    np.testing.assert_array_equal(back.explained_variance_ratio_, model.explained_variance_ratio_)
    np.testing.assert_array_equal(back.transform(rows), model.transform(rows))


def test_fewer_images_than_components_says_how_many_there_are(rows):
    with pytest.raises(
        PcaError, match=r"n_components=20 needs at least 20 images with features, and there are 12"
    ):
        fit_pca(Moments.of(rows[:12]), 20)


def test_one_image_has_no_variance_and_none_has_nothing(rows):
    with pytest.raises(PcaError, match="needs at least 2 images with features, and there are 1"):
        fit_pca(Moments.of(rows[:1]), 1)
    with pytest.raises(PcaError, match="No image has features"):
        fit_pca(Moments.of(rows[:0]), 1)


@pytest.mark.parametrize("n", [7, 500, 3_000])
def test_equal_images_have_no_variance(n):
    same = np.tile(np.random.default_rng(n).gamma(1, 1, 40), (n, 1))
    with pytest.raises(PcaError, match=f"all {n} images are equal"):
        fit_pca(Moments.of(same), 3)


@pytest.mark.parametrize("n_components", [0, -1, 1.5, 41])
def test_an_impossible_number_of_components_is_refused(rows, n_components):
    with pytest.raises(PcaError, match="give a whole number from 1 to 40 or a share"):
        fit_pca(Moments.of(rows), n_components)


def test_a_share_of_few_images_keeps_no_component_without_variance(rows):
    for n in range(2, 20):
        assert fit_pca(Moments.of(rows[:n]), np.nextafter(1, 0)).n_components_ <= n


def test_a_share_that_is_reached_exactly_is_not_exceeded():
    cross = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=np.float32)
    assert PCA(0.5, svd_solver="full").fit(cross).n_components_ == 2
    assert fit_pca(Moments.of(cross), 0.5).n_components_ == 2


def test_no_variance_is_negative(rows):
    twice = np.hstack([rows, rows])
    assert (fit_pca(Moments.of(twice), 80).explained_variance_ >= 0).all()


@pytest.mark.parametrize("scale", ["none", "std"])
def test_the_way_back_from_scores_is_scikit_learns(rows, scale):
    model = fit_pca(Moments.of(rows), 7, scale=scale)  # type: ignore[arg-type]
    scaled = (rows.astype(np.float64) - model.mean_) / model.scale_
    theirs = PCA(7, svd_solver="full").fit(scaled)
    expected = theirs.inverse_transform(theirs.transform(scaled)) * model.scale_ + model.mean_
    np.testing.assert_allclose(model.inverse_transform(model.transform(rows)), expected, atol=1e-9)
    assert model.n_features_in_ == 40


@pytest.mark.parametrize("scale", ["none", "std"])
def test_what_a_model_keeps_of_other_rows_is_what_its_scores_give_back(rows, scale):
    model = fit_pca(Moments.of(rows[:100]), 4, scale=scale)  # type: ignore[arg-type]
    others = rows[100:] + 0.3
    moments = Moments.of(others)
    missed = (others - model.inverse_transform(model.transform(others))) / model.scale_
    variance = (others / model.scale_).var(axis=0).sum()
    # Divisors n and n - 1 cancel out.
    error = (missed**2).sum(axis=1).mean() / variance
    assert reconstruction_error(model, moments) == pytest.approx(error, rel=1e-4)
    scores = model.transform(others)
    expected = scores.var(axis=0) / variance
    np.testing.assert_allclose(explained_variance_ratio(model, moments), expected, rtol=1e-4)


def test_a_model_has_not_drifted_from_its_own_rows(rows):
    model = fit_pca(Moments.of(rows), 5, scale="std")
    moments = Moments.of(rows)
    assert drift(model, moments) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(
        explained_variance_ratio(model, moments), model.explained_variance_ratio_, atol=1e-12
    )
    assert reconstruction_error(model, moments) == pytest.approx(1 - model.explained_variance_ratio_.sum())


def test_drift_is_what_better_axes_would_keep_more(rows):
    model = fit_pca(Moments.of(rows[:60]), 5)
    theirs = PCA(5, svd_solver="full").fit(rows.astype(np.float64))
    kept = 1 - reconstruction_error(model, Moments.of(rows))
    expected = 1 - kept / theirs.explained_variance_ratio_.sum()
    assert drift(model, Moments.of(rows)) == pytest.approx(expected, rel=1e-9)
    assert expected > 0.001
    # A mean that moves away off the axes counts too.
    away = np.linalg.svd(model.components_)[2][-1]
    assert drift(model, Moments.of(rows + 5 * away)) > expected + 0.1


def test_a_name_changes_whenever_the_scores_would(rows):
    model = fit_pca(Moments.of(rows), 5, featurizer="a")
    assert fit_pca(Moments.of(rows), 5, featurizer="a").name == model.name
    others = [
        fit_pca(Moments.of(rows), 4, featurizer="a"),
        fit_pca(Moments.of(rows), 5, featurizer="b"),
        fit_pca(Moments.of(rows), 5, scale="std", featurizer="a"),
        replace(model, mean_=model.mean_ + 1e-12),
    ]
    assert model.name not in {other.name for other in others}


def test_a_matrix_of_another_width_is_refused_with_both_shapes():
    model = fit_pca(Moments.of(np.random.default_rng(0).normal(size=(30, 8))), 3)
    with pytest.raises(ValueError, match=r"^The features have the shape \(2, 7\), .* takes \(n, 8\)$"):
        model.transform(np.zeros((2, 7)))
    with pytest.raises(ValueError, match=r"^The scores have the shape \(3,\), .* takes \(n, 3\)$"):
        model.inverse_transform(np.zeros(3))
