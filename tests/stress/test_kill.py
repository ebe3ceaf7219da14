"""The short form of `tests/stress/kill`: runs are killed, or two at once, while three readers look on."""

import pytest

from tests.conftest import run_stress, write_images


@pytest.mark.parametrize("flags", [["--kills"], ["--two-runs"]])
def test_runs_that_are_disturbed_and_finished_end_as_if_nothing_had_happened(tmp_path, model_params, flags):
    options = {
        "images": write_images(tmp_path / "images", [f"class {i % 3}/{i}.jpg" for i in range(120)]),
        "weights": model_params["weights_path"],
        "weights_digest": model_params["weights_digest"],
        "runs": 2,
        "size": 120,
        "task": 5,
    }
    results, _ = run_stress(tmp_path, "kill", *flags, **options)
    assert results["problems"] == []
    assert [run["same"] for run in results["runs"]] == [True, True]
    killed = "--kills" in flags
    assert all(run["kills"] if killed else run["attempts"][-1] == "done" for run in results["runs"])
    assert results["looks"]["seen"] > 10
    assert "wrong" not in results["looks"]
