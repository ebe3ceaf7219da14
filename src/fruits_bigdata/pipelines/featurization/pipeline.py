"""The featurization pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.featurization.nodes import (
    broadcast_model,
    compare_images,
    compile_model,
    featurize_images,
    retry_rejected,
    select_new_images,
)


def create_pipeline() -> Pipeline:
    """weights -> compile_model -> broadcast_model -> featurize_images -> features, rejected
    images - features - rejected -> select_new_images ---^

    Their counts -> compare_images -> comparison; rejected -> retry_rejected, if they are to be tried again.
    """
    return Pipeline(
        [
            Node(
                compile_model,
                ["weights", "compiled_models_seen", "image_folder", "params:featurization"],
                ["compiled_model", "compiled_models"],
                name="compile_model",
            ),
            Node(
                broadcast_model,
                ["compiled_model", "images"],
                "model_broadcast",
                name="broadcast_model",
                tags="spark",
            ),
            Node(
                retry_rejected,
                ["rejected_found", "params:retry_rejected"],
                "rejected_seen",
                name="retry_rejected",
                tags="spark",
            ),
            Node(
                compare_images,
                ["images", "features_seen", "rejected_seen"],
                "comparison",
                name="compare_images",
                tags="spark",
            ),
            Node(
                select_new_images,
                ["images", "features_seen", "rejected_seen", "compiled_model", "comparison"],
                "new_images",
                name="select_new_images",
                tags="spark",
            ),
            Node(
                featurize_images,
                ["new_images", "model_broadcast", "image_folder", "params:featurization"],
                ["features_appended", "rejected_appended", "featurization_statistics"],
                name="featurize_images",
                tags="spark",
            ),
        ],
        tags="featurization",
    )
