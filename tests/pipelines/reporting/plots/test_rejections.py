from types import SimpleNamespace
from typing import Any

import pytest

from fruits_bigdata.pipelines.reporting.plots.rejections import plot_rejections
from tests.pipelines.reporting.plots.conftest import Draw, title


def listing(n: int) -> Any:
    return SimpleNamespace(rows=n)


def kinds(n: int) -> list[dict[str, Any]]:
    example = {"path": "$a^{/1.jpg", "reason": "reason: $in {words"}
    return [{"kind": f"reason {i}", "images": n - i, "examples": [example]} for i in range(n)]


def test_reasons_are_counted_with_an_example_of_each(draw: Draw) -> None:
    figure = plot_rejections(kinds(3), listing(20))
    finding = title(figure)
    assert finding == "6 of 20 images rejected (30.0 %), most often reason 0"
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [3, 2, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["reason 0", "reason 1", "reason 2"]
    assert "such as $a^{/1.jpg: reason: $in {words" in draw(figure)


def test_a_reason_of_more_than_half_is_most_of_them_and_the_only_one_that_of_all() -> None:
    assert (
        title(plot_rejections(kinds(2), listing(20)))
        == "3 of 20 images rejected (15.0 %), most of them reason 0"
    )
    assert (
        title(plot_rejections(kinds(1), listing(20)))
        == "1 of 20 images rejected (5.0 %), all of them reason 0"
    )


def test_rare_reasons_are_counted_together(draw: Draw) -> None:
    figure = plot_rejections(kinds(15), listing(200))
    assert len(figure.axes[0].patches) == 12
    assert "images; 3 rarer reasons not shown" in draw(figure)


@pytest.mark.parametrize("listed", [0, 1, 6050])
def test_that_none_was_rejected_is_said(listed: int, draw: Draw) -> None:
    figure = plot_rejections([], listing(listed))
    finding = title(figure)
    assert finding.startswith("None of ")
    assert "Every listed image could be read, decoded and featurized." in draw(figure)
