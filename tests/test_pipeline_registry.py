import pytest
from kedro.pipeline import Pipeline
from kedro.pipeline.preview_contract import TextPreview

from fruits_bigdata.pipeline_registry import register_pipelines

# Kedro's data engineering convention.
LAYERS = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]

NODES = register_pipelines()["__default__"].nodes


def is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


@pytest.fixture(scope="module")
def layers(load_context) -> dict[str, int]:
    context = load_context()
    found = {}
    for name in {*context.catalog.keys(), *(name for node in NODES for name in node.outputs)}:
        if not is_parameter(name):
            metadata = context.catalog[name].metadata
            found[name] = LAYERS.index(metadata["kedro-viz"]["layer"])
    return found


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_data_never_flows_back_to_an_earlier_layer(node, layers):
    # kedro viz shows no layers at all where they run in a circle.
    inputs = [layers[name] for name in node.inputs if not is_parameter(name)]
    assert max(inputs) <= min((layers[name] for name in node.outputs), default=len(LAYERS))


def test_the_default_is_all_pipelines_and_every_dataset_is_in_the_catalog(layers):
    pipelines = register_pipelines()
    run = {"loading", "featurization", "pca", "export", "reporting"}
    assert set(pipelines) == run | {"plan", "__default__"}
    parts = [node.name for name in run for node in pipelines[name].nodes]
    assert sorted(parts) == sorted(node.name for node in NODES)
    datasets = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    in_catalog = {name for name in datasets if not is_parameter(name)}
    assert in_catalog == set(layers) - {"images_binary"}


@pytest.mark.parametrize("names", [["featurization", "pca"], ["pca", "featurization", "loading"]])
def test_pipelines_that_are_named_together_wait_for_each_other(names):
    pipelines = register_pipelines()
    together = sum((pipelines[name] for name in names), Pipeline([]))
    order = [node.name for node in together.nodes]
    assert order.index("featurization.featurize_images") < order.index("pca.summarize_features")


def test_a_run_fails_for_its_rejected_images_only_when_all_else_is_done():
    assert NODES[-1].name == "reporting.check_rejected_share"


def test_nothing_is_kept_of_a_plan():
    assert register_pipelines()["plan"].all_outputs() == {"plan"}


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_kedro_viz_says_of_each_node_what_it_does(node):
    preview = node.preview()
    assert isinstance(preview, TextPreview)
    assert preview.content.endswith(".")
    assert preview.content in " ".join((node.func.__doc__ or "").split())
