"""Nodes of the reporting pipeline."""

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.linalg.quality import measure_quality
from fruits_bigdata.pipelines.current import select_current
from fruits_bigdata.pipelines.rejections import count_rejections, describe_rejections
from fruits_bigdata.run_statistics import RunStatistics
from fruits_bigdata.schemas import LABEL, PCA

_PACKAGES = (
    "fruits_bigdata",
    "kedro",
    "kedro-datasets",
    "pyspark",
    "ai-edge-litert",
    "numpy",
    "pyarrow",
    "pillow",
)
_MAX_POINTS = 5_000
# Okabe and Ito's palette, told apart by colour-blind readers (jfly.uni-koeln.de/color, 2008).
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
_MARKERS = "osD^vP*X"
_MAX_CLASSES_IN_LEGEND = 40


def measure_pca_quality(pca_model: PcaModel) -> dict[str, Any]:
    """Measure what the scores keep of the current features: see `linalg.quality.measure_quality`."""
    return {
        "n_components": pca_model.n_components_,
        "n_images": pca_model.summary.moments.n if pca_model.summary else None,
        "featurizer": pca_model.featurizer,
        "explained_variance": pca_model.explained_variance_.tolist(),
        **measure_quality(pca_model),
    }


def build_metrics(
    images: DataFrame,
    features: DataFrame,
    rejected: DataFrame,
    pca_fit: Mapping[str, Any],
    pca_quality: Mapping[str, Any],
    comparison: Mapping[str, int],
    featurization_statistics: Mapping[str, Any],
    export_check: Mapping[str, int],
    run_statistics: RunStatistics,
) -> dict[str, Any]:
    """Gather the run's figures: counts, reasons, times, speed, what the PCA keeps, versions."""
    rejections = count_rejections(select_current(rejected, images))
    listed = images.agg(f.count("*").alias("images"), f.countDistinct(LABEL).alias("classes")).first()
    assert listed is not None
    return {
        "counts": {
            "listed": listed["images"],
            "features": select_current(features, images).count(),
            "rejected": sum(kind["images"] for kind in rejections),
            "classes": listed["classes"],
            "published": dict(export_check),
        },
        "rejected_by_reason": {kind["kind"]: kind["images"] for kind in rejections},
        "found": dict(comparison),
        "run": run_statistics.as_dict(),
        "featurization": dict(featurization_statistics),
        "pca": {**pca_fit, **pca_quality},
        "versions": {
            "python": platform.python_version(),
            "spark": images.sparkSession.version,
            **{package: _version(package) for package in _PACKAGES},
        },
    }


class TooManyRejectedError(RuntimeError):
    """More of a run's images were rejected than are allowed."""


def check_rejected_share(
    featurization_statistics: Mapping[str, Any], max_rejected_share: float, metrics: Mapping[str, Any]
) -> None:
    """Fail the run if too many of its images were rejected.

    Args:
        featurization_statistics: What the run's featurization did.
        max_rejected_share: The share of the run's images, from 0 to 1, that may be rejected.
        metrics: The report, which is written first.

    Raises:
        ValueError: `max_rejected_share` is no share.
        TooManyRejectedError: More were; the message names the most frequent kinds of reasons and examples.
    """
    is_number = isinstance(max_rejected_share, int | float) and not isinstance(max_rejected_share, bool)
    if not is_number or not 0 <= max_rejected_share <= 1:
        raise ValueError(f"max_rejected_share={max_rejected_share}: give a share from 0 to 1, such as 0.5")
    images, n_rejected = featurization_statistics["images"], featurization_statistics["rejected"]
    if n_rejected > max_rejected_share * images:
        raise TooManyRejectedError(
            f"{n_rejected:,} of this run's {images:,} images were rejected, and max_rejected_share is "
            f"{max_rejected_share:g}: {describe_rejections(featurization_statistics['rejections'])}. "
            f"Everything else was done, stored and reported; rejected images are tried again when they "
            f"change, or with --params retry_rejected=true"
        )


def plot_explained_variance(pca_quality: Mapping[str, Any]) -> Any:
    """Draw the variance that each component explains, and all up to it: a matplotlib.figure.Figure."""
    ratios = 100 * np.array(pca_quality["explained_variance_ratio"])
    numbers = np.arange(1, len(ratios) + 1)
    figure = _figure(9, 5)
    axes = figure.subplots()
    axes.bar(numbers, ratios, color=_COLOURS[0], label="each component")
    axes.plot(numbers, ratios.cumsum(), color=_COLOURS[5], marker="o", markersize=3, label="all up to it")
    axes.set_title(f"{len(ratios)} components keep {ratios.sum():.1f} % of the variance of 1,280 features")
    axes.set_xlabel("component")
    axes.set_ylabel("explained variance (%)")
    axes.set_ylim(0, 105)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="center right")
    return figure


def plot_components(pca: DataFrame, pca_quality: Mapping[str, Any]) -> Any:
    """Draw the images on the plane of the first two components, by class: a matplotlib.figure.Figure."""
    ratios = 100 * np.array(pca_quality["explained_variance_ratio"])
    n = pca.count()
    second = f.col(PCA)[1] if len(ratios) > 1 else f.lit(0.0)
    points = pca.select(LABEL, f.col(PCA)[0].alias("pc1"), second.alias("pc2"))
    if n > _MAX_POINTS:
        points = points.orderBy(f.xxhash64("pc1", "pc2")).limit(_MAX_POINTS)
    by_class = {str(label): group for label, group in points.toPandas().groupby(LABEL)}
    figure = _figure(11, 7)
    axes = figure.subplots()
    for i, (label, group) in enumerate(sorted(by_class.items())):
        axes.scatter(
            group["pc1"],
            group["pc2"],
            s=9,
            alpha=0.7,
            linewidths=0,
            label=str(i),
            color=_COLOURS[i % len(_COLOURS)],
            marker=_MARKERS[i // len(_COLOURS) % len(_MARKERS)],
        )
        if len(by_class) > _MAX_CLASSES_IN_LEGEND:
            middle = (group["pc1"].median(), group["pc2"].median())
            axes.annotate(label, middle, fontsize=6, ha="center", parse_math=False)
    shown = f"{min(n, _MAX_POINTS):,} of {n:,} images" if n > _MAX_POINTS else f"{n:,} images"
    axes.set_title(
        f"{shown} of {len(by_class)} classes, on the two components that keep "
        f"{ratios[:2].sum():.1f} % of the variance"
    )
    axes.set_xlabel(f"PC1 ({ratios[0]:.1f} % of the variance)")
    axes.set_ylabel(f"PC2 ({ratios[1]:.1f} % of the variance)" if len(ratios) > 1 else "")
    axes.grid(alpha=0.3)
    if 1 < len(by_class) <= _MAX_CLASSES_IN_LEGEND:
        legend = figure.legend(loc="outside right center", fontsize=8, markerscale=2, frameon=False)
        # As labels they would be formulas between two $, and left out after a _.
        for text, label in zip(legend.get_texts(), sorted(by_class), strict=True):
            text.set(text=label, parse_math=False)
    return figure


def _figure(width: float, height: float) -> Any:
    # Imported here, so that the runs that draw nothing start half a second earlier.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
