import numpy as np
from matplotlib.colors import to_hex

from fruits_bigdata.pipelines.reporting.plots.neighbours import plot_neighbours
from fruits_bigdata.pipelines.reporting.plots.style import BLUE, GREY, VERMILION
from tests.pipelines.reporting.plots.conftest import Draw, title

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


def test_right_and_wrong_neighbours_are_marked_without_and_with_colour(
    pixels: np.ndarray, draw: Draw
) -> None:
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


def test_images_of_which_no_two_share_a_label_have_no_right_neighbours(draw: Draw) -> None:
    figure = plot_neighbours({"sampled": 3, "nearest_label_accuracy": None, "examples": []}, {})
    finding = title(figure)
    assert finding == "There are no neighbours to show"
    assert "Of 3 sampled images no two are of the same class." in draw(figure)
