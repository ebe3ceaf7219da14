import pytest
from kedro.io import DataCatalog, MemoryDataset
from threadpoolctl import threadpool_info, threadpool_limits

from fruits_bigdata.hooks import resources
from fruits_bigdata.hooks.resources import SparkHooks
from fruits_bigdata.pipeline_registry import register_pipelines
from fruits_bigdata.spark import session as spark_session
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import REJECTED_SCHEMA
from tests.support.commands import run_python

RUN = {"run_id": "my run"}


def test_one_endpoint_serves_python_and_spark(load_context):
    context = load_context(s3={"endpoint_url": "http://127.0.0.1:9"})
    settings = context.config_loader["s3a"]
    assert settings["spark.hadoop.fs.s3a.endpoint"] == "http://127.0.0.1:9"
    assert settings["spark.hadoop.fs.s3a.endpoint.region"] == context.params["s3"]["region"] == "eu-west-3"


@pytest.mark.slow
@pytest.mark.parametrize("end", ["after_pipeline_run", "on_pipeline_error"])
@pytest.mark.parametrize("n_new", [0, 1])
def test_a_session_is_started_when_there_is_work_and_stopped(n_new, end):
    program = f"""
from types import SimpleNamespace
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from pyspark import SparkContext
from fruits_bigdata.spark import session as spark_session
from fruits_bigdata.hooks import resources
from fruits_bigdata.hooks.resources import SparkHooks

hooks = SparkHooks()
hooks._settings = {{"spark.master": "local[1]", "spark.ui.enabled": False}}
hooks.before_pipeline_run({RUN}, Pipeline([]), DataCatalog())
hooks.after_dataset_saved("comparison", {{}})
print("first", spark_session._this.own is not None)
hooks.after_dataset_saved("work", SimpleNamespace(new=SimpleNamespace(num_rows={n_new})))
if spark_session._this.own is not None:
    print("range", spark_session.get_session().range(3).count())
hooks.{end}()
print("after", SparkContext._active_spark_context is not None)
"""
    done = run_python(program)
    assert "first False" in done.stdout, done.stderr
    assert ("range 3" in done.stdout) == bool(n_new)
    assert "after False" in done.stdout


@pytest.mark.parametrize("is_first", [True, False])
def test_before_the_first_features_a_session_is_started_at_once(monkeypatch, is_first):
    starts: list[int] = []
    monkeypatch.setattr(resources, "start_session", lambda: starts.append(1))
    features = MemoryDataset() if is_first else MemoryDataset("features")
    catalog = DataCatalog({"features": features})
    SparkHooks().before_pipeline_run(RUN, register_pipelines()["featurization"], catalog)
    SparkHooks().before_pipeline_run(RUN, register_pipelines()["pca"], catalog)
    assert len(starts) == is_first


def test_a_session_that_is_there_is_used_and_left_alone(spark):
    hooks = SparkHooks()
    hooks.before_pipeline_run(RUN, register_pipelines()["export"], DataCatalog())
    spark_session.start_session()
    assert spark_session.get_session() is spark
    hooks.on_pipeline_error()
    hooks.after_pipeline_run()
    assert spark.range(3).count() == 3


def test_only_a_pipeline_of_sparks_own_files_gives_java_a_way_to_s3(load_context, monkeypatch):
    monkeypatch.setattr(spark_session._this, "settings", {})
    hooks = SparkHooks()
    hooks.after_context_created(load_context(images_path="/nowhere"))
    assert "spark.hadoop.fs.s3.impl" not in spark_session._this.settings
    # In a notebook, images may be read by Spark's own source.
    on_s3 = load_context(images_path="/nowhere")
    monkeypatch.setattr(type(on_s3), "params", {"images_path": "s3://bucket/Test"})
    hooks.after_context_created(on_s3)
    assert "spark.hadoop.fs.s3.impl" in spark_session._this.settings
    hooks.before_pipeline_run(RUN, register_pipelines()["export"], DataCatalog())
    assert "spark.hadoop.fs.s3.impl" not in spark_session._this.settings


def test_linear_algebra_of_a_run_has_one_thread():
    with threadpool_limits(2, user_api="blas"):
        SparkHooks().before_pipeline_run(RUN, register_pipelines()["export"], DataCatalog())
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_commits_carry_the_id_of_the_run(tmp_path):
    SparkHooks().before_pipeline_run(RUN, register_pipelines()["export"], DataCatalog())
    table = Table(str(tmp_path / "table"), REJECTED_SCHEMA)
    table.commit(Change(table))
    assert table.metadata["run"] == "my run"
