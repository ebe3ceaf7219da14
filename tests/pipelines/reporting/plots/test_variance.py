from typing import Any

import numpy as np

from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.pipelines.reporting.plots.variance import plot_explained_variance
from tests.pipelines.reporting.plots.conftest import Draw, title


def test_it_says_what_was_kept_and_what_more_would_keep(
    pca_model: PcaModel, pca_quality: dict[str, Any], draw: Draw
) -> None:
    figure = plot_explained_variance(pca_quality)
    finding = title(figure)
    (axes,) = figure.axes
    ratios = 100 * pca_model.explained_variance_ratio_
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], ratios)
    np.testing.assert_allclose(lines["all up to this one"].get_ydata(), ratios.cumsum())
    more = lines["with more components"]
    np.testing.assert_array_equal(more.get_xdata(), range(13, 19))
    assert finding.startswith(f"12 components keep {ratios.sum():.1f} % of the variance; ")
    said = draw(figure)
    assert said[0].replace("\n", " ") == finding
    assert f"k = 12: {ratios.sum():.1f} %" in said
    assert "component, of a PCA of 80 images with 1,280 features each" in said


def test_the_share_that_is_not_reached_is_named_with_what_it_takes(pca_quality: dict[str, Any]) -> None:
    needed = {"80": 9, "90": 40, "95": 51, "99": 63}
    quality = pca_quality | {"explained_variance_ratio": [0.5, 0.35], "components_for": needed}
    assert title(plot_explained_variance(quality)).endswith("; 90 % would take 40")
    quality = pca_quality | {"explained_variance_ratio": [0.995], "components_for": needed}
    assert title(plot_explained_variance(quality)) == "1 component keeps 99.5 % of the variance"
