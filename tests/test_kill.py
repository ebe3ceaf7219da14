"""The short form of `benchmarks/kill_test`: runs are killed, or two at once, while three readers look on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fruits_bigdata.vision.weights import Weights, write_weights

PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize(("mode", "on_s3"), [("kills", False), ("two-runs", False), ("lost-answers", True)])
def test_runs_that_are_disturbed_and_finished_end_as_if_nothing_had_happened(
    tmp_path: Path, weights: Weights, mode: str, on_s3: bool
) -> None:
    rng = np.random.default_rng(0)
    for i in range(120):
        path = tmp_path / "images" / f"class {i % 3}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((100, 100)).save(path)
    with (tmp_path / "seeded.h5").open("w+b") as file:
        write_weights(weights, file)
    options = {
        "images": tmp_path / "images",
        "weights": tmp_path / "seeded.h5",
        "weights-digest": weights.digest,
        "output": tmp_path / "results.json",
        "runs": 2,
        "size": 120,
        "task": 5,
    }
    command = [sys.executable, "-m", "benchmarks.kill_test", f"--{mode}", *(["--s3"] if on_s3 else [])]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    assert results["problems"] == []
    assert [run["same"] for run in results["runs"]] == [True, True]
    assert all(run["kills"] if mode == "kills" else run["attempts"][-1] == "done" for run in results["runs"])
    assert results["looks"]["seen"] > 10
    assert "wrong" not in results["looks"]
