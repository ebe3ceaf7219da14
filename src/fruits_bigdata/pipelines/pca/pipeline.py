"""The PCA pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.pca.nodes import compute_moments, fit_pca_model, project_features


def create_pipeline() -> Pipeline:
    """features -> compute_moments -> fit_pca_model -> pca_model -> project_features -> pca"""
    return Pipeline(
        [
            Node(
                compute_moments,
                ["features", "images", "pca_model_seen"],
                ["moments", "moments_coverage"],
                name="compute_moments",
            ),
            Node(
                fit_pca_model,
                ["moments", "moments_coverage", "features", "rejected", "images", "params:pca"],
                "pca_model",
                name="fit_pca_model",
            ),
            Node(project_features, ["features", "images", "pca_model"], "pca", name="project_features"),
        ],
        tags=["pca", "spark"],
    )
