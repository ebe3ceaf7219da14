"""The pipelines of the project."""

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.preview_contract import TextPreview

from fruits_bigdata.pipelines.export.pipeline import create_pipeline as create_export
from fruits_bigdata.pipelines.featurization.pipeline import create_pipeline as create_featurization
from fruits_bigdata.pipelines.loading.pipeline import create_pipeline as create_loading
from fruits_bigdata.pipelines.pca.pipeline import create_pipeline as create_pca
from fruits_bigdata.pipelines.plan.pipeline import create_pipeline as create_plan
from fruits_bigdata.pipelines.reporting.pipeline import create_pipeline as create_reporting

# Of Kedro's previews; without them, a node in kedro viz would be described by its code alone.
warnings.filterwarnings("ignore", message="The 'preview_fn' feature is experimental")


def register_pipelines() -> dict[str, Pipeline]:
    """Return each pipeline by name, and those of a whole run in a row as the default."""
    pipelines = _create_pipelines()
    return {name: _described(pipeline) for name, pipeline in pipelines.items()}


def _create_pipelines() -> dict[str, Pipeline]:
    pipelines = {
        "loading": create_loading(),
        "featurization": create_featurization(),
        "pca": create_pca(),
        "export": create_export(),
        "reporting": create_reporting(),
    }
    return {**pipelines, "plan": create_plan(), "__default__": sum(pipelines.values(), Pipeline([]))}


def _described(pipeline: Pipeline) -> Pipeline:
    """Let kedro viz show beside each node what its function's docstring says."""
    return Pipeline([node._copy(preview_fn=partial(_description, node.func)) for node in pipeline.nodes])


def _description(function: Callable[..., Any]) -> TextPreview:
    paragraph = (inspect.getdoc(function) or function.__name__).partition("\n\n")[0]
    return TextPreview(" ".join(paragraph.split()))
