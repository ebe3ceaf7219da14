"""The reporting pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.reporting.nodes import (
    build_metrics,
    check_rejected_share,
    measure_pca_quality,
    plot_components,
    plot_explained_variance,
)


def create_pipeline() -> Pipeline:
    """pca_model -> measure_pca_quality -> pca_quality
    features, rejected, pca_fit, pca_quality, statistics -> build_metrics -> metrics
    pca_quality -> plot_explained_variance; pca, pca_quality -> plot_components
    metrics -> check_rejected_share, which may fail the run
    """
    return Pipeline(
        [
            Node(measure_pca_quality, "pca_model", "pca_quality", name="measure_pca_quality"),
            Node(
                build_metrics,
                [
                    "images",
                    "features",
                    "rejected",
                    "pca_fit",
                    "pca_quality",
                    "comparison",
                    "featurization_statistics",
                    "export_check",
                    "run_statistics",
                ],
                "metrics",
                name="build_metrics",
                tags="spark",
            ),
            Node(
                plot_explained_variance,
                "pca_quality",
                "explained_variance_plot",
                name="plot_explained_variance",
            ),
            Node(
                check_rejected_share,
                ["featurization_statistics", "params:max_rejected_share", "metrics"],
                None,
                name="check_rejected_share",
            ),
            Node(
                plot_components,
                ["pca", "pca_quality"],
                "components_plot",
                name="plot_components",
                tags="spark",
            ),
        ],
        tags="reporting",
    )
