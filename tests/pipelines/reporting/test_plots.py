"""The pictures of the report: what is drawn, and that each says it."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from fruits_bigdata.pipelines.reporting.plots import components
from fruits_bigdata.pipelines.reporting.plots.components import plot_components
from fruits_bigdata.pipelines.reporting.plots.neighbours import plot_neighbours
from fruits_bigdata.pipelines.reporting.plots.reconstruction import plot_reconstruction_error
from fruits_bigdata.pipelines.reporting.plots.rejections import plot_rejections
from fruits_bigdata.pipelines.reporting.plots.similarity import plot_class_similarity
from fruits_bigdata.pipelines.reporting.plots.stages import plot_stages
from fruits_bigdata.pipelines.reporting.plots.style import BLUE, GREY, VERMILION
from fruits_bigdata.pipelines.reporting.plots.throughput import plot_throughput
from fruits_bigdata.pipelines.reporting.plots.variance import plot_explained_variance
from tests.pipelines.reporting.conftest import points_of


@pytest.fixture(scope="session")
def points(pca_model) -> pd.DataFrame:
    return points_of(pca_model)


@pytest.fixture(scope="session")
def draw() -> Callable[[Any], list[str]]:
    """Draw a figure as the catalog does, with every text inside it, and return the texts, the title first."""

    def drawn(figure: Any) -> list[str]:
        figure.savefig(io.BytesIO(), dpi=figure.dpi)
        room = figure.bbox.padded(2)
        # Of ticks beyond the axes' ends there are labels, too, which are not drawn.
        ticks = {
            label for axes in figure.axes for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]
        }
        for text in figure.findobj(Text):
            box = text.get_window_extent()
            is_inside = room.contains(*box.min) and room.contains(*box.max)
            assert is_inside or not text.get_text() or text in ticks, text.get_text()
        return [figure.get_suptitle(), *(text.get_text() for text in figure.findobj(Text))]

    return drawn


def title(figure: Any) -> str:
    """Return the finding that a figure shows, on one line."""
    return str(figure.get_suptitle()).replace("\n", " ")


@pytest.fixture
def pixels() -> np.ndarray:
    """A red disc on white, uint8 (64, 64, 3)."""
    y, x = np.mgrid[:64, :64] - 31.5
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[x**2 + y**2 < 25**2] = (200, 30, 30)
    return picture


def places(figure: Any) -> np.ndarray:
    return np.vstack([points.get_offsets() for points in figure.axes[0].collections])


def test_every_point_is_drawn_by_class(points, pca_quality, draw):
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
    points, pca_quality, monkeypatch
):
    monkeypatch.setattr(components, "_MAX_POINTS", 30)
    monkeypatch.setattr(components, "_MAX_CLASSES_IN_LEGEND", 3)
    # More classes than colours and markers.
    monkeypatch.setattr(components, "COLOURS", components.COLOURS[:1])
    monkeypatch.setattr(components, "_MARKERS", "os")
    figure = plot_components(points, pca_quality, {})
    assert len(places(figure)) == 30
    assert not figure.legends
    assert {text.get_text() for text in figure.axes[0].texts} == {f"class {i}" for i in range(4)}


def test_pictures_lie_at_their_points_and_not_on_each_other(points, pca_quality, pixels, draw):
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
def test_labels_are_no_formulas(points, pca_quality, max_in_legend, monkeypatch, draw):
    monkeypatch.setattr(components, "_MAX_CLASSES_IN_LEGEND", max_in_legend)
    odd = points.replace({"label": {"class 0": "$x^{2$", "class 1": "_u"}})
    figure = plot_components(odd, pca_quality, {})
    draw(figure)
    shown = figure.legends[0].get_texts() if figure.legends else figure.axes[0].texts
    assert {text.get_text() for text in shown} == {"$x^{2$", "_u", "class 2", "class 3"}


def test_it_says_what_was_kept_and_what_more_would_keep(pca_model, pca_quality, draw):
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


def test_the_share_that_is_not_reached_is_named_with_what_it_takes(pca_quality):
    needed = {"80": 9, "90": 40, "95": 51, "99": 63}
    quality = pca_quality | {"explained_variance_ratio": [0.5, 0.35], "components_for": needed}
    assert title(plot_explained_variance(quality)).endswith("; 90 % would take 40")
    quality = pca_quality | {"explained_variance_ratio": [0.995], "components_for": needed}
    assert title(plot_explained_variance(quality)) == "1 component keeps 99.5 % of the variance"


def similarities(n: int, classes: int | None = None) -> dict[str, Any]:
    """n classes, of which the second and the third are the most alike."""
    similarity = np.full((n, n), -0.25) + 1.25 * np.eye(n)
    if n > 2:
        similarity[1, 2] = similarity[2, 1] = 0.875
    labels = [f"class {i}" for i in range(n)]
    return {"classes": classes or n, "labels": labels, "images": [1] * n, "similarity": similarity.tolist()}


@pytest.mark.parametrize("n", [3, 40, 131])
def test_it_names_the_pair_that_is_most_alike_and_every_class(n, draw):
    figure = plot_class_similarity(similarities(n))
    finding = title(figure)
    assert finding == f"Most alike of {n} classes: class 1 and class 2, cosine 0.88"
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"class {i}" for i in range(n)]
    np.testing.assert_array_equal(axes.images[0].get_array(), similarities(n)["similarity"])
    said = draw(figure)
    assert said[0].replace("\n", " ") == finding
    assert ("0.88" in said) == (n <= 12)
    # Still readable, and no larger than a screen scrolls.
    assert max(figure.get_size_inches()) <= 15
    assert axes.get_yticklabels()[0].get_fontsize() >= 4


def test_it_says_when_classes_are_left_out():
    assert title(plot_class_similarity(similarities(3, classes=400))).endswith("(the 3 largest are shown)")


def test_one_class_is_said_to_be_one(draw):
    figure = plot_class_similarity(similarities(1))
    finding = title(figure)
    assert finding == "One class has nothing to be compared with"
    assert any("All images lie in the folder class 0" in text for text in draw(figure))


OVERALL = {"reconstruction_error": 0.25, "n_components": 12}


def errors_of(errors: list[float]) -> dict[str, Any]:
    labels, images = zip(*((f"class {i}", 1000 + i) for i in range(len(errors))), strict=True)
    return {"labels": labels, "images": images, "reconstruction_error": errors}


def test_classes_are_in_order_and_those_above_the_mean_stand_out(draw):
    figure = plot_reconstruction_error(errors_of([0.125, 0.5, 0.25]), OVERALL)
    finding = title(figure)
    assert finding == "12 components lose 25.0 % of the variance; worst is class 1 (50.0 %)"
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [50.0, 25.0, 12.5]
    assert [to_hex(bar.get_facecolor()).upper() for bar in axes.patches] == [VERMILION, BLUE, BLUE]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["class 1 (1,001)", "class 2 (1,002)", "class 0 (1,000)"]
    assert "all images: 25.0 %" in draw(figure)


def test_of_many_classes_both_ends_are_shown_and_the_rest_is_counted(draw):
    errors = np.random.default_rng(0).permutation(131) / 131
    figure = plot_reconstruction_error(errors_of(errors.tolist()), OVERALL)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    expected = 100 * np.sort(errors)[::-1]
    np.testing.assert_allclose(widths, [*expected[:20], *expected[-20:]])
    assert "91 classes in between" in draw(figure)
    assert figure.get_size_inches()[1] < 11


def test_one_class_is_said_to_be_the_only_one(draw):
    one = OVERALL | {"n_components": 1}
    figure = plot_reconstruction_error(errors_of([0.5]), one)
    finding = title(figure)
    assert finding == "1 component loses 50.0 % of the variance of the only class, class 0"
    draw(figure)


NEAR_1 = [
    {"path": "a/2.jpg", "label": "$a^{", "distance": 1.25},
    {"path": "b/1.jpg", "label": "_b", "distance": 7.0},
]
NEAR_2 = [{"path": "b/3.jpg", "label": "_b", "distance": 2.0}]
EXAMPLES = {
    "sampled": 40,
    "nearest_label_accuracy": 0.9999,
    "chosen_for_errors": 1,
    "examples": [
        {"path": "a/1.jpg", "label": "$a^{", "neighbours": NEAR_1},
        {"path": "b/2.jpg", "label": "_b", "neighbours": NEAR_2},
    ],
}


def test_right_and_wrong_neighbours_are_marked_without_and_with_colour(pixels, draw):
    figure = plot_neighbours(EXAMPLES, {"a/1.jpg": pixels, "b/1.jpg": pixels})
    finding = title(figure)
    # Rounded down: not all of them have.
    assert finding == "The nearest image has the same label in 99.9 % of 40 sampled images"
    (axes,) = figure.axes
    titles = ["$a^{", "\u2713 same\n1.2", "\u2717 _b\n7.0", "_b", "\u2713 same\n2.0"]
    assert [text.get_text() for text in axes.texts] == titles
    colours = [to_hex(frame.get_edgecolor()).upper() for frame in axes.patches]
    assert colours == [GREY, BLUE, VERMILION, GREY, BLUE]
    # A picture that could not be read is an empty frame.
    pictured = {tuple(image.get_extent()[:2]) for image in axes.images}
    frames = [(frame.get_x(), frame.get_x() + frame.get_width()) for frame in axes.patches]
    assert pictured == {frames[0], frames[2]}
    assert any("The first 1 row was chosen because" in text for text in draw(figure))


def test_images_of_which_no_two_share_a_label_have_no_right_neighbours(draw):
    figure = plot_neighbours({"sampled": 3, "nearest_label_accuracy": None, "examples": []}, {})
    finding = title(figure)
    assert finding == "There are no neighbours to show"
    assert "Of 3 sampled images no two are of the same class." in draw(figure)


def stored_rejections(n: int) -> Any:
    return SimpleNamespace(rows=n)


def kinds(n: int) -> list[dict[str, Any]]:
    example = {"path": "$a^{/1.jpg", "reason": "reason: $in {words"}
    return [{"kind": f"reason {i}", "images": n - i, "examples": [example]} for i in range(n)]


def test_reasons_are_counted_with_an_example_of_each(draw):
    figure = plot_rejections(kinds(3), stored_rejections(20))
    finding = title(figure)
    assert finding == "6 of 20 images rejected (30.0 %), most often reason 0"
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [3, 2, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["reason 0", "reason 1", "reason 2"]
    assert "such as $a^{/1.jpg: reason: $in {words" in draw(figure)


def test_a_reason_of_more_than_half_is_most_of_them_and_the_only_one_that_of_all():
    assert (
        title(plot_rejections(kinds(2), stored_rejections(20)))
        == "3 of 20 images rejected (15.0 %), most of them reason 0"
    )
    assert (
        title(plot_rejections(kinds(1), stored_rejections(20)))
        == "1 of 20 images rejected (5.0 %), all of them reason 0"
    )


def test_rare_reasons_are_counted_together(draw):
    figure = plot_rejections(kinds(15), stored_rejections(200))
    assert len(figure.axes[0].patches) == 12
    assert "images; 3 rarer reasons not shown" in draw(figure)


@pytest.mark.parametrize("listed", [0, 1, 6050])
def test_that_none_was_rejected_is_said(listed, draw):
    figure = plot_rejections([], stored_rejections(listed))
    finding = title(figure)
    assert finding.startswith("None of ")
    assert "Every listed image could be read, decoded and featurized." in draw(figure)


def statistics_of(n_hosts: int) -> dict[str, Any]:
    hosts = [
        {"host": f"host {i}", "images": 30 * (i + 1), "images_per_second": [5.0 * (i + 1), 10.0 * (i + 1)]}
        for i in range(n_hosts)
    ]
    timeline = {"seconds_per_step": 2, "starts": [0, 2], "hosts": hosts}
    return {"images": sum(host["images"] for host in hosts), "seconds": 4.5, "timeline": timeline}


def test_hosts_are_stacked_over_time_and_counted(draw):
    figure = plot_throughput(statistics_of(3))
    finding = title(figure)
    assert finding == "180 images in 4.5 s: 40 images/s on 3 hosts"
    over_time, by_host = figure.axes
    tops = [stairs.get_data().values.tolist() for stairs in over_time.patches]
    # The one with most images lies below the others, and the last is the outline of all.
    assert tops == [[15, 30], [25, 50], [30, 60], [30, 60]]
    np.testing.assert_array_equal(over_time.patches[0].get_data().edges, [0, 2, 4])
    assert [bar.get_height() for bar in by_host.patches] == [90, 60, 30]
    said = draw(figure)
    assert {"host 2", "host 1", "host 0", "90", "images/s", "images by host"} <= set(said)
    assert [label.get_text() for label in by_host.get_xticklabels()] == ["host 2", "host 1", "host 0"]


def test_hosts_beyond_the_palette_are_added_up(draw):
    figure = plot_throughput(statistics_of(20))
    finding = title(figure)
    over_time, by_host = figure.axes
    assert finding.endswith("on 20 hosts")
    assert [bar.get_height() for bar in by_host.patches][-1] == 30 * sum(range(1, 14))
    assert over_time.patches[-1].get_data().values.tolist() == [5 * 210, 10 * 210]
    assert "13 others" in draw(figure)


def test_that_nothing_was_featurized_is_said(draw):
    nothing = {"images": 0, "seconds": 0.0, "timeline": {"seconds_per_step": 1, "starts": [], "hosts": []}}
    figure = plot_throughput(nothing)
    finding = title(figure)
    assert finding == "No image was featurized in this run"
    assert len(draw(figure)) > 1


def test_the_seconds_of_each_stage_are_in_order_and_the_rest_is_between(draw):
    run = {"seconds": 20.0, "seconds_by_stage": {"loading": 1.0, "featurization": 12.0, "pca": 3.0}}
    figure = plot_stages({"run": run})
    finding = title(figure)
    assert finding == "Featurization took 60 % of the run's 20 s"
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [12, 3, 1, 4]
    said = draw(figure)
    assert {"12.0 s (60 %)", "4.0 s (20 %)"} <= set(said)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["featurization", "pca", "loading", "starting, and between nodes"]
