"""The short form of `tests/stress/fuzz`: a run over mutated and hostile images, and what becomes of each."""

import json
import random

import pytest

from tests.conftest import run_stress
from tests.stress.fuzz import mutations
from tests.stress.fuzz.__main__ import failed_tasks


def test_no_hostile_image_fails_a_task_or_is_forgotten(tmp_path, images_path, model_params):
    options = {
        "images": images_path,
        "weights": model_params["weights_path"],
        "weights_digest": model_params["weights_digest"],
        "models": model_params["models_path"],
        "size": 150,
    }
    results, _ = run_stress(tmp_path, "fuzz", **options)
    assert results["problems"] == []
    assert results["listed"] == 150 == results["featurized"] + sum(results["rejected"].values())
    assert all(row["images"] for row in results["kinds"].values())
    assert results["kinds"]["PNG of every mode"]["outcomes"] == {
        "features": results["kinds"]["PNG of every mode"]["images"]
    }
    # Few kinds, so that a report can count them.
    kinds = {
        "empty file",
        "unsupported format",
        "not a JPEG or PNG image",
        "truncated",
        "damaged",
        "too large",
    }
    assert set(results["rejected"]) == kinds


@pytest.fixture
def sources(images_path) -> list[bytes]:
    return [path.read_bytes() for path in images_path.rglob("*.jpg")]


def test_the_same_seed_makes_the_same_images(sources):
    for make in (mutations.flip_bits, mutations.splice, mutations.mutated_png, mutations.exif):
        one, other = (make(random.Random(1), sources) for _ in range(2))
        assert one == other
        assert one != make(random.Random(2), sources)


def test_a_failed_task_is_found_in_sparks_event_log(tmp_path):
    ended = [
        {"Event": "SparkListenerTaskEnd", "Task End Reason": {"Reason": reason}}
        for reason in ("Success", "ExceptionFailure")
    ]
    (tmp_path / "local-1").write_text(
        "\n".join(map(json.dumps, [{"Event": "SparkListenerLogStart"}, *ended]))
    )
    assert list(failed_tasks(tmp_path)) == ['{"Reason": "ExceptionFailure"}']
