"""The short form of `make rehearsal`: the shipped package on S3 and YARN, with a container killed."""

from fruits_bigdata.vision.weights import WEIGHTS_FILE_NAME, write_weights
from tests.conftest import run_stress


def test_the_package_runs_on_yarn_and_s3_and_survives_a_killed_container(tmp_path, images_path, weights):
    # Where Keras keeps its own, the project looks on the master.
    with (tmp_path / WEIGHTS_FILE_NAME).open("w+b") as file:
        write_weights(weights, file)
    options = {
        "images": images_path,
        "weights": tmp_path / WEIGHTS_FILE_NAME,
        "weights_digest": weights.digest,
        "work": tmp_path / "work",
    }
    (run,), said = run_stress(tmp_path, "rehearsal", "--short", **options)
    assert run["rows"] == 150
    # The application master, two executors, and one in place of the one that was killed.
    assert run["containers"] == 4
    assert run["requests_failed"] > 0
    assert run["retries"] >= 1
    assert "The planted credentials are in none of" in said
