"""The sampled points, and a way to read what a figure says."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from fruits_bigdata.linalg.pca import PcaModel
from tests.pipelines.reporting.conftest import points_of

Draw = Callable[[Any], list[str]]


@pytest.fixture(scope="session")
def points(pca_model: PcaModel) -> pd.DataFrame:
    return points_of(pca_model)


@pytest.fixture(scope="session")
def draw() -> Draw:
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
