"""The reporting pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.linalg.classes import choose_neighbours, measure_classes
from fruits_bigdata.pipelines.rejections import count_rejections
from fruits_bigdata.pipelines.reporting.explorer.page import build_explorer
from fruits_bigdata.pipelines.reporting.nodes import (
    build_metrics,
    check_rejected_share,
    measure_pca_quality,
    read_report_pictures,
)
from fruits_bigdata.pipelines.reporting.plots.components import plot_components
from fruits_bigdata.pipelines.reporting.plots.neighbours import plot_neighbours
from fruits_bigdata.pipelines.reporting.plots.reconstruction import plot_reconstruction_error
from fruits_bigdata.pipelines.reporting.plots.rejections import plot_rejections
from fruits_bigdata.pipelines.reporting.plots.similarity import plot_class_similarity
from fruits_bigdata.pipelines.reporting.plots.stages import plot_stages
from fruits_bigdata.pipelines.reporting.plots.throughput import plot_throughput
from fruits_bigdata.pipelines.reporting.plots.variance import plot_explained_variance
from fruits_bigdata.pipelines.reporting.samples import sample_points
from fruits_bigdata.pipelines.reporting.slides.deck import build_slides


def create_pipeline() -> Pipeline:
    """pca_model -> measure_pca_quality, measure_classes, choose_neighbours -> figures
    pca -> sample_points -> read_report_pictures -> pictures
    figures, pictures -> plot_... -> pictures; build_explorer -> explorer
    figures, statistics -> build_metrics -> metrics -> plot_stages
    metrics, pictures -> build_slides -> presentation
    all of it -> check_rejected_share, which may fail the run
    """
    # Functions, their inputs and their outputs.
    nodes: list[tuple[Any, ...]] = [
        # Before the PCA, which fails if all images are rejected.
        (count_rejections, "rejected", "rejections"),
        (plot_rejections, ["rejections", "images"], "rejections_plot"),
        (measure_pca_quality, "pca_model", "pca_quality"),
        (measure_classes, "pca_model", "class_quality"),
        (choose_neighbours, "pca_model", "neighbour_examples"),
        (sample_points, "pca", "points"),
        (
            read_report_pictures,
            ["image_folder", "points", "neighbour_examples"],
            ["example_pictures", "thumbnails", "picture_statistics"],
        ),
        (plot_explained_variance, "pca_quality", "explained_variance_plot"),
        (plot_components, ["points", "pca_quality", "thumbnails"], "components_plot"),
        (plot_class_similarity, "class_quality", "class_similarity_plot"),
        (plot_neighbours, ["neighbour_examples", "example_pictures"], "neighbours_plot"),
        (plot_reconstruction_error, ["class_quality", "pca_quality"], "reconstruction_error_plot"),
        (plot_throughput, "featurization_statistics", "throughput_plot"),
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
            ],
            "metrics",
        ),
        (plot_stages, "metrics", "stages_plot"),
        (build_slides, ["metrics", "points", "thumbnails", "example_pictures", "params:s3"], "presentation"),
        (
            check_rejected_share,
            ["featurization_statistics", "params:max_rejected_share", "presentation"],
            None,
        ),
    ]
    return Pipeline(
        [Node(function, inputs, outputs, name=function.__name__) for function, inputs, outputs in nodes],
        namespace="reporting",
        prefix_datasets_with_namespace=False,
    )
