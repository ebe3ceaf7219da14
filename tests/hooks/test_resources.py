import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_type_hints

import fsspec
import pytest
from kedro.framework.context import KedroContext
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from pyspark.sql import DataFrame, SparkSession

from fruits_bigdata.hooks.reports import DryRunHooks
from fruits_bigdata.hooks.resources import LockHooks, SparkHooks
from fruits_bigdata.output_lock import OutputLockedError
from fruits_bigdata.pipeline_registry import register_pipelines

LoadContext = Callable[..., KedroContext]


PROJECT = Path(__file__).parents[2]


RUN = {"run_id": "my run", "env": None, "runtime_params": {}, "pipeline_names": None, "project_path": PROJECT}


def test_the_s3_settings_reach_python(load_context: LoadContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec.config, "conf", {})
    load_context(s3={"endpoint_url": "http://127.0.0.1:9", "region": "eu-west-1"})
    assert fsspec.config.conf["s3"]["endpoint_url"] == "http://127.0.0.1:9"
    assert fsspec.config.conf["s3"]["client_kwargs"] == {"region_name": "eu-west-1"}


def test_one_endpoint_serves_python_and_spark(load_context: LoadContext) -> None:
    context = load_context(s3={"endpoint_url": "http://127.0.0.1:9"})
    settings = context.config_loader["s3a"]
    assert settings["spark.hadoop.fs.s3a.endpoint"] == "http://127.0.0.1:9"
    assert settings["spark.hadoop.fs.s3a.endpoint.region"] == context.params["s3"]["region"] == "eu-west-3"


def test_every_node_that_touches_spark_says_so() -> None:
    for node in register_pipelines()["__default__"].nodes:
        hints = get_type_hints(inspect.unwrap(node.func)).values()
        touches = any(
            hint in (DataFrame, SparkSession) or "Broadcast" in str(hint) or "sql.dataframe" in str(hint)
            for hint in hints
        )
        assert touches == ("spark" in node.tags), node.name


def no_session(pipeline: Pipeline, end: str = "after_pipeline_run") -> bool:
    """Run the hook in a process that has no session, and tell whether it started none."""
    program = (
        "from kedro.io import DataCatalog\n"
        "from kedro.pipeline import Node, Pipeline\n"
        "from pyspark import SparkContext\n"
        "from fruits_bigdata.hooks.resources import SparkHooks\n"
        "hooks = SparkHooks()\n"
        "hooks._settings = {'spark.master': 'local[1]', 'spark.ui.enabled': False}\n"
        f"tags = {[sorted(node.tags) for node in pipeline.nodes]!r}\n"
        "nodes = [Node(len, f'a{i}', f'b{i}', tags=given) for i, given in enumerate(tags)]\n"
        "pipeline = Pipeline(nodes)\n"
        "hooks.before_pipeline_run(pipeline, DataCatalog())\n"
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
    monkeypatch.setattr("fruits_bigdata.hooks.resources.create_session", no_java)
    hooks = SparkHooks()
    nodes = [Node(len, "a", "b", tags="loading"), Node(len, "c", "d", tags="spark")]
    hooks.before_pipeline_run(Pipeline(nodes), DataCatalog())
    hooks.before_dataset_loaded(nodes[0])
    with pytest.raises(RuntimeError, match="no Java was found"):
        hooks.before_dataset_loaded(nodes[1])
    hooks.on_pipeline_error()


def test_a_session_that_is_there_is_used_and_left_alone(spark: SparkSession) -> None:
    hooks = SparkHooks()
    hooks.before_pipeline_run(Pipeline([Node(len, "a", "b", tags="spark")]), DataCatalog())
    hooks.on_pipeline_error()
    hooks.after_pipeline_run()
    assert spark.range(3).count() == 3


@pytest.mark.parametrize("end", ["after_pipeline_run", "on_pipeline_error", "_release"])
def test_a_run_that_writes_holds_the_lock_and_names_its_java(
    load_context: LoadContext, tmp_path: Path, spark: SparkSession, end: str
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


def test_break_lock_takes_the_lock(load_context: LoadContext, tmp_path: Path) -> None:
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


def test_a_run_that_keeps_nothing_needs_no_lock(load_context: LoadContext, tmp_path: Path) -> None:
    context = load_context(output_path=str(tmp_path / "new"))
    LockHooks().before_pipeline_run(RUN, register_pipelines()["plan"], context.catalog)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hooks", [DryRunHooks(), LockHooks()])
def test_a_switch_is_true_or_false(load_context: LoadContext, hooks: DryRunHooks | LockHooks) -> None:
    name = "dry_run" if isinstance(hooks, DryRunHooks) else "break_lock"
    with pytest.raises(ValueError, match=f"{name}=no: give true or false"):
        hooks.after_context_created(load_context(**{name: "no"}))
