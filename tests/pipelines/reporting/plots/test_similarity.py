from typing import Any

import numpy as np
import pytest

from fruits_bigdata.pipelines.reporting.plots.similarity import plot_class_similarity
from tests.pipelines.reporting.plots.conftest import Draw, title


def quality(n: int, classes: int | None = None) -> dict[str, Any]:
    """n classes, of which the second and the third are the most alike."""
    similarity = np.full((n, n), -0.25) + 1.25 * np.eye(n)
    if n > 2:
        similarity[1, 2] = similarity[2, 1] = 0.875
    labels = [f"class {i}" for i in range(n)]
    return {"classes": classes or n, "labels": labels, "images": [1] * n, "similarity": similarity.tolist()}


@pytest.mark.parametrize("n", [3, 40, 131])
def test_it_names_the_pair_that_is_most_alike_and_every_class(n: int, draw: Draw) -> None:
    figure = plot_class_similarity(quality(n))
    finding = title(figure)
    assert finding == f"Most alike of {n} classes: class 1 and class 2, cosine 0.88"
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"class {i}" for i in range(n)]
    np.testing.assert_array_equal(axes.images[0].get_array(), quality(n)["similarity"])
    said = draw(figure)
    assert said[0].replace("\n", " ") == finding
    assert ("0.88" in said) == (n <= 12)
    # Still readable, and no larger than a screen scrolls.
    assert max(figure.get_size_inches()) <= 15
    assert axes.get_yticklabels()[0].get_fontsize() >= 4


def test_it_says_when_classes_are_left_out() -> None:
    assert title(plot_class_similarity(quality(3, classes=400))).endswith("(the 3 largest are shown)")


def test_one_class_is_said_to_be_one(draw: Draw) -> None:
    figure = plot_class_similarity(quality(1))
    finding = title(figure)
    assert finding == "One class has nothing to be compared with"
    assert any("All images lie in the folder class 0" in text for text in draw(figure))
