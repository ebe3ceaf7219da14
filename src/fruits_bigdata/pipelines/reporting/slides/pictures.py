"""Pictures on slides: the run's images, the plane of the first components, the nearest neighbours."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fruits_bigdata.pipelines.reporting.plots.components import plot_components
from fruits_bigdata.pipelines.reporting.plots.style import shown
from fruits_bigdata.pipelines.reporting.samples import Pictures
from fruits_bigdata.pipelines.reporting.slides.french import percent
from fruits_bigdata.pipelines.reporting.slides.layout import Box, Deck
from fruits_bigdata.pipelines.reporting.slides.run import Run
from fruits_bigdata.pipelines.reporting.slides.writing import ACCENT, BODY, MUTED, SMALL, WARN
from fruits_bigdata.tables.schemas import LABEL, PATH

_IN_A_ROW, _IN_A_GRID, _GRID_COLUMNS = 9, 15, 5
_MAX_EXAMPLES, _MAX_NEIGHBOURS = 4, 5


def put_row(deck: Deck, run: Run, box: Box) -> None:
    """Put images of different classes side by side."""
    for i, (path, _) in enumerate(_pictured(run)[:_IN_A_ROW]):
        deck.picture(run.thumbnails[path], Box(box.left + 1.35 * i, box.top, box.height, box.height))


def put_grid(deck: Deck, run: Run, box: Box) -> None:
    """Put images of different classes in rows, with their labels."""
    pictured = _pictured(run)[:_IN_A_GRID]
    if not pictured:
        deck.text(["Aucune image n'a pu être relue pour ce support."], box._replace(height=0.8), BODY, MUTED)
    for i, (path, label) in enumerate(pictured):
        row, column = divmod(i, _GRID_COLUMNS)
        left, top = box.left + 1.1 * column, box.top + 1.7 * row
        deck.picture(run.thumbnails[path], Box(left, top, 1.0, 1.0))
        deck.text([shown(label, 16)], Box(left - 0.05, top + 1.0, 1.1, 0.5), SMALL, MUTED)


def put_plane(deck: Deck, run: Run, box: Box) -> None:
    """Put the images on the plane of the first two components."""
    file = io.BytesIO()
    draw_plane(run.points, run["pca"], run.thumbnails).savefig(file, format="png", dpi=130)
    deck.picture(file.getvalue(), box)


def put_neighbours(deck: Deck, run: Run, box: Box) -> None:
    """Put examples and their nearest, those that go wrong first."""
    height = box.height / _MAX_EXAMPLES
    side = height - 0.42
    for i, example in enumerate(run["neighbours"]["examples"][:_MAX_EXAMPLES]):
        top = box.top + height * i
        _put_one(deck, run, example, Box(box.left, top, side, side), MUTED, shown(example["label"], 20))
        for j, near in enumerate(example["neighbours"][:_MAX_NEIGHBOURS]):
            same = near["label"] == example["label"]
            place = Box(box.left + 2.1 + 1.25 * j, top, side, side)
            caption = "même classe" if same else shown(near["label"], 18)
            _put_one(deck, run, near, place, ACCENT if same else WARN, caption)


PUT = {"row": put_row, "grid": put_grid, "plane": put_plane, "neighbours": put_neighbours}


def _put_one(deck: Deck, run: Run, image: Any, box: Box, colour: str, caption: str) -> None:
    picture = run.examples.get(image["path"])
    if picture is None:
        deck.text(["illisible"], Box(box.left - 0.1, box.top + 0.3, box.width + 0.2, 0.35), SMALL, MUTED)
    else:
        deck.picture(picture, box, colour)
    place = Box(box.left - 0.2, box.top + box.height + 0.01, box.width + 0.6, 0.38)
    deck.text([caption], place, SMALL, colour)


def _pictured(run: Run) -> list[tuple[str, str]]:
    """Return path and label of the sampled images that have pictures, those of different classes first."""
    points = run.points.sort_values([LABEL, PATH])
    order = np.argsort(points.groupby(LABEL).cumcount(), kind="stable")
    points = points.iloc[order]
    return [pair for pair in zip(points[PATH], points[LABEL], strict=True) if pair[0] in run.thumbnails]


def draw_plane(points: pd.DataFrame, pca_quality: Mapping[str, Any], pictures: Pictures) -> Any:
    """Draw the report's plane of the first two components with French words: a matplotlib Figure."""
    figure = plot_components(points, pca_quality, pictures)
    figure.set_size_inches(9.4, 6)
    figure.suptitle("")
    (axes,) = figure.axes
    ratios = [*pca_quality["explained_variance_ratio"], 0.0]
    axes.set_title("", loc="left")
    axes.set_xlabel(f"Composante 1 ({percent(ratios[0])} de la variance)", fontsize=15)
    axes.set_ylabel(f"Composante 2 ({percent(ratios[1])})" if len(ratios) > 2 else "", fontsize=15)
    axes.tick_params(labelsize=13)
    for legend in figure.legends:
        for text in legend.get_texts():
            text.set_fontsize(13)
    return figure
