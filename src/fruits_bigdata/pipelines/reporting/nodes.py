"""Nodes of the reporting pipeline."""

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from itertools import chain
from typing import Any

import pandas as pd
import pyarrow.compute as pc
from pydantic import BaseModel

from fruits_bigdata.cost.run_cost import cost_of_run
from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.linalg.quality import measure_quality
from fruits_bigdata.pipelines.rejections import describe_rejections
from fruits_bigdata.pipelines.reporting.plots.components import find_components
from fruits_bigdata.pipelines.reporting.plots.neighbours import find_neighbours
from fruits_bigdata.pipelines.reporting.plots.reconstruction import find_reconstruction_error
from fruits_bigdata.pipelines.reporting.plots.rejections import find_rejections
from fruits_bigdata.pipelines.reporting.plots.similarity import find_class_similarity
from fruits_bigdata.pipelines.reporting.plots.throughput import find_throughput
from fruits_bigdata.pipelines.reporting.plots.variance import find_explained_variance
from fruits_bigdata.pipelines.reporting.run_statistics import RunStatistics
from fruits_bigdata.pipelines.reporting.samples import Pictures, read_pictures
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import LABEL, PATH

_PACKAGES = (
    "fruits_bigdata",
    "kedro",
    "kedro-datasets",
    "pyspark",
    "deltalake",
    "ai-edge-litert",
    "numpy",
    "scipy",
    "pyarrow",
    "pillow",
)
# Of those on the map, the first; a folder of photographs takes the time that there is.
_MAX_THUMBNAILS = 5_000
_THUMBNAIL_SIZE, _EXAMPLE_SIZE = 64, 128
_PICTURE_SECONDS = 8.0


def measure_pca_quality(pca_model: PcaModel) -> dict[str, Any]:
    """Measure what the scores keep of the current features: see `linalg.quality.measure_quality`."""
    return {
        "n_components": pca_model.n_components_,
        "n_features": pca_model.n_features_in_,
        "n_images": pca_model.current.moments.n,
        "featurizer": pca_model.featurizer,
        "explained_variance": pca_model.explained_variance_.tolist(),
        **measure_quality(pca_model),
    }


def read_report_pictures(
    image_folder: ImageFolder, points: pd.DataFrame, neighbour_examples: Mapping[str, Any]
) -> tuple[Pictures, Pictures, dict[str, int]]:
    """Read the pictures that the report shows: the examples' and those of the first points.

    Returns:
        Pixels by path of the examples, and of the points; and how many were `wanted` and are `missing`, since
        they could not be read or the time was over.
    """
    examples = neighbour_examples["examples"]
    named = chain(examples, *(example["neighbours"] for example in examples))
    paths = list(dict.fromkeys(image[PATH] for image in named))
    shown = read_pictures(image_folder.read, paths, _EXAMPLE_SIZE, _PICTURE_SECONDS / 2)
    first = points[PATH].head(_MAX_THUMBNAILS)
    thumbnails = read_pictures(image_folder.read, first, _THUMBNAIL_SIZE, _PICTURE_SECONDS)
    n_pictures = len(paths) + len(first)
    return shown, thumbnails, {"wanted": n_pictures, "missing": n_pictures - len(shown) - len(thumbnails)}


def build_metrics(
    images: Table,
    features: Table,
    rejections: Sequence[Mapping[str, Any]],
    pca_fit: Mapping[str, Any],
    pca_quality: Mapping[str, Any],
    class_quality: Mapping[str, Any],
    neighbour_examples: Mapping[str, Any],
    comparison: Mapping[str, int],
    featurization_statistics: Mapping[str, Any],
    export_check: Mapping[str, int],
    explorer_statistics: Mapping[str, Any],
    parameters: Mapping[str, Any],
    run_statistics: RunStatistics,
) -> dict[str, Any]:
    """Gather the run's figures, as `metrics.schema.json` describes them.

    Counts, reasons, times, speed, cost, what the PCA keeps of images and of classes, what the pictures say.
    """
    run = run_statistics.as_dict()
    return {
        "counts": {
            "listed": images.rows,
            "features": features.rows,
            "rejected": sum(kind["images"] for kind in rejections),
            "classes": pc.count_distinct(images.read([LABEL]).column(LABEL)).as_py(),
            "published": dict(export_check),
        },
        "rejected_by_reason": {kind["kind"]: kind["images"] for kind in rejections},
        "found": dict(comparison),
        "parameters": {
            name: value.model_dump() if isinstance(value, BaseModel) else value
            for name, value in parameters.items()
        },
        "run": run,
        "cost": cost_of_run(run["seconds"], featurization_statistics),
        "featurization": dict(featurization_statistics),
        "pca": {**pca_fit, **pca_quality},
        "classes": dict(class_quality),
        "neighbours": dict(neighbour_examples),
        "explorer": dict(explorer_statistics),
        "findings": [
            find_explained_variance(pca_quality),
            find_components(pca_quality),
            find_class_similarity(class_quality),
            find_neighbours(neighbour_examples),
            find_reconstruction_error(class_quality, pca_quality),
            find_rejections(rejections, images.rows),
            find_throughput(featurization_statistics),
        ],
        "versions": {
            "python": platform.python_version(),
            **{package: _version(package) for package in _PACKAGES},
        },
    }


class TooManyRejectedError(RuntimeError):
    """More of a run's images were rejected than are allowed."""


def check_rejected_share(
    featurization_statistics: Mapping[str, Any], max_rejected_share: float, presentation: bytes
) -> None:
    """Fail the run if too many of its images were rejected.

    Args:
        featurization_statistics: What the run's featurization did.
        max_rejected_share: The share of the run's images, from 0 to 1, that may be rejected.
        presentation: What the report makes last, so that all is written when a run fails here.

    Raises:
        TooManyRejectedError: More were; the message names the most frequent kinds of reasons and examples.
    """
    images, n_rejected = featurization_statistics["images"], featurization_statistics["rejected"]
    if n_rejected > max_rejected_share * images:
        raise TooManyRejectedError(
            f"{n_rejected:,} of this run's {images:,} images were rejected, and max_rejected_share is "
            f"{max_rejected_share:g}: {describe_rejections(featurization_statistics['rejections'])}. "
            f"Everything else was done, stored and reported; rejected images are tried again when they "
            f"change, or with --params retry_rejected=true"
        )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
