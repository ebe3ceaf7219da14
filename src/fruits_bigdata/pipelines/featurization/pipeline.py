"""The featurization pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.featurization.nodes import (
    broadcast_model,
    compare_images,
    compile_model,
    featurize_images,
)


def create_pipeline() -> Pipeline:
    """images, features_before, rejected_before -> compare_images -> work
    weights -> compile_model -> broadcast_model, work -> featurize_images -> features, rejected
    """
    return Pipeline(
        [
            Node(
                compare_images,
                [
                    "images",
                    "features_before",
                    "rejected_before",
                    "image_folder",
                    "params:limit",
                    "params:retry_rejected",
                    "params:max_removed_share",
                ],
                ["work", "comparison"],
                name="compare_images",
            ),
            Node(
                compile_model,
                ["weights", "compiled_models_before", "image_folder", "params:featurization"],
                ["compiled_model", "compiled_models"],
                name="compile_model",
            ),
            Node(broadcast_model, ["compiled_model", "work"], "model_broadcast", name="broadcast_model"),
            Node(
                featurize_images,
                ["work", "model_broadcast", "image_folder", "params:featurization"],
                ["features", "rejected", "featurization_statistics"],
                name="featurize_images",
            ),
        ],
        namespace="featurization",
        prefix_datasets_with_namespace=False,
    )
