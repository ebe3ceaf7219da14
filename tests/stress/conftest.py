"""Images and a compiled model for runs on a platform that fails, and the features that they are to leave."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import format_params, write_images
from tests.support.runs import FEATURES, REJECTED, read_table

PIPELINES = ["loading", "featurization"]
N_IMAGES = 150


@pytest.fixture(scope="session")
def images_path(tmp_path_factory) -> Path:
    """Images of three classes."""
    names = [f"class {i % 3}/{i}.jpg" for i in range(N_IMAGES)]
    return write_images(tmp_path_factory.mktemp("platform") / "Test", names)


@pytest.fixture(scope="session")
def params(images_path, model_params) -> dict[str, object]:
    """Parameters of a run in several chunks, all but its output's place."""
    return {**model_params, "images_path": str(images_path), "featurization": {"images_per_task": 6}}


@pytest.fixture(scope="session")
def run(params, spark, run_project) -> Callable[..., None]:
    """Run the loading and the featurization in this process."""

    def run(**given: object) -> None:
        run_project(params | given, *PIPELINES)

    return run


@pytest.fixture(scope="session")
def command(params) -> Callable[..., list[str]]:
    """Return the command that does the same in a process of its own."""

    def command(*options: str, **given: object) -> list[str]:
        words = [sys.executable, "-m", "kedro", "run", "--pipelines", ",".join(PIPELINES)]
        return [*words, *options, "--params", format_params(params | given)]

    return command


@pytest.fixture(scope="session")
def undisturbed(run, tmp_path_factory) -> pd.DataFrame:
    """The features that a run leaves which nothing disturbs."""
    output = tmp_path_factory.mktemp("undisturbed")
    run(output_path=str(output))
    table = features(output)
    assert len(table) == N_IMAGES
    return table


@pytest.fixture(scope="session")
def assert_same(undisturbed) -> Callable[[Path], None]:
    """Hold an output against the undisturbed one: each image once, to the last bit, and none rejected."""

    def assert_same(output: Path) -> None:
        found = features(output)
        assert list(found["path"]) == list(undisturbed["path"])
        np.testing.assert_array_equal(np.stack(found["features"]), np.stack(undisturbed["features"]))
        assert read_table(output / REJECTED).empty

    return assert_same


def features(output: Path) -> pd.DataFrame:
    return read_table(output / FEATURES, ["path", "features"])
