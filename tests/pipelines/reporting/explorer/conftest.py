"""A page of points in three classes, two of which have names that a page must not believe."""

import numpy as np
import pandas as pd
import pytest

LABELS = ["Apple", "</script><script>document.title='gone'</script>", "Café @@SCRIPT@@ & \U0001f34e"]


@pytest.fixture(scope="session")
def points() -> pd.DataFrame:
    """Three clouds of 100 points each, 10 apart along PC1, PC2 and PC3."""
    scores = np.random.default_rng(4).normal(size=(300, 3))
    scores[np.arange(300), np.arange(300) % 3] += 10
    labels = [LABELS[i % 3] for i in range(300)]
    paths = [f"{label}/{i}.jpg" for i, label in enumerate(labels)]
    return pd.DataFrame(
        {"path": paths, "label": labels, **dict(zip(("pc1", "pc2", "pc3"), scores.T, strict=True))}
    )


@pytest.fixture(scope="session")
def thumbnails(points) -> dict[str, np.ndarray]:
    """Of every second point a picture of one colour of its own, uint8 (64, 64, 3)."""
    return {
        path: np.full((64, 64, 3), (255 - i // 2, 40, 20 + i // 2), np.uint8)
        for i, path in enumerate(points["path"])
        if i % 2
    }
