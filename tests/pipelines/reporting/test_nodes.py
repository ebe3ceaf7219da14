import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame
from pyspark.sql.functions import concat, lit

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.pipelines.pca.nodes import project_features
from fruits_bigdata.pipelines.reporting import nodes
from fruits_bigdata.pipelines.reporting.nodes import (
    TooManyRejectedError,
    build_metrics,
    check_rejected_share,
    measure_pca_quality,
    plot_components,
    plot_explained_variance,
)
from fruits_bigdata.run_statistics import RunStatistics


def fitted(matrix: np.ndarray, n_components: int) -> PcaModel:
    names = [f"class {i % 4}" for i in range(len(matrix))]
    sample = FeatureSample.of([f"{i}.jpg" for i in range(len(matrix))], names, matrix)
    summary = FeatureSummary(Moments.of(matrix), sample)
    return replace(fit_pca(summary.moments, n_components, featurizer="f1"), summary=summary)


@pytest.fixture(scope="module")
def pca_model(matrix: np.ndarray) -> PcaModel:
    return fitted(matrix, 12)


@pytest.fixture(scope="module")
def pca_quality(pca_model: PcaModel) -> dict[str, Any]:
    return measure_pca_quality(pca_model)


@pytest.fixture(scope="module")
def pca(features: DataFrame, images: DataFrame, pca_model: PcaModel, no_scores: DataFrame) -> DataFrame:
    return project_features(features, images, pca_model, no_scores).persist()


def test_metrics_count_what_is_current(
    features: DataFrame, images: DataFrame, pca_model: PcaModel, pca_quality: dict[str, Any]
) -> None:
    broken = images.where("label = 'class 3'")
    reason = concat(lit("reason "), broken.length % 3, lit(": "), "path")
    rejected = broken.withColumn("featurizer", lit("f1")).withColumn("reason", reason)
    stale = rejected.withColumn("length", rejected.length + 1000)
    statistics = RunStatistics()
    statistics.start("run", "local", {"limit": 3})
    metrics = build_metrics(
        images,
        features.where("label != 'class 3'").union(features.withColumn("length", features.length + 1000)),
        rejected.union(stale),
        {"model": pca_model.name, "refitted": True},
        pca_quality,
        {"listed": 80, "new": 3},
        {"images": 80, "weights_digest": "d"},
        {"pca": 60},
        statistics,
    )
    assert metrics == json.loads(json.dumps(metrics))
    assert metrics["counts"] == {
        "listed": 80,
        "features": 60,
        "rejected": 20,
        "classes": 4,
        "published": {"pca": 60},
    }
    reasons = list(metrics["rejected_by_reason"].items())
    assert sum(n for _, n in reasons) == 20
    assert len(reasons) == 3
    assert reasons == sorted(reasons, key=lambda item: (-item[1], item[0]))
    assert metrics["found"] == {"listed": 80, "new": 3}
    assert metrics["pca"]["n_images"] == 80
    assert metrics["pca"]["model"] == pca_model.name
    assert 0 < metrics["pca"]["neighbour_overlap"] < 1
    assert metrics["featurization"] == {"images": 80, "weights_digest": "d"}
    assert metrics["run"]["parameters"] == {"limit": 3}
    assert metrics["pca"]["explained_variance_ratio_sum"] == pytest.approx(
        sum(metrics["pca"]["explained_variance_ratio"])
    )
    assert len(metrics["pca"]["explained_variance"]) == 12
    assert metrics["versions"]["pyspark"] == metrics["versions"]["spark"]


@pytest.mark.parametrize(
    ("rejected", "images", "fails"), [(0, 0, False), (0, 4, False), (2, 4, False), (3, 4, True), (4, 4, True)]
)
def test_too_many_rejected_images_fail_the_run_with_reasons(rejected: int, images: int, fails: bool) -> None:
    kinds = [
        {"kind": "damaged", "images": rejected, "examples": [{"path": "a/b.jpg", "reason": "damaged: why"}]}
    ]
    statistics = {"images": images, "rejected": rejected, "rejections": kinds}
    if not fails:
        check_rejected_share(statistics, 0.5, {})
        return
    said = (
        f"{rejected} of this run's 4 images were rejected, and max_rejected_share is 0.5: {rejected} damaged"
    )
    with pytest.raises(TooManyRejectedError, match=f"{said} .such as 'a/b.jpg': damaged: why"):
        check_rejected_share(statistics, 0.5, {})


@pytest.mark.parametrize("share", [-0.1, 1.5, "half", True])
def test_a_share_is_a_share(share: object) -> None:
    with pytest.raises(ValueError, match=f"max_rejected_share={share}"):
        check_rejected_share({"images": 1, "rejected": 0, "rejections": []}, share, {})  # type: ignore[arg-type]


def test_the_variance_plot_says_what_was_kept(pca_model: PcaModel, pca_quality: dict[str, Any]) -> None:
    (axes,) = plot_explained_variance(pca_quality).axes
    ratios = 100 * pca_model.explained_variance_ratio_
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], ratios)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), ratios.cumsum())
    assert f"12 components keep {ratios.sum():.1f} %" in axes.get_title()


def test_the_scatter_shows_every_image_by_class(pca: DataFrame, pca_quality: dict[str, Any]) -> None:
    figure = plot_components(pca, pca_quality)
    (axes,) = figure.axes
    shown = np.vstack([points.get_offsets() for points in axes.collections])
    expected = np.array([row["pca"][:2] for row in pca.collect()])
    np.testing.assert_allclose(np.sort(shown, axis=0), np.sort(expected, axis=0), rtol=1e-6)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"class {i}" for i in range(4)]
    assert "80 images of 4 classes" in axes.get_title()


def test_many_images_are_sampled_and_many_classes_are_named_in_place(
    pca: DataFrame, pca_quality: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "_MAX_POINTS", 30)
    monkeypatch.setattr(nodes, "_MAX_CLASSES_IN_LEGEND", 3)
    # More classes than colours and markers.
    monkeypatch.setattr(nodes, "_COLOURS", nodes._COLOURS[:1])
    monkeypatch.setattr(nodes, "_MARKERS", "os")
    figure = plot_components(pca, pca_quality)
    (axes,) = figure.axes
    assert sum(len(points.get_offsets()) for points in axes.collections) == 30
    assert "30 of 80 images" in axes.get_title()
    assert not figure.legends
    assert {text.get_text() for text in axes.texts} == {f"class {i}" for i in range(4)}


@pytest.mark.parametrize("max_in_legend", [40, 1])
def test_labels_are_no_formulas(
    pca: DataFrame, pca_quality: dict[str, Any], max_in_legend: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "_MAX_CLASSES_IN_LEGEND", max_in_legend)
    odd = pca.replace({"class 0": "$x^{2$", "class 1": "_u"}, subset="label")
    figure = plot_components(odd, pca_quality)
    figure.savefig(io.BytesIO())
    shown = figure.legends[0].get_texts() if figure.legends else figure.axes[0].texts
    assert {text.get_text() for text in shown} == {"$x^{2$", "_u", "class 2", "class 3"}


def test_one_component_has_a_plot_too(
    features: DataFrame, images: DataFrame, matrix: np.ndarray, no_scores: DataFrame
) -> None:
    model = fitted(matrix, 1)
    scores = project_features(features, images, model, no_scores)
    (axes,) = plot_components(scores, measure_pca_quality(model)).axes
    assert all((points.get_offsets()[:, 1] == 0).all() for points in axes.collections)


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert nodes._version("no-such-package") is None
