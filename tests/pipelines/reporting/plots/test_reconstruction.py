from typing import Any

import numpy as np
from matplotlib.colors import to_hex

from fruits_bigdata.pipelines.reporting.plots.reconstruction import plot_reconstruction_error
from fruits_bigdata.pipelines.reporting.plots.style import BLUE, VERMILION
from tests.pipelines.reporting.plots.conftest import Draw, title

OVERALL = {"reconstruction_error": 0.25, "n_components": 12}


def quality(errors: list[float]) -> dict[str, Any]:
    labels, images = zip(*((f"class {i}", 1000 + i) for i in range(len(errors))), strict=True)
    return {"labels": labels, "images": images, "reconstruction_error": errors}


def test_classes_are_in_order_and_those_above_the_mean_stand_out(draw: Draw) -> None:
    figure = plot_reconstruction_error(quality([0.125, 0.5, 0.25]), OVERALL)
    finding = title(figure)
    assert finding == "12 components lose 25.0 % of the variance; worst is class 1 (50.0 %)"
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [50.0, 25.0, 12.5]
    assert [to_hex(bar.get_facecolor()).upper() for bar in axes.patches] == [VERMILION, BLUE, BLUE]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["class 1 (1,001)", "class 2 (1,002)", "class 0 (1,000)"]
    assert "all images: 25.0 %" in draw(figure)


def test_of_many_classes_both_ends_are_shown_and_the_rest_is_counted(draw: Draw) -> None:
    errors = np.random.default_rng(0).permutation(131) / 131
    figure = plot_reconstruction_error(quality(errors.tolist()), OVERALL)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    expected = 100 * np.sort(errors)[::-1]
    np.testing.assert_allclose(widths, [*expected[:20], *expected[-20:]])
    assert "91 classes in between" in draw(figure)
    assert figure.get_size_inches()[1] < 11


def test_one_class_is_said_to_be_the_only_one(draw: Draw) -> None:
    one = OVERALL | {"n_components": 1}
    figure = plot_reconstruction_error(quality([0.5]), one)
    finding = title(figure)
    assert finding == "1 component loses 50.0 % of the variance of the only class, class 0"
    draw(figure)
