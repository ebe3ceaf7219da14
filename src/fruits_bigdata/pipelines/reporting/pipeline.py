"""The reporting pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.linalg.classes import choose_neighbours, measure_classes
from fruits_bigdata.pipelines.reporting.explorer.page import build_explorer
from fruits_bigdata.pipelines.reporting.nodes import (
    build_metrics,
    check_rejected_share,
    measure_pca_quality,
    read_report_pictures,
    report_rejections,
)
from fruits_bigdata.pipelines.reporting.plots.components import plot_components
from fruits_bigdata.pipelines.reporting.plots.neighbours import plot_neighbours
from fruits_bigdata.pipelines.reporting.plots.reconstruction import plot_reconstruction_error
from fruits_bigdata.pipelines.reporting.plots.similarity import plot_class_similarity
from fruits_bigdata.pipelines.reporting.plots.stages import plot_stages
from fruits_bigdata.pipelines.reporting.plots.throughput import plot_throughput
from fruits_bigdata.pipelines.reporting.plots.variance import plot_explained_variance
from fruits_bigdata.pipelines.reporting.samples import sample_points
from fruits_bigdata.pipelines.reporting.slides.deck import build_slides


def create_pipeline() -> Pipeline:
    """pca_model -> measure_pca_quality, measure_classes, choose_neighbours -> figures
    pca -> sample_points -> read_report_pictures -> pictures
    figures, pictures -> plot_... -> a picture and its finding; build_explorer -> explorer
    figures, findings, statistics -> build_metrics -> metrics -> plot_stages
    metrics, pictures -> build_slides -> presentation
    all of it -> check_rejected_share, which may fail the run
    """
    # Functions, their inputs and their outputs.
    plots: list[tuple[Any, ...]] = [
        (plot_explained_variance, "pca_quality", _drawn("explained_variance")),
        (plot_components, ["points", "pca_quality", "thumbnails"], _drawn("components")),
        (plot_class_similarity, "class_quality", _drawn("class_similarity")),
        (plot_neighbours, ["neighbour_examples", "example_pictures"], _drawn("neighbours")),
        (plot_reconstruction_error, ["class_quality", "pca_quality"], _drawn("reconstruction_error")),
        (report_rejections, ["rejected", "images"], ["rejections", *_drawn("rejections")]),
        (plot_throughput, "featurization_statistics", _drawn("throughput")),
    ]
    nodes: list[tuple[Any, ...]] = [
        (measure_pca_quality, "pca_model", "pca_quality"),
        (measure_classes, "pca_model", "class_quality"),
        (choose_neighbours, "pca_model", "neighbour_examples"),
        (sample_points, "pca", "points"),
        (
            read_report_pictures,
            ["image_folder", "points", "neighbour_examples"],
            ["example_pictures", "thumbnails", "picture_statistics"],
        ),
        *plots,
        (
            build_explorer,
            ["points", "thumbnails", "pca_quality", "picture_statistics"],
            ["explorer", "explorer_statistics"],
        ),
        (
            build_metrics,
            [
                "images",
                "features",
                "rejections",
                "pca_fit",
                "pca_quality",
                "class_quality",
                "neighbour_examples",
                "comparison",
                "featurization_statistics",
                "export_check",
                "explorer_statistics",
                "parameters",
                "run_statistics",
                *(outputs[-1] for *_, outputs in plots),
            ],
            "metrics",
        ),
        (plot_stages, "metrics", _drawn("stages")),
        (
            build_slides,
            ["metrics", "points", "thumbnails", "example_pictures", "params:s3"],
            ["presentation", "presentation_finding"],
        ),
        (
            check_rejected_share,
            [
                "featurization_statistics",
                "params:max_rejected_share",
                "metrics",
                "stages_finding",
                "presentation_finding",
            ],
            None,
        ),
    ]
    return Pipeline(
        [Node(function, inputs, outputs, name=function.__name__) for function, inputs, outputs in nodes],
        tags="reporting",
    )


def _drawn(subject: str) -> list[str]:
    return [f"{subject}_plot", f"{subject}_finding"]
