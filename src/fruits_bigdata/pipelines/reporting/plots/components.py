"""The images on the plane of the first two components."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fruits_bigdata.pipelines.reporting.plots.style import COLOURS, count, new_figure, plain, shown
from fruits_bigdata.pipelines.reporting.samples import Pictures
from fruits_bigdata.tables.schemas import LABEL, PATH

_MARKERS = "osD^vP*X"
_MAX_CLASSES_IN_LEGEND = 12
_MAX_POINTS = 5_000
_MAX_THUMBNAILS = 90
# Of the plot's width and height, between the middles of two thumbnails.
_APART = 0.075
# White, but for what JPEG makes of it.
_WHITE = 250


def find_components(pca_quality: Mapping[str, Any]) -> str:
    """Say what the first two components show."""
    ratios = 100 * np.array(pca_quality["explained_variance_ratio"])
    finding = f"Two of {len(ratios)} components" if len(ratios) > 2 else count(len(ratios), "component")
    finding += f" {'shows' if len(ratios) == 1 else 'show'} {ratios[:2].sum():.1f} % of the variance"
    return finding + f" of {count(pca_quality['n_images'], 'image')}"


def plot_components(points: pd.DataFrame, pca_quality: Mapping[str, Any], pictures: Pictures) -> Any:
    """Draw the images on the plane of PC1 and PC2 by class, and the pictures of some of them.

    Args:
        points: Sampled images: path, label, pc1, pc2.
        pca_quality: What the components keep.
        pictures: Pixels by path, of some images.
    """
    ratios = 100 * np.array(pca_quality["explained_variance_ratio"])
    points = points.head(_MAX_POINTS)
    by_class = {str(label): group for label, group in points.groupby(LABEL, sort=True)}
    n_classes = len(by_class)
    figure = new_figure(11, 8, find_components(pca_quality))
    axes = figure.subplots()
    size = float(np.clip(6_000 / max(1, len(points)), 12, 40))
    for i, (label, group) in enumerate(by_class.items()):
        axes.scatter(
            group["pc1"],
            group["pc2"],
            s=size,
            alpha=0.75,
            linewidths=0,
            label=str(i),
            color=COLOURS[i % len(COLOURS)],
            marker=_MARKERS[i // len(COLOURS) % len(_MARKERS)],
        )
        if n_classes > _MAX_CLASSES_IN_LEGEND and not pictures:
            middle = (group["pc1"].median(), group["pc2"].median())
            axes.annotate(shown(label), middle, fontsize=6, ha="center", parse_math=False)
    shown_pictures = _draw_pictures(axes, points, pictures)
    axes.set_xlabel(f"PC1 ({ratios[0]:.1f} % of the variance)")
    axes.set_ylabel(f"PC2 ({ratios[1]:.1f} % of the variance)" if len(ratios) > 1 else "")
    plain(axes, "both")
    subtitle = f"{count(len(points), 'image')} of {count(n_classes, 'class', 'classes')}"
    subtitle += f", {count(shown_pictures, 'picture')} of them" if shown_pictures else ""
    if n_classes > _MAX_CLASSES_IN_LEGEND:
        subtitle += "; colours and markers repeat: explorer.html names each point"
    axes.set_title(subtitle, fontsize=9, loc="left", color="#444444")
    if 1 < n_classes <= _MAX_CLASSES_IN_LEGEND:
        legend = figure.legend(loc="outside right center", fontsize=8, markerscale=1.8, frameon=False)
        # As labels they would be formulas between two $, and left out after a _.
        for text, label in zip(legend.get_texts(), by_class, strict=True):
            text.set(text=shown(label), parse_math=False)
    return figure


def _draw_pictures(axes: Any, points: pd.DataFrame, pictures: Pictures) -> int:
    """Draw pictures where there is room, the first points first; return how many."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    xy = points[["pc1", "pc2"]].to_numpy(np.float64)
    extent = np.maximum(np.ptp(xy, axis=0), np.finfo(float).tiny)
    places = np.empty((0, 2))
    for path, place in zip(points[PATH], xy, strict=True):
        if len(places) == _MAX_THUMBNAILS:
            break
        near = (np.abs(places - place) / extent < _APART * np.array([0.75, 1.0])).all(axis=1)
        if path not in pictures or near.any():
            continue
        places = np.vstack([places, place])
        image = OffsetImage(_cut_out(pictures[path]), zoom=0.5)
        axes.add_artist(AnnotationBbox(image, tuple(place), pad=0.0, frameon=False))
    return len(places)


def _cut_out(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels with white ones transparent, as RGBA: what is pictured on white hides no points."""
    opaque = np.where((pixels >= _WHITE).all(axis=2), 0, 255).astype(np.uint8)
    return np.dstack([pixels, opaque])
