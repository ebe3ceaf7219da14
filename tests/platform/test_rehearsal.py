"""The short form of `make rehearsal`: the shipped package on S3 and YARN, with a container killed."""

import json
import subprocess
import sys
from pathlib import Path

from fruits_bigdata.vision.weights import WEIGHTS_FILE_NAME, Weights, write_weights

PROJECT = Path(__file__).parents[2]


def test_the_package_runs_on_yarn_and_s3_and_survives_a_killed_container(
    tmp_path: Path, images_path: Path, weights: Weights
) -> None:
    # Where Keras keeps its own, the project looks on the master.
    with (tmp_path / WEIGHTS_FILE_NAME).open("w+b") as file:
        write_weights(weights, file)
    options = {
        "images": images_path,
        "weights": tmp_path / WEIGHTS_FILE_NAME,
        "weights-digest": weights.digest,
        "work": tmp_path / "work",
        "output": tmp_path / "results.json",
    }
    command = [sys.executable, "-m", "benchmarks.rehearsal", "--short"]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads((tmp_path / "results.json").read_text())["results"]
    assert run["rows"] == 150
    # The application master, two executors, and one in place of the one that was killed.
    assert run["containers"] == 4
    assert run["requests_failed"] > 0
    assert run["retries"] >= 1
    assert "The planted credentials are in none of" in done.stdout
