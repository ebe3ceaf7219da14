"""The reporting pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.reporting.nodes import (
    build_metrics,
    check_rejected_share,
    plot_components,
    plot_explained_variance,
)


def create_pipeline() -> Pipeline:
    """features, rejected, pca_model, statistics -> build_metrics -> metrics
    pca_model -> plot_explained_variance; pca -> plot_components
    metrics -> check_rejected_share, which may fail the run
    """
    return Pipeline(
        [
            Node(
                build_metrics,
                [
                    "images",
                    "features",
                    "rejected",
                    "pca_model",
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
                "pca_model",
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
                plot_components, ["pca", "pca_model"], "components_plot", name="plot_components", tags="spark"
            ),
        ],
        tags="reporting",
    )
