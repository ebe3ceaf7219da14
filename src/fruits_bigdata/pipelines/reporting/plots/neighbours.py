"""Some images, and those whose scores are nearest."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any

from fruits_bigdata.pipelines.reporting.plots import style
from fruits_bigdata.pipelines.reporting.plots.style import count, shown
from fruits_bigdata.pipelines.reporting.samples import Pictures

# Marks that need no colour.
_RIGHT, _WRONG = "\N{CHECK MARK}", "\N{BALLOT X}"


def find_neighbours(neighbour_examples: Mapping[str, Any]) -> str:
    """Say how often the nearest image has the same label."""
    if not neighbour_examples["examples"]:
        return "There are no neighbours to show"
    # Rounded down: what is said to be all is all.
    accuracy = math.floor(1000 * neighbour_examples["nearest_label_accuracy"]) / 10
    sampled = count(neighbour_examples["sampled"], "sampled image")
    return f"The nearest image has the same label in {accuracy:g} % of {sampled}"


def plot_neighbours(neighbour_examples: Mapping[str, Any], pictures: Pictures) -> Any:
    """Draw a row for each example: the image and its nearest, with a sign for the right and the wrong label.

    Args:
        neighbour_examples: What `linalg.classes.choose_neighbours` chose.
        pictures: Pixels by path; an image without any is an empty frame.
    """
    examples = neighbour_examples["examples"]
    finding = find_neighbours(neighbour_examples)
    if not examples:
        sampled = count(neighbour_examples["sampled"], "sampled image")
        return style.nothing_to_show(finding, f"Of {sampled} no two are of the same class.")
    columns = 1 + max(len(example["neighbours"]) for example in examples)
    width = 1.5 * columns + 0.3
    figure = style.new_figure(width, 1.72 * len(examples) + 1.0, finding)
    # One for all: an axes for each picture would take seconds.
    axes = figure.subplots()
    axes.set(xlim=(0, columns), ylim=(len(examples), 0), aspect=1.15)
    axes.set_axis_off()
    for row, example in enumerate(examples):
        _draw(axes, (0, row), example, pictures, style.GREY, shown(example["label"], 22))
        for column, near in enumerate(example["neighbours"], 1):
            right = near["label"] == example["label"]
            sign = f"{_RIGHT} same" if right else f"{_WRONG} {shown(near['label'], 18)}"
            colour = style.BLUE if right else style.VERMILION
            _draw(axes, (column, row), near, pictures, colour, f"{sign}\n{near['distance']:.1f}")
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
    return figure


def _draw(
    axes: Any, place: tuple[int, int], image: Mapping[str, Any], pictures: Pictures, colour: str, title: str
) -> None:
    from matplotlib.patches import Rectangle

    left, top = place[0] + 0.08, place[1] + 0.2
    width, height = 0.84, 0.75
    pixels = pictures.get(image["path"])
    if pixels is not None:
        # Its own aspect would become that of the axes.
        axes.imshow(pixels, extent=(left, left + width, top + height, top), aspect="auto")
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=colour, linewidth=2.5))
    ink = colour if colour != style.GREY else "#222222"
    centre = left + width / 2
    axes.text(centre, top - 0.03, title, ha="center", va="bottom", fontsize=7, color=ink, parse_math=False)
