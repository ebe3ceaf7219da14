"""The short form of `benchmarks/fuzz`: a run over mutated and hostile images, and what becomes of each."""

from pathlib import Path

from tests.conftest import run_benchmark


def test_no_hostile_image_fails_a_task_or_is_forgotten(
    tmp_path: Path, images_path: Path, model_params: dict[str, str]
) -> None:
    options = {
        "images": images_path,
        "weights": model_params["weights_path"],
        "weights_digest": model_params["weights_digest"],
        "models": model_params["models_path"],
        "size": 150,
    }
    results, _ = run_benchmark(tmp_path, "fuzz", **options)
    assert results["problems"] == []
    assert results["listed"] == 150 == results["featurized"] + sum(results["rejected"].values())
    assert all(row["images"] for row in results["kinds"].values())
    assert results["kinds"]["PNG of every mode"]["outcomes"] == {
        "features": results["kinds"]["PNG of every mode"]["images"]
    }
    # Few kinds, so that a report can count them.
    kinds = {"empty file", "not a JPEG or PNG image", "truncated", "damaged", "too large"}
    assert set(results["rejected"]) == kinds
