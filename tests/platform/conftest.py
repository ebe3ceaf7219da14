"""Images and a compiled model for runs on a platform that fails, and the features that they are to leave."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image
from pyspark.sql import SparkSession

from benchmarks.runs import FEATURES, REJECTED, read_table
from fruits_bigdata.datasets.compiled_models_dataset import CompiledModelsDataset
from fruits_bigdata.vision.engine import CompiledModel
from fruits_bigdata.vision.model import model_key
from fruits_bigdata.vision.weights import Weights, write_weights

PROJECT = Path(__file__).parents[2]
PIPELINES = ["loading", "featurization"]
N_IMAGES = 150


@pytest.fixture(scope="session")
def images_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three classes."""
    root = tmp_path_factory.mktemp("platform") / "Test"
    rng = np.random.default_rng(0)
    for i in range(N_IMAGES):
        path = root / f"class {i % 3}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((100, 100)).save(path)
    return root


@pytest.fixture(scope="session")
def params(
    images_path: Path,
    weights: Weights,
    compiled_model: CompiledModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, object]:
    """Parameters of a run in several chunks, all but its output's place."""
    root = tmp_path_factory.mktemp("models")
    with (root / "seeded.h5").open("w+b") as file:
        write_weights(weights, file)
    CompiledModelsDataset(filepath=str(root)).save({model_key(weights.digest): compiled_model.content})
    return {
        "images_path": str(images_path),
        "weights_path": str(root / "seeded.h5"),
        "weights_digest": weights.digest,
        "models_path": str(root),
        "featurization": {"images_per_task": 6},
    }


@pytest.fixture(scope="session")
def run(params: dict[str, object], spark: SparkSession) -> Callable[..., None]:
    """Run the loading and the featurization in this process."""
    bootstrap_project(PROJECT)

    def run(**given: object) -> None:
        with KedroSession.create(PROJECT, runtime_params=params | given) as session:
            session.run(pipeline_names=PIPELINES)  # type: ignore[call-arg]

    return run


@pytest.fixture(scope="session")
def command(params: dict[str, Any]) -> Callable[..., list[str]]:
    """Return the command that does the same in a process of its own."""

    def command(*options: str, **given: object) -> list[str]:
        flat: dict[str, object] = {}
        for key, value in (params | given).items():
            flat |= (
                {f"{key}.{name}": of for name, of in value.items()}
                if isinstance(value, dict)
                else {key: value}
            )
        said = ",".join(f"{key}={value}" for key, value in flat.items())
        pipelines = ",".join(PIPELINES)
        return [sys.executable, "-m", "kedro", "run", "--pipelines", pipelines, *options, "--params", said]

    return command


@pytest.fixture(scope="session")
def undisturbed(run: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The features that a run leaves which nothing disturbs."""
    output = tmp_path_factory.mktemp("undisturbed")
    run(output_path=str(output))
    table = features(output)
    assert len(table) == N_IMAGES
    return table


@pytest.fixture(scope="session")
def assert_same(undisturbed: pd.DataFrame) -> Callable[[Path], None]:
    """Hold an output against the undisturbed one: each image once, to the last bit, and none rejected."""

    def assert_same(output: Path) -> None:
        found = features(output)
        assert list(found["path"]) == list(undisturbed["path"])
        np.testing.assert_array_equal(np.stack(found["features"]), np.stack(undisturbed["features"]))
        assert read_table(output / REJECTED).empty

    return assert_same


def features(output: Path) -> pd.DataFrame:
    return read_table(output / FEATURES, ["path", "features"])
