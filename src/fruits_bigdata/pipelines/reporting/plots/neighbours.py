"""Some images, and those whose scores are nearest."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any

from fruits_bigdata.pipelines.reporting.plots import style
from fruits_bigdata.pipelines.reporting.plots.style import Plot, count, shown
from fruits_bigdata.pipelines.reporting.samples import Pictures

# Marks that need no colour.
_RIGHT, _WRONG = "\N{CHECK MARK}", "\N{BALLOT X}"


def plot_neighbours(neighbour_examples: Mapping[str, Any], pictures: Pictures) -> Plot:
    """Draw a row for each example: the image and its nearest, with a sign for the right and the wrong label.

    Args:
        neighbour_examples: What `linalg.classes.choose_neighbours` chose.
        pictures: Pixels by path; an image without any is an empty frame.
    """
    examples = neighbour_examples["examples"]
    sampled = count(neighbour_examples["sampled"], "sampled image")
    if not examples:
        return style.nothing_to_show(
            "There are no neighbours to show",
            f"Of {sampled} no two are of the same class.",
        )
    # Rounded down: what is said to be all is all.
    accuracy = math.floor(1000 * neighbour_examples["nearest_label_accuracy"]) / 10
    finding = f"The nearest image has the same label in {accuracy:g} % of {sampled}"
    columns = max(len(example["neighbours"]) for example in examples)
    width = 1.5 * (columns + 1) + 0.3
    figure = style.new_figure(width, 1.72 * len(examples) + 1.0, finding)
    grid = figure.subplots(len(examples), columns + 1, squeeze=False)
    for row, example in zip(grid, examples, strict=True):
        for axes in row:
            axes.set_axis_off()
        _draw(row[0], example, pictures, style.GREY, shown(example["label"], 22))
        for axes, near in zip(row[1:], example["neighbours"], strict=False):
            right = near["label"] == example["label"]
            sign = f"{_RIGHT} same" if right else f"{_WRONG} {shown(near['label'], 18)}"
            colour = style.BLUE if right else style.VERMILION
            _draw(axes, near, pictures, colour, f"{sign}\n{near['distance']:.1f}")
    wrong = neighbour_examples["chosen_for_errors"]
    chosen = (
        f"The first {count(wrong, 'row was', 'rows were')} chosen because they go wrong most; "
        if wrong
        else "No sampled image has a wrong neighbour among its nearest; "
    )
    legend = (
        f"{chosen}left: an image, then its nearest; {_RIGHT}, blue: same label; {_WRONG}, red: another. "
        "Above each: distance of the scores. An empty frame: the image could not be read any more."
    )
    figure.supxlabel(textwrap.fill(legend, int(13 * width)), fontsize=8)
    return figure, finding


def _draw(axes: Any, image: Mapping[str, Any], pictures: Pictures, colour: str, title: str) -> None:
    pixels = pictures.get(image["path"])
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[], xlim=(-0.5, 0.5), ylim=(-0.5, 0.5), aspect="equal")
    if pixels is not None:
        axes.imshow(pixels, extent=(-0.5, 0.5, -0.5, 0.5))
    axes.spines[:].set(color=colour, linewidth=2.5)
    ink = colour if colour != style.GREY else "#222222"
    axes.set_title(title, fontsize=7, color=ink, pad=3, parse_math=False)
