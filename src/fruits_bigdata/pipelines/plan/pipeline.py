"""The plan pipeline: what a run would do."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.plan.nodes import plan_run


def create_pipeline() -> Pipeline:
    """image_folder, images_before, features_before, rejected_before -> plan_run -> plan"""
    inputs = [
        "image_folder",
        "images_before",
        "features_before",
        "rejected_before",
        "params:limit",
        "params:retry_rejected",
        "params:max_removed_share",
    ]
    return Pipeline(
        [Node(plan_run, inputs, "plan", name="plan_run")],
        namespace="plan",
        prefix_datasets_with_namespace=False,
    )
