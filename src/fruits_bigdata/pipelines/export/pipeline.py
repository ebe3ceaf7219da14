"""The export pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.export.nodes import check_export, flatten_scores


def create_pipeline() -> Pipeline:
    """pca -> flatten_scores -> pca_csv -> check_export -> export_check"""
    return Pipeline(
        [
            Node(flatten_scores, ["pca", "pca_model"], "pca_csv", name="flatten_scores"),
            Node(
                check_export,
                ["images", "features", "rejected", "pca", "pca_csv", "comparison"],
                "export_check",
                name="check_export",
            ),
        ],
        namespace="export",
        prefix_datasets_with_namespace=False,
    )
