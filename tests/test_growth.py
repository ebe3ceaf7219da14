"""A collection that grows and changes from run to run, through Kedro, in a session that outlives the runs."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image
from pptx import Presentation

from fruits_bigdata.linalg.pca import PcaError
from fruits_bigdata.output_lock import OutputLock, OutputLockedError
from fruits_bigdata.pipelines.reporting.nodes import TooManyRejectedError
from fruits_bigdata.vision.weights import Weights, write_weights

PROJECT = Path(__file__).parents[1]

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> dict[str, str]:
    root = tmp_path_factory.mktemp("growth")
    with (root / "seeded.h5").open("w+b") as file:
        write_weights(weights, file)
    return {
        "weights_path": str(root / "seeded.h5"),
        "weights_digest": weights.digest,
        "models_path": str(root / "models"),
    }


@pytest.fixture
def run(images_path: Path, tmp_path: Path, places: dict[str, str], spark: object) -> Run:
    """Run the chain, or one pipeline, and return what it returns."""
    bootstrap_project(PROJECT)

    def run(pipeline: str = "__default__", **params: object) -> dict[str, Any]:
        given = {"images_path": str(images_path), "output_path": str(tmp_path / "out"), **places}
        runtime_params = {**given, "pca": {"n_components": 2}, **params}
        with KedroSession.create(PROJECT, runtime_params=runtime_params) as session:
            returned: dict[str, Any] = session.run(pipeline_names=[pipeline])  # type: ignore[call-arg]
        return returned

    return run


def stored(tmp_path: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(tmp_path / "out" / table).sort_values("path", ignore_index=True)


def report(tmp_path: Path, name: str = "metrics") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / f"out/08_reporting/{name}.json").read_text())
    return found


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((100, 100)).save(path)


@pytest.fixture
def grown(run: Run, images_path: Path, tmp_path: Path) -> Path:
    """Two runs: between them an image was added, one changed, one broken one mended, one withdrawn."""
    draw(images_path / "Apple Red" / "broken.png", 1)
    os.truncate(images_path / "Apple Red" / "broken.png", 3000)
    (images_path / "Apple Red" / "empty.jpg").touch()
    run()
    (images_path / "Apple Red" / "0_100.jpg").unlink()
    draw(images_path / "Apple Red" / "1_100.jpg", 2)
    draw(images_path / "Apple Red" / "broken.png", 1)
    draw(images_path / "Pear" / "new.jpg", 3)
    run()
    return images_path


def test_a_run_does_what_is_new_and_what_changed(grown: Path, tmp_path: Path, run: Run) -> None:
    found = {"listed": 8, "known": 4, "rejected_before": 1, "changed": 2, "new": 1, "gone": 1}
    assert report(tmp_path)["found"] == {**found, "stored_rows": 8, "stale_rows": 3}
    assert report(tmp_path, "featurization_statistics")["images"] == 3
    assert report(tmp_path)["counts"] == {
        "listed": 8,
        "features": 7,
        "rejected": 1,
        "classes": 3,
        "published": {"features": 7, "pca": 7, "pca_csv": 7},
    }
    (alone,) = {str(tmp_path / "alone")}
    run(output_path=alone)
    ours = stored(tmp_path, "07_model_output/pca").drop(columns="version")
    theirs = pd.read_parquet(f"{alone}/07_model_output/pca").sort_values("path", ignore_index=True)
    assert list(ours["path"]) == list(theirs["path"])
    np.testing.assert_allclose(np.stack(ours["pca"]), np.stack(theirs["pca"]), atol=1e-5)


def test_too_many_stale_rows_are_compacted_by_the_run_itself(grown: Path, tmp_path: Path) -> None:
    # 3 of 8 are more than a quarter.
    features, rejected = stored(tmp_path, "04_feature/features"), stored(tmp_path, "04_feature/rejected")
    assert len(features) == features["path"].nunique() == 7
    assert list(rejected["path"]) == ["Apple Red/empty.jpg"]


def test_compaction_keeps_what_counts(run: Run, images_path: Path, tmp_path: Path) -> None:
    run()
    (images_path / "Apple Red" / "0_100.jpg").unlink()
    run()
    before = stored(tmp_path, "04_feature/features")
    # One of six is stale: too few to bother.
    assert len(before) == 6
    run("compaction")
    after = stored(tmp_path, "04_feature/features")
    kept = before[before["path"] != "Apple Red/0_100.jpg"].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, kept)
    run()
    assert report(tmp_path)["found"]["stale_rows"] == 0
    assert report(tmp_path, "featurization_statistics")["images"] == 0


def test_a_limited_run_drops_nothing(run: Run, tmp_path: Path) -> None:
    run()
    run(limit=2)
    assert report(tmp_path)["counts"]["features"] == 2
    with pytest.raises(ValueError, match="limit=2"):
        run("compaction", limit=2)
    assert len(stored(tmp_path, "04_feature/features")) == 6
    run()
    assert report(tmp_path, "featurization_statistics")["images"] == 0
    assert report(tmp_path)["counts"]["features"] == 6


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    run: Run, images_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit) as end:
        run(dry_run=True)
    assert end.value.code == 0
    assert "A run would featurize 6 images" in caplog.text
    assert not (tmp_path / "out").exists()
    assert run("plan")["plan"].load()["new"] == 6


def test_rejected_images_are_tried_again_when_told_to(run: Run, images_path: Path, tmp_path: Path) -> None:
    image = images_path / "Apple Red" / "0_100.jpg"
    good, date = image.read_bytes(), image.stat().st_mtime_ns
    # As many bytes as before, and of the same date: no change that a listing shows.
    image.write_bytes(bytes(len(good)))
    os.utime(image, ns=(date, date))
    run()
    assert len(stored(tmp_path, "04_feature/rejected")) == 1
    image.write_bytes(good)
    os.utime(image, ns=(date, date))
    run()
    assert report(tmp_path)["counts"]["rejected"] == 1
    run(retry_rejected=True)
    assert report(tmp_path)["counts"] | {"rejected": 0, "features": 6} == report(tmp_path)["counts"]
    assert len(stored(tmp_path, "04_feature/rejected")) == 0
    assert stored(tmp_path, "04_feature/features")["path"].is_unique


def test_a_run_of_broken_images_fails_after_its_report(run: Run, images_path: Path, tmp_path: Path) -> None:
    for name in ("0_100.jpg", "1_100.jpg"):
        (images_path / "Apple Red" / name).write_bytes(b"GIF89a")
    said = "2 of this run's 6 images were rejected, and max_rejected_share is 0.3: 2 not a JPEG or PNG image"
    with pytest.raises(TooManyRejectedError, match=re.escape(said)):
        run(max_rejected_share=0.3)
    assert report(tmp_path)["counts"]["features"] == 4
    assert len(stored(tmp_path, "07_model_output/pca")) == 4
    slides = Presentation(tmp_path / "out/08_reporting/presentation.pptx").slides
    assert "dont 2 rejetées" in slides[1].shapes.title.text_frame.text.replace("\xa0", " ")
    # It fails once: the next run has no images of its own to reject.
    run(max_rejected_share=0.3)


def test_when_every_image_is_broken_the_run_says_why(run: Run, images_path: Path, tmp_path: Path) -> None:
    for image in images_path.rglob("*.jpg"):
        image.write_bytes(b"")
    with pytest.raises(
        PcaError, match=r"No image has features. Rejected: 6 empty file \(such as 'Apple Red/0"
    ):
        run()
    assert report(tmp_path, "featurization_statistics")["rejections"][0]["images"] == 6
    assert len(stored(tmp_path, "04_feature/rejected")) == 6


def test_a_second_run_on_the_same_output_is_refused(run: Run, tmp_path: Path) -> None:
    held = tmp_path / "out/_lock.json"
    held.parent.mkdir()
    held.write_text("somebody's")
    with pytest.raises(OutputLockedError, match="break_lock=true"):
        run()
    assert list(held.parent.iterdir()) == [held]
    run(break_lock=True)
    assert not held.exists()
    # What fails gives its lock back as well.
    with pytest.raises(ValueError, match="limit"):
        run(limit=-1)
    OutputLock(str(held)).acquire("another")
