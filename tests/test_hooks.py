import inspect
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_type_hints

import fsspec
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from pyspark.sql import DataFrame, SparkSession

from fruits_bigdata.hooks import (
    CutParameterError,
    DryRunHooks,
    LockHooks,
    PlaceError,
    PlaceHooks,
    ResultHooks,
    SparkHooks,
    StatisticsHooks,
    UnknownParameterError,
)
from fruits_bigdata.output_lock import OutputLockedError
from fruits_bigdata.pipeline_registry import register_pipelines

PROJECT = Path(__file__).parents[1]


def load_context(**runtime_params: object):  # type: ignore[no-untyped-def]
    bootstrap_project(PROJECT)
    with KedroSession.create(PROJECT, runtime_params=runtime_params) as session:
        return session.load_context()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images_pth": "/x"}, "no parameter 'images_pth': did you mean images_path"),
        ({"pca": {"n_component": 3}}, "no parameter 'pca.n_component': did you mean pca.n_components"),
        ({"zzz": 1}, "no parameter 'zzz': there are .*output_path"),
    ],
)
def test_a_mistyped_parameter_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(UnknownParameterError, match=said):
        load_context(**given)


def test_parameters_that_exist_reach_catalog_and_nodes() -> None:
    context = load_context(output_path="/elsewhere", pca={"n_components": 0.95}, limit=7)
    assert context.catalog["features"]._describe()["filepath"] == "/elsewhere/04_feature/features"
    assert context.catalog.load("params:pca").n_components == 0.95
    assert context.catalog.load("params:pca").solver == "moments"
    assert context.catalog.load("params:limit") == 7


def test_home_is_understood_by_every_dataset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    places = {name: f"~/{name}" for name in ("images_path", "output_path", "models_path", "weights_path")}
    catalog = load_context(**places).catalog
    described = {name: catalog[name]._describe() for name in catalog if not name.startswith("param")}
    files = {name: str(found["filepath"]) for name, found in described.items() if "filepath" in found}
    assert len(files) > 10
    outside = {
        name for name, place in files.items() if not place.removeprefix("file://").startswith(str(tmp_path))
    }
    assert outside == set()


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"images_path": "/x/Test", "output_path": "/x/Test"}, "among the images of /x/Test"),
        ({"images_path": "/x/Test", "output_path": "/x/Test/deep/out"}, "be listed as one of them"),
        ({"images_path": "s3a://b", "output_path": "s3://b/out"}, "among the images of s3://b"),
        ({"images_path": "/x", "output_path": "/o", "models_path": "/x/models"}, "compiled_models would be"),
        ({"images_path": "/x", "output_path": "/o [a]"}, "for a pattern: choose another output_path"),
        ({"images_path": "/x", "output_path": "/o/12:30"}, "for a scheme: choose another output_path"),
        ({"images_path": "/x", "output_path": "s3://b/12:30"}, "written to b/12:30/.*, and Hadoop takes"),
    ],
)
def test_places_that_do_not_go_together_are_refused(places: dict[str, str], said: str) -> None:
    catalog = load_context(**places).catalog
    with pytest.raises(PlaceError, match=said):
        PlaceHooks().before_pipeline_run(register_pipelines()["__default__"], catalog)


@pytest.mark.parametrize(
    ("images_path", "output_path"),
    [
        ("/x/Test", "/x"),
        ("/x/Test", "/x/Test2"),
        ("/x [a]/Test", "/o"),
        ("/x: a/Test", "/o, #%20 é='\"&+~"),
        ("s3://b/Test", "s3://b"),
        ("/b", "s3://b"),
    ],
)
def test_neighbouring_places_are_fine(images_path: str, output_path: str) -> None:
    catalog = load_context(images_path=images_path, output_path=output_path).catalog
    PlaceHooks().before_pipeline_run(register_pipelines()["__default__"], catalog)


def test_a_place_is_judged_by_the_name_that_spark_is_given(tmp_path: Path) -> None:
    (tmp_path / "12:30").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "12:30")
    (tmp_path / "a:link").symlink_to(tmp_path)
    PlaceHooks().before_pipeline_run(
        register_pipelines()["export"], load_context(output_path=f"{tmp_path}/link").catalog
    )
    with pytest.raises(PlaceError, match="a:link"):
        PlaceHooks().before_pipeline_run(
            register_pipelines()["export"], load_context(output_path=f"{tmp_path}/a:link").catalog
        )


def test_a_path_that_yaml_would_cut_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["kedro", "run", "--params", "limit=1,images_path=/My #1"])
    with pytest.raises(CutParameterError, match="--params 'images_path=\"/My #1\"'"):
        load_context(images_path="/My")


def test_a_path_that_yaml_takes_for_a_number_is_refused() -> None:
    with pytest.raises(Exception, match="given as 7, which YAML takes for no text: put it in quotes"):
        load_context(images_path=7).catalog.load("image_folder")


def test_the_s3_settings_reach_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec.config, "conf", {})
    load_context(s3={"endpoint_url": "http://127.0.0.1:9", "region": "eu-west-1"})
    assert fsspec.config.conf["s3"]["endpoint_url"] == "http://127.0.0.1:9"
    assert fsspec.config.conf["s3"]["client_kwargs"] == {"region_name": "eu-west-1"}


def test_one_endpoint_serves_python_and_spark() -> None:
    context = load_context(s3={"endpoint_url": "http://127.0.0.1:9"})
    settings = context.config_loader["spark"]
    assert settings["spark.hadoop.fs.s3a.endpoint"] == "http://127.0.0.1:9"
    assert settings["spark.hadoop.fs.s3a.endpoint.region"] == context.params["s3"]["region"] == "eu-west-3"


def test_every_node_that_touches_spark_says_so() -> None:
    for node in register_pipelines()["__default__"].nodes:
        hints = get_type_hints(inspect.unwrap(node.func)).values()
        touches = any(
            hint in (DataFrame, SparkSession) or "Broadcast" in str(hint) or "DataFrame" in str(hint)
            for hint in hints
        )
        assert touches == ("spark" in node.tags), node.name


def no_session(pipeline: Pipeline, end: str = "after_pipeline_run") -> bool:
    """Run the hook in a process that has no session, and tell whether it started none."""
    program = (
        "from kedro.pipeline import Node, Pipeline\n"
        "from pyspark import SparkContext\n"
        "from fruits_bigdata.hooks import SparkHooks\n"
        "hooks = SparkHooks()\n"
        "hooks._settings = {'spark.master': 'local[1]', 'spark.ui.enabled': False}\n"
        f"tags = {[sorted(node.tags) for node in pipeline.nodes]!r}\n"
        "nodes = [Node(len, f'a{i}', f'b{i}', tags=given) for i, given in enumerate(tags)]\n"
        "pipeline = Pipeline(nodes)\n"
        "hooks.before_pipeline_run(pipeline)\n"
        "for node in pipeline.nodes: hooks.before_dataset_loaded(node)\n"
        "print('before', SparkContext._active_spark_context is not None)\n"
        f"hooks.{end}()\n"
        "print('after', SparkContext._active_spark_context is not None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "after False" in done.stdout, done.stderr
    return "before False" in done.stdout


def test_a_session_is_started_only_for_nodes_that_need_one_and_stopped() -> None:
    assert no_session(Pipeline([Node(len, "a", "b", tags="loading")]))
    mixed = Pipeline([Node(len, "a", "b", tags="loading"), Node(len, "c", "d", tags=["pca", "spark"])])
    for end in ("after_pipeline_run", "on_pipeline_error"):
        assert not no_session(mixed, end)


def test_without_java_the_first_node_that_needs_spark_says_so_and_the_run_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_java(settings: object) -> SparkSession:
        raise RuntimeError("no Java was found")

    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    monkeypatch.setattr("fruits_bigdata.hooks.create_session", no_java)
    hooks = SparkHooks()
    nodes = [Node(len, "a", "b", tags="loading"), Node(len, "c", "d", tags="spark")]
    hooks.before_pipeline_run(Pipeline(nodes))
    hooks.before_dataset_loaded(nodes[0])
    with pytest.raises(RuntimeError, match="no Java was found"):
        hooks.before_dataset_loaded(nodes[1])
    hooks.on_pipeline_error()


def test_a_session_that_is_there_is_used_and_left_alone(spark: SparkSession) -> None:
    hooks = SparkHooks()
    hooks.before_pipeline_run(Pipeline([Node(len, "a", "b", tags="spark")]))
    hooks.on_pipeline_error()
    hooks.after_pipeline_run()
    assert spark.range(3).count() == 3


RUN = {"run_id": "my run", "env": None, "runtime_params": {}, "pipeline_names": None, "project_path": PROJECT}


@pytest.mark.parametrize("end", ["after_pipeline_run", "on_pipeline_error", "_release"])
def test_a_run_that_writes_holds_the_lock_and_names_its_java(
    tmp_path: Path, spark: SparkSession, end: str
) -> None:
    context = load_context(output_path=str(tmp_path))
    pipeline = register_pipelines()["export"]
    hooks = LockHooks()
    hooks.after_context_created(context)
    hooks.before_pipeline_run(RUN, pipeline, context.catalog)
    with pytest.raises(OutputLockedError):
        other_thread(LockHooks().before_pipeline_run, RUN, pipeline, context.catalog)
    for node in (Node(len, "a", "b", tags="loading"), *pipeline.nodes):
        hooks.before_dataset_loaded(node)
    processes = json.loads((tmp_path / "_lock.json").read_text())["processes"]
    assert len(processes) == 2
    commands = {Path(f"/proc/{pid}/exe").resolve().name for pid in processes}
    assert "java" in commands
    getattr(hooks, end)()
    assert list(tmp_path.iterdir()) == []
    getattr(hooks, end)()


def other_thread(function: Callable[..., object], *arguments: object) -> object:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def test_break_lock_takes_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "_lock.json"
    lock.write_text("somebody's")
    pipeline = register_pipelines()["export"]
    for given in (False, True):
        context = load_context(output_path=str(tmp_path), break_lock=given)
        hooks = LockHooks()
        hooks.after_context_created(context)
        if not given:
            with pytest.raises(OutputLockedError):
                hooks.before_pipeline_run(RUN, pipeline, context.catalog)
    hooks.before_pipeline_run(RUN, pipeline, context.catalog)
    assert "my run" in lock.read_text()
    hooks.after_pipeline_run()


def test_a_run_that_keeps_nothing_needs_no_lock(tmp_path: Path) -> None:
    context = load_context(output_path=str(tmp_path / "new"))
    LockHooks().before_pipeline_run(RUN, register_pipelines()["plan"], context.catalog)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hooks", [DryRunHooks(), LockHooks()])
def test_a_switch_is_true_or_false(hooks: DryRunHooks | LockHooks) -> None:
    name = "dry_run" if isinstance(hooks, DryRunHooks) else "break_lock"
    with pytest.raises(ValueError, match=f"{name}=no: give true or false"):
        hooks.after_context_created(load_context(**{name: "no"}))


def test_the_clock_follows_the_hooks() -> None:
    catalog = DataCatalog({"run_statistics": MemoryDataset(copy_mode="assign")})
    hooks = StatisticsHooks()
    hooks.after_catalog_created(catalog)
    hooks.before_pipeline_run({"run_id": "r", "env": None, "runtime_params": {"limit": 1}})
    node = Node(len, "a", "b", name="n", tags=["spark", "pca"])
    hooks.before_dataset_loaded(node)
    hooks.after_dataset_saved(node)
    said = catalog.load("run_statistics").as_dict()
    assert (said["env"], said["parameters"]) == ("local", {"limit": 1})
    assert list(said["seconds_by_stage"]) == ["pca"]
    # The next run of the same process has a clock of its own.
    hooks.after_catalog_created(catalog)
    assert catalog.load("run_statistics").as_dict()["seconds_by_stage"] == {}


def test_the_end_of_a_run_says_where_the_results_are(caplog: pytest.LogCaptureFixture) -> None:
    catalog = load_context(output_path="/elsewhere").catalog
    with caplog.at_level(logging.INFO):
        ResultHooks().after_pipeline_run(register_pipelines()["export"], catalog)
    assert "/elsewhere/07_model_output/pca_csv" in caplog.text
    assert "new_images" not in caplog.text


def test_a_store_of_several_names_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    catalog = load_context(output_path="/elsewhere").catalog
    with caplog.at_level(logging.INFO):
        ResultHooks().after_pipeline_run(register_pipelines()["__default__"], catalog)
    assert caplog.text.count("/elsewhere/04_feature/rejected") == 1
    assert "rejected_" not in caplog.text
