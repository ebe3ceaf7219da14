import logging

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node

from fruits_bigdata.hooks.reports import ResultHooks, StatisticsHooks
from fruits_bigdata.pipeline_registry import register_pipelines


def test_the_clock_follows_the_hooks():
    catalog = DataCatalog({"run_statistics": MemoryDataset(copy_mode="assign")})
    hooks = StatisticsHooks()
    hooks.after_catalog_created(catalog)
    hooks.before_pipeline_run({"run_id": "r", "env": None, "runtime_params": {"limit": 1}})
    node = Node(len, "a", "b", name="n", namespace="pca")
    hooks.before_dataset_loaded(node)
    hooks.after_dataset_saved(node)
    said = catalog.load("run_statistics").as_dict()
    assert (said["env"], said["parameters"]) == ("local", {"limit": 1})
    assert list(said["seconds_by_stage"]) == ["pca"]
    # The next run of the same process has a clock of its own.
    hooks.after_catalog_created(catalog)
    assert catalog.load("run_statistics").as_dict()["seconds_by_stage"] == {}


def test_the_end_of_a_run_says_where_the_results_are(load_context, caplog):
    catalog = load_context(output_path="/elsewhere").catalog
    with caplog.at_level(logging.INFO):
        ResultHooks().after_pipeline_run(register_pipelines()["__default__"], catalog)
    # A table of several names is named once.
    for place in ("07_model_output/pca_csv", "04_feature/rejected"):
        assert caplog.text.count(f"/elsewhere/{place}") == 1
    assert "rejected_" not in caplog.text
