from typing import Any

import numpy as np
import pandas as pd
import pytest

from fruits_bigdata.pipelines.reporting.plots import components
from fruits_bigdata.pipelines.reporting.plots.components import plot_components
from tests.pipelines.reporting.plots.conftest import Draw, title


def places(figure: Any) -> np.ndarray:
    return np.vstack([points.get_offsets() for points in figure.axes[0].collections])


def test_every_point_is_drawn_by_class(points: pd.DataFrame, pca_quality: dict[str, Any], draw: Draw) -> None:
    figure = plot_components(points, pca_quality, {})
    finding = title(figure)
    expected = points[["pc1", "pc2"]].to_numpy()
    np.testing.assert_allclose(np.sort(places(figure), axis=0), np.sort(expected, axis=0))
    ratios = 100 * np.array(pca_quality["explained_variance_ratio"])
    assert finding == f"Two of 12 components show {ratios[:2].sum():.1f} % of the variance of 80 images"
    said = draw(figure)
    assert f"PC2 ({ratios[1]:.1f} % of the variance)" in said
    assert "80 images of 4 classes" in said
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"class {i}" for i in range(4)]


def test_there_are_never_too_many_points_and_many_classes_are_named_in_place(
    points: pd.DataFrame, pca_quality: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "_MAX_POINTS", 30)
    monkeypatch.setattr(components, "_MAX_CLASSES_IN_LEGEND", 3)
    # More classes than colours and markers.
    monkeypatch.setattr(components, "COLOURS", components.COLOURS[:1])
    monkeypatch.setattr(components, "_MARKERS", "os")
    figure = plot_components(points, pca_quality, {})
    assert len(places(figure)) == 30
    assert not figure.legends
    assert {text.get_text() for text in figure.axes[0].texts} == {f"class {i}" for i in range(4)}


def test_pictures_lie_at_their_points_and_not_on_each_other(
    points: pd.DataFrame, pca_quality: dict[str, Any], pixels: np.ndarray, draw: Draw
) -> None:
    pictures = dict.fromkeys(points["path"][5:], pixels)
    figure = plot_components(points, pca_quality, pictures)
    said = draw(figure)
    boxes = list(figure.axes[0].artists)
    at = points.set_index("path")[["pc1", "pc2"]]
    drawn = np.array([box.xy for box in boxes])
    assert 5 < len(boxes) < 75
    assert f"80 images of 4 classes, {len(boxes)} pictures of them" in said
    assert {tuple(place) for place in drawn} <= {tuple(place) for place in at.loc[list(pictures)].to_numpy()}
    apart = np.abs(drawn[:, np.newaxis] - drawn) / np.ptp(at.to_numpy(), axis=0)
    np.fill_diagonal(apart[:, :, 0], 1)
    assert (apart >= [0.05, 0.07]).any(axis=2).all()
    # What is white around the fruit covers no point.
    rgba = boxes[0].offsetbox.get_data()
    assert rgba[0, 0, 3] == 0
    assert rgba[32, 32].tolist() == [200, 30, 30, 255]


@pytest.mark.parametrize("max_in_legend", [40, 1])
def test_labels_are_no_formulas(
    points: pd.DataFrame,
    pca_quality: dict[str, Any],
    max_in_legend: int,
    monkeypatch: pytest.MonkeyPatch,
    draw: Draw,
) -> None:
    monkeypatch.setattr(components, "_MAX_CLASSES_IN_LEGEND", max_in_legend)
    odd = points.replace({"label": {"class 0": "$x^{2$", "class 1": "_u"}})
    figure = plot_components(odd, pca_quality, {})
    draw(figure)
    shown = figure.legends[0].get_texts() if figure.legends else figure.axes[0].texts
    assert {text.get_text() for text in shown} == {"$x^{2$", "_u", "class 2", "class 3"}
