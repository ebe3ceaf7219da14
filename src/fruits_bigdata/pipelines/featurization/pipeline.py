"""The featurization pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.featurization.nodes import (
    broadcast_model,
    compile_model,
    featurize_images,
    select_new_images,
)


def create_pipeline() -> Pipeline:
    """weights -> compile_model -> broadcast_model -> featurize_images -> features, rejected
    images - features - rejected -> select_new_images ---^
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
                select_new_images,
                ["images", "features_seen", "rejected_seen", "compiled_model"],
                "new_images",
                name="select_new_images",
                tags="spark",
            ),
            Node(
                featurize_images,
                ["new_images", "model_broadcast", "image_folder", "params:featurization"],
                ["features", "rejected", "featurization_statistics"],
                name="featurize_images",
                tags="spark",
            ),
        ],
        tags="featurization",
    )
