"""The PCA pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.pca.nodes import fit_pca_model, project_features, summarize_features


def create_pipeline() -> Pipeline:
    """features -> summarize_features -> fit_pca_model -> pca_model -> project_features -> pca"""
    return Pipeline(
        [
            Node(
                summarize_features,
                ["features", "pca_model_before"],
                "feature_summary",
                name="summarize_features",
            ),
            Node(
                fit_pca_model,
                ["feature_summary", "features", "rejected", "pca_model_before", "params:pca"],
                ["pca_model", "pca_fit"],
                name="fit_pca_model",
            ),
            Node(project_features, ["features", "pca_model", "pca_before"], "pca", name="project_features"),
        ],
        namespace="pca",
        prefix_datasets_with_namespace=False,
    )
