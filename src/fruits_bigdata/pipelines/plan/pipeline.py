"""The plan pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.plan.nodes import plan_run


def create_pipeline() -> Pipeline:
    """image_folder, features, rejected -> plan_run -> plan; nothing is written"""
    inputs = ["image_folder", "features_seen", "rejected_found", "params:limit", "params:retry_rejected"]
    return Pipeline([Node(plan_run, inputs, "plan", name="plan_run", tags="spark")], tags="plan")
