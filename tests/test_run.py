"""The whole chain: through Kedro's runner, and as `kedro run` in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from fruits_bigdata.linalg.pca import PcaModel
from tests.conftest import format_params, write_images
from tests.support.commands import PROJECT


@pytest.fixture(scope="module")
def images_path(tmp_path_factory) -> Path:
    """Forty images in four classes, one of them broken, with names that people really use."""
    labels = ("Apple Red 1", "Café crème", "a,b", 'the "best"')
    names = [f"{label}/{i}_100.jpg" for label in labels for i in range(10)]
    root = write_images(tmp_path_factory.mktemp("images") / "Test", names)
    (root / "a,b" / "3_100.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def params(images_path, model_params, tmp_path_factory) -> dict[str, object]:
    places = {name: tmp_path_factory.mktemp(name) for name in ("models_path", "output_path")}
    return {**model_params, "images_path": images_path, **places, "pca.n_components": 10}


def kedro_run(params: dict[str, object], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(params, *arguments), cwd=PROJECT, capture_output=True, text=True)


def command(params: dict[str, object], *arguments: str) -> list[str]:
    return [sys.executable, "-m", "kedro", "run", *arguments, "--params", format_params(params)]


def metrics(params: dict[str, object]) -> dict[str, Any]:
    """Return the run's metrics, which are as their schema says."""
    found: dict[str, Any] = json.loads(
        Path(str(params["output_path"]), "08_reporting/metrics.json").read_text()
    )
    described().validate(found)
    return found


def described() -> jsonschema.Draft202012Validator:
    schema = resources.files("fruits_bigdata.pipelines.reporting").joinpath("metrics.schema.json").read_text()
    return jsonschema.Draft202012Validator(json.loads(schema))


def stored(params: dict[str, object], table: str) -> pd.DataFrame:
    return pd.read_parquet(Path(str(params["output_path"]), table)).sort_values("path", ignore_index=True)


@pytest.fixture(scope="module")
def first_run(params) -> subprocess.CompletedProcess[str]:
    done = kedro_run(params)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_every_listed_image_has_features_or_a_reason(first_run, params, images_path):
    images, features, rejected = (
        stored(params, table)
        for table in ("02_intermediate/images", "04_feature/features", "04_feature/rejected")
    )
    assert set(images["path"]) == {str(path.relative_to(images_path)) for path in images_path.rglob("*.jpg")}
    assert sorted([*features["path"], *rejected["path"]]) == list(images["path"])
    assert dict(zip(rejected["path"], rejected["reason"], strict=True)) == {
        "a,b/3_100.jpg": "not a JPEG or PNG image"
    }
    assert (images["label"] == [path.split("/")[0] for path in images["path"]]).all()


def test_scores_are_those_of_scikit_learn_in_parquet_and_csv(first_run, params):
    features, pca = stored(params, "04_feature/features"), stored(params, "07_model_output/pca")
    assert list(pca["path"]) == list(features["path"])
    matrix = np.stack(features["features"]).astype(np.float64)
    theirs = PCA(10, svd_solver="full").fit(matrix)
    model = PcaModel.load(Path(str(params["output_path"]), "06_models/pca_model.npz"))
    np.testing.assert_allclose(model.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-9)
    np.testing.assert_allclose(np.stack(pca["pca"]), theirs.transform(matrix), atol=1e-4)
    np.testing.assert_allclose(model.transform(matrix), theirs.transform(matrix), atol=1e-7)
    file = Path(str(params["output_path"]), "07_model_output/pca_csv/pca.csv")
    csv = pd.read_csv(file).sort_values("path", ignore_index=True)
    assert list(csv.columns) == ["path", "label", *(f"pca_{i:02d}" for i in range(10))]
    assert (csv[["path", "label"]] == pca[["path", "label"]]).all(axis=None)
    np.testing.assert_array_equal(csv.filter(like="pca_").to_numpy(np.float32), np.stack(pca["pca"]))


def test_the_run_says_what_it_did(first_run, params, weights):
    said = first_run.stdout
    assert "Listed 40 images" in said
    assert "bytes of weights by broadcast" in said
    assert str(params["output_path"]) + "/07_model_output/pca_csv" in said
    report = metrics(params)
    assert report["counts"]["listed"] == 40
    assert report["counts"]["published"] == {"features": 39, "pca": 39, "pca_csv": 39}
    assert report["rejected_by_reason"] == {"not a JPEG or PNG image": 1}
    assert report["featurization"]["weights_digest"] == weights.digest
    assert report["featurization"]["images_per_second"] > 0
    workers = report["featurization"]["workers"]
    assert [worker["interpreters_made"] for worker in workers] == [1] * len(workers)
    assert max(worker["peak_memory_mb"] for worker in workers) < 300
    stages = {"loading", "featurization", "pca", "export", "reporting"}
    assert set(report["run"]["seconds_by_stage"]) == stages
    assert report["parameters"]["pca"]["n_components"] == 10
    assert report["parameters"]["max_rejected_share"] == 0.5


def test_the_report_shows_what_was_found(first_run, params):
    folder = Path(str(params["output_path"]), "08_reporting")
    plots = {
        "class_similarity",
        "components",
        "explained_variance",
        "neighbours",
        "reconstruction_error",
        "rejections",
        "stages",
        "throughput",
    }
    assert {path.stem for path in folder.glob("*.png")} == plots
    for plot in folder.glob("*.png"):
        with Image.open(plot) as image:
            assert image.width > 700
            assert len(image.convert("RGB").getcolors(10**7)) > 20
            assert not image.getexif()
    explorer = metrics(params)["explorer"]
    assert (explorer["points"], explorer["thumbnails"], explorer["pictures_missing"]) == (39, 39, 0)
    assert (folder / "explorer.html").stat().st_size == explorer["bytes"]


def test_the_schema_of_the_metrics_leaves_nothing_out(first_run, params):
    report = metrics(params)
    validator = described()
    validator.check_schema(validator.schema)
    for part in report:
        assert not validator.is_valid({name: value for name, value in report.items() if name != part})
    for part in ("counts", "run", "featurization", "pca", "classes", "neighbours", "explorer"):
        assert not validator.is_valid(report | {part: report[part] | {"else": 1}})
        for figure in report[part]:
            assert not validator.is_valid(
                report | {part: {k: v for k, v in report[part].items() if k != figure}}
            )


def test_a_second_run_computes_nothing_and_needs_no_tensorflow(first_run, params):
    before = stored(params, "04_feature/features")
    # A module that cannot be imported stands before the real one.
    blocked = Path(str(params["models_path"]), "blocked")
    blocked.mkdir()
    for name in ("tensorflow", "keras"):
        (blocked / f"{name}.py").write_text("raise AssertionError('imported')\n")
    environment = {**os.environ, "PYTHONPATH": str(blocked)}
    done = subprocess.run(command(params), cwd=PROJECT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing to featurize" in done.stdout
    report = metrics(params)
    assert report["featurization"]["images"] == report["featurization"]["interpreters_made"] == 0
    assert report["counts"]["features"] == 39
    pd.testing.assert_frame_equal(stored(params, "04_feature/features"), before)


def test_parts_run_alone_from_what_is_in_storage(params, tmp_path):
    given = params | {"output_path": tmp_path, "limit": 14, "pca.n_components": 0.9}
    for part in ("loading", "featurization", "pca", "export"):
        done = kedro_run(given, "--pipelines", part)
        assert done.returncode == 0, done.stdout + done.stderr
        # Nothing else needs Spark, as long as there is little.
        assert ("Spark 3.5" in done.stdout) == (part == "featurization")
    assert len(stored(given, "04_feature/features")) == 14
    assert len(stored(given, "07_model_output/pca")) == 14


def test_what_is_wrong_is_said(params, tmp_path):
    done = kedro_run(params | {"output_path": tmp_path, "images_path": "/nowhere/at/all"})
    assert done.returncode != 0
    assert "The images folder /nowhere/at/all does not exist" in done.stdout + done.stderr


def test_a_run_that_is_told_to_end_stops_spark(params, tmp_path):
    words = command(params | {"output_path": tmp_path})
    with subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Running node: featurize_images" in line:
                break
        # Java is a child of the thread that starts it.
        children = [
            pid
            for thread in Path(f"/proc/{process.pid}/task").iterdir()
            for pid in (thread / "children").read_text().split()
        ]
        (java,) = [pid for pid in children if Path(f"/proc/{pid}/exe").resolve().name == "java"]
        process.terminate()
        process.stdout.read()
    assert process.returncode == 128 + signal.SIGTERM
    # Java ends when it notices that the driver has.
    while Path(f"/proc/{java}").exists():
        time.sleep(0.05)
    assert not (tmp_path / "07_model_output").exists()
