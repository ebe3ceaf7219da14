from pathlib import Path

import pytest
import yaml
from kedro.pipeline import Node

from fruits_bigdata.pipeline_registry import register_pipelines

# Kedro's data engineering convention.
LAYERS = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]

NODES = register_pipelines()["__default__"].nodes


@pytest.fixture(scope="module")
def layers() -> dict[str, int]:
    text = (Path(__file__).parents[1] / "conf/base/catalog.yml").read_text()
    entries = {name: entry for name, entry in yaml.safe_load(text).items() if not name.startswith("_")}
    return {name: LAYERS.index(entry["metadata"]["kedro-viz"]["layer"]) for name, entry in entries.items()}


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_data_never_flows_back_to_an_earlier_layer(node: Node, layers: dict[str, int]) -> None:
    # kedro viz shows no layers at all where they run in a circle.
    inputs = [layers[name] for name in node.inputs if not name.startswith("params:")]
    assert max(inputs) <= min(layers[name] for name in node.outputs)


def test_the_default_is_all_pipelines_and_every_dataset_is_in_the_catalog(layers: dict[str, int]) -> None:
    pipelines = register_pipelines()
    assert set(pipelines) == {"loading", "featurization", "pca", "export", "reporting", "__default__"}
    parts = [
        node.name for name, pipeline in pipelines.items() if name != "__default__" for node in pipeline.nodes
    ]
    assert sorted(parts) == sorted(node.name for node in NODES)
    datasets = {name for name in pipelines["__default__"].datasets() if not name.startswith("params:")}
    assert datasets == set(layers) - {"images_binary"}
