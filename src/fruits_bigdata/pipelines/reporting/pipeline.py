"""The reporting pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.linalg.classes import choose_neighbours, measure_classes
from fruits_bigdata.pipelines.reporting.nodes import (
    build_explorer,
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
    return Pipeline(
        [
            _figures(),
            Node(sample_points, "pca", "points", name="sample_points"),
            Node(
                read_report_pictures,
                ["image_folder", "points", "neighbour_examples"],
                ["example_pictures", "thumbnails", "picture_statistics"],
                name="read_report_pictures",
            ),
            _plots(),
            Node(
                build_explorer,
                ["points", "thumbnails", "pca_quality", "picture_statistics"],
                ["explorer", "explorer_statistics"],
                name="build_explorer",
            ),
            Node(
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
                    "explained_variance_finding",
                    "components_finding",
                    "class_similarity_finding",
                    "neighbours_finding",
                    "reconstruction_error_finding",
                    "rejections_finding",
                    "throughput_finding",
                ],
                "metrics",
                name="build_metrics",
            ),
            Node(plot_stages, "metrics", ["stages_plot", "stages_finding"], name="plot_stages"),
            Node(
                build_slides,
                ["metrics", "points", "thumbnails", "example_pictures", "params:s3"],
                ["presentation", "presentation_finding"],
                name="build_slides",
            ),
            Node(
                check_rejected_share,
                [
                    "featurization_statistics",
                    "params:max_rejected_share",
                    "metrics",
                    "stages_finding",
                    "presentation_finding",
                ],
                None,
                name="check_rejected_share",
            ),
        ],
        tags="reporting",
    )


def _figures() -> Pipeline:
    return Pipeline(
        [
            Node(measure_pca_quality, "pca_model", "pca_quality", name="measure_pca_quality"),
            Node(measure_classes, "pca_model", "class_quality", name="measure_classes"),
            Node(choose_neighbours, "pca_model", "neighbour_examples", name="choose_neighbours"),
        ]
    )


def _plots() -> Pipeline:
    return Pipeline(
        [
            Node(
                report_rejections,
                ["rejected", "images"],
                ["rejections", "rejections_plot", "rejections_finding"],
                name="report_rejections",
            ),
            Node(
                plot_throughput,
                "featurization_statistics",
                ["throughput_plot", "throughput_finding"],
                name="plot_throughput",
            ),
            Node(
                plot_explained_variance,
                "pca_quality",
                ["explained_variance_plot", "explained_variance_finding"],
                name="plot_explained_variance",
            ),
            Node(
                plot_components,
                ["points", "pca_quality", "thumbnails"],
                ["components_plot", "components_finding"],
                name="plot_components",
            ),
            Node(
                plot_class_similarity,
                "class_quality",
                ["class_similarity_plot", "class_similarity_finding"],
                name="plot_class_similarity",
            ),
            Node(
                plot_neighbours,
                ["neighbour_examples", "example_pictures"],
                ["neighbours_plot", "neighbours_finding"],
                name="plot_neighbours",
            ),
            Node(
                plot_reconstruction_error,
                ["class_quality", "pca_quality"],
                ["reconstruction_error_plot", "reconstruction_error_finding"],
                name="plot_reconstruction_error",
            ),
        ]
    )
