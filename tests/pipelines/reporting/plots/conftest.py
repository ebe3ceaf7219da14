"""The sampled points, and a way to read what a figure says."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from fruits_bigdata.linalg.pca import PcaModel


@pytest.fixture(scope="session")
def points(pca_model: PcaModel) -> pd.DataFrame:
    """What `sample_points` makes of the model's own sample."""
    assert pca_model.summary is not None
    sample = pca_model.summary.sample
    scores = pca_model.transform(sample.features)[:, :3]
    return pd.DataFrame(
        {
            "path": sample.paths,
            "label": sample.labels,
            **dict(zip(("pc1", "pc2", "pc3"), scores.T, strict=True)),
        }
    )


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
        texts = [text for text in figure.findobj(Text) if text.get_text() and text not in ticks]
        outside = [text.get_text() for text in texts if not _is_inside(text.get_window_extent(), room)]
        assert outside == []
        return [figure.get_suptitle(), *(text.get_text() for text in figure.findobj(Text))]

    return drawn


@pytest.fixture
def pixels() -> np.ndarray:
    """A red disc on white, uint8 (64, 64, 3)."""
    y, x = np.mgrid[:64, :64] - 31.5
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[x**2 + y**2 < 25**2] = (200, 30, 30)
    return picture


def _is_inside(box: Any, room: Any) -> bool:
    return bool(room.contains(*box.min) and room.contains(*box.max))
