"""The loading pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.loading.nodes import list_images


def create_pipeline() -> Pipeline:
    """image_folder, images_before -> list_images -> images"""
    return Pipeline(
        [Node(list_images, ["image_folder", "images_before"], "images", name="list_images")],
        namespace="loading",
        prefix_datasets_with_namespace=False,
    )
