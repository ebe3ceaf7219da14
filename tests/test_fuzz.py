"""The short form of `benchmarks/fuzz`: a run over mutated and hostile images, and what becomes of each."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fuzz import mutations
from benchmarks.fuzz.__main__ import failed_tasks
from fruits_bigdata.datasets.compiled_models_dataset import CompiledModelsDataset
from fruits_bigdata.vision.engine import CompiledModel
from fruits_bigdata.vision.model import model_key
from fruits_bigdata.vision.weights import Weights, write_weights

PROJECT = Path(__file__).parents[1]


def test_no_hostile_image_fails_a_task_or_is_forgotten(
    tmp_path: Path, images_path: Path, weights: Weights, compiled_model: CompiledModel
) -> None:
    # Compiling it once more would take most of the time.
    models = CompiledModelsDataset(filepath=str(tmp_path / "models"))
    models.save({model_key(weights.digest): compiled_model.content})
    with (tmp_path / "seeded.h5").open("w+b") as file:
        write_weights(weights, file)
    options = {
        "images": images_path,
        "weights": tmp_path / "seeded.h5",
        "weights-digest": weights.digest,
        "models": tmp_path / "models",
        "output": tmp_path / "results.json",
        "size": 150,
    }
    command = [sys.executable, "-m", "benchmarks.fuzz"]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    assert results["problems"] == []
    assert results["listed"] == 150 == results["featurized"] + sum(results["rejected"].values())
    assert all(row["images"] for row in results["kinds"].values())
    assert results["kinds"]["PNG of every mode"]["outcomes"] == {
        "features": results["kinds"]["PNG of every mode"]["images"]
    }
    # Few kinds, so that a report can count them.
    kinds = {"empty file", "not a JPEG or PNG image", "truncated", "damaged", "too large"}
    assert set(results["rejected"]) == kinds


@pytest.fixture
def sources(images_path: Path) -> list[bytes]:
    return [path.read_bytes() for path in images_path.rglob("*.jpg")]


def test_the_same_seed_makes_the_same_images(sources: list[bytes]) -> None:
    for make in (mutations.flip_bits, mutations.splice, mutations.mutated_png, mutations.exif):
        one, other = (make(random.Random(1), sources) for _ in range(2))
        assert one == other
        assert one != make(random.Random(2), sources)


def test_a_failed_task_is_found_in_sparks_event_log(tmp_path: Path) -> None:
    ended = [
        {"Event": "SparkListenerTaskEnd", "Task End Reason": {"Reason": reason}}
        for reason in ("Success", "ExceptionFailure")
    ]
    (tmp_path / "local-1").write_text(
        "\n".join(map(json.dumps, [{"Event": "SparkListenerLogStart"}, *ended]))
    )
    assert list(failed_tasks(tmp_path)) == ['{"Reason": "ExceptionFailure"}']
