"""A collection that grows and changes from run to run, through Kedro, in a session that outlives the runs."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from fsspec.implementations.local import LocalFileSystem
from kedro.io import DatasetError
from PIL import Image
from pptx import Presentation
from pyspark.sql import SparkSession

from fruits_bigdata.pipelines.reporting.nodes import TooManyRejectedError
from fruits_bigdata.spark import session as spark_session
from tests.conftest import write_images

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> tuple[Path, Path]:
    """Where the images and the output lie, and where a copy of both is kept, once a first run is done."""
    place = tmp_path_factory.mktemp("growth") / "place"
    return place, place.with_name("copy")


@pytest.fixture
def place(kept) -> Path:
    """Two classes of three images each."""
    place, _ = kept
    shutil.rmtree(place, ignore_errors=True)
    names = [f"{label}/{i}_100.jpg" for label in ("Apple Red", "Café crème") for i in range(3)]
    write_images(place / "Test", names)
    return place


@pytest.fixture
def images_path(place) -> Path:
    return place / "Test"


@pytest.fixture
def run(place, model_params, run_project, spark) -> Run:
    """Run the chain, one pipeline or another part of it, and return what it returns."""

    def run(*pipelines: str, part: dict[str, Any] | None = None, **params: object) -> dict[str, Any]:
        given = {"images_path": str(place / "Test"), "output_path": str(place / "out"), **model_params}
        return run_project({**given, "pca": {"n_components": 2}, **params}, *pipelines, **part or {})

    return run


@pytest.fixture
def finished(run, kept) -> None:
    """A first run on the six images, which is made once for all tests."""
    place, copy = kept
    if not copy.exists():
        run()
        shutil.copytree(place, copy)
    shutil.rmtree(place)
    shutil.copytree(copy, place)


def stored(place: Path, table: str) -> pd.DataFrame:
    rows = DeltaTable(place / "out" / table).to_pandas().sort_values("path", ignore_index=True)
    files = list((place / "out" / table).glob("*.parquet"))
    # Whoever reads every file of the folder reads the same.
    assert len(rows) == (len(pd.read_parquet(place / "out" / table)) if files else 0)
    return rows


def report(place: Path, name: str = "metrics") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / f"out/08_reporting/{name}.json").read_text())
    return found


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((100, 100)).save(path)


@pytest.fixture
def grown(run, images_path, place) -> Path:
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


def test_a_run_does_what_is_new_and_what_changed(grown, place, run):
    counts = {"listed": 8, "known": 4, "rejected_before": 1, "retried": 0, "changed": 2, "new": 1, "gone": 1}
    assert report(place)["found"] == {**counts, "stored": 8, "postponed": 0}
    assert report(place, "featurization_statistics")["images"] == 3
    assert report(place)["counts"] == {
        "listed": 8,
        "features": 7,
        "rejected": 1,
        "classes": 3,
        "published": {"features": 7, "pca": 7, "pca_csv": 7},
    }
    features, rejected = stored(place, "04_feature/features"), stored(place, "04_feature/rejected")
    assert len(features) == features["path"].nunique() == 7
    assert list(rejected["path"]) == ["Apple Red/empty.jpg"]
    alone = str(place / "alone")
    run(output_path=alone)
    ours = stored(place, "07_model_output/pca")
    theirs = pd.read_parquet(f"{alone}/07_model_output/pca").sort_values("path", ignore_index=True)
    assert list(ours["path"]) == list(theirs["path"])
    np.testing.assert_allclose(np.stack(ours["pca"]), np.stack(theirs["pca"]), atol=1e-5)


TABLES = ("02_intermediate/images", "04_feature/features", "04_feature/rejected", "07_model_output/pca")


def versions(place: Path, *tables: str) -> dict[str, int]:
    return {table: DeltaTable(place / "out" / table).version() for table in tables or TABLES}


def test_a_run_with_nothing_new_writes_no_table_and_starts_no_java(finished, run, place, monkeypatch):
    before = versions(place), (place / "out/07_model_output/pca_csv/pca.csv").stat().st_ino

    def never(settings: object) -> None:
        raise AssertionError("Java")

    with monkeypatch.context() as patch:
        patch.setattr(spark_session, "create_session", never)
        patch.setattr(SparkSession, "getActiveSession", classmethod(lambda cls: None))
        run()
    assert (versions(place), (place / "out/07_model_output/pca_csv/pca.csv").stat().st_ino) == before


def test_any_part_of_a_run_goes_on_from_what_is_stored(finished, run, place):
    before = stored(place, "07_model_output/pca")
    picture = place / "out/08_reporting/class_similarity.png"
    for part, draws in (
        ({"from_nodes": ["pca.project_features"]}, False),
        ({"to_outputs": ["pca"]}, False),
        ({"to_nodes": ["export.check_export"]}, False),
        ({"from_inputs": ["pca_model"]}, True),
        ({"node_names": ["reporting.measure_classes", "reporting.plot_class_similarity"]}, True),
        ({"only_missing_outputs": True}, True),
    ):
        picture.unlink(missing_ok=True)
        run(part=part)
        assert picture.exists() == draws, part
        pd.testing.assert_frame_equal(stored(place, "07_model_output/pca"), before)


def test_a_limited_run_removes_nothing(run, place):
    run(limit=4)
    assert report(place)["counts"] == {
        "listed": 6,
        "features": 4,
        "rejected": 0,
        "classes": 2,
        "published": {"features": 4, "pca": 4, "pca_csv": 4},
    }
    # The listing is whole, whatever the limit, so no pipeline takes the others for gone.
    run("loading", limit=1)
    run("featurization", limit=1)
    assert len(stored(place, "04_feature/features")) == 5
    run()
    assert report(place, "featurization_statistics")["images"] == 1
    assert report(place)["counts"]["features"] == 6


def test_a_folder_that_cannot_be_listed_for_one_run_loses_no_row(
    finished, run, images_path, place, monkeypatch
):
    before = stored(place, "04_feature/features")
    listed = LocalFileSystem.ls

    # As it is to a user without the right: this one may read everything.
    def refuse(self: LocalFileSystem, path: str, *args: Any, **options: Any) -> Any:
        if str(path).endswith("Apple Red"):
            raise PermissionError(13, "Permission denied", path)
        return listed(self, path, *args, **options)

    draw(images_path / "Café crème" / "new.jpg", 3)
    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "ls", refuse)
        run()
    counts = report(place)["found"]
    assert (counts["listed"], counts["known"], counts["new"], counts["gone"]) == (7, 6, 1, 0)
    after = stored(place, "04_feature/features")
    pd.testing.assert_frame_equal(after[after["path"] != "Café crème/new.jpg"].reset_index(drop=True), before)


def test_a_damaged_table_is_named_and_repaired(finished, run, place):
    before = stored(place, "04_feature/features")
    file = next((place / "out/04_feature/features").glob("*.parquet"))
    os.truncate(file, 0)
    with pytest.raises(DatasetError, match=rf"{file.name} has 0 bytes instead of .*repair=true"):
        run()
    run(repair=True)
    pd.testing.assert_frame_equal(stored(place, "04_feature/features"), before)
    assert report(place)["counts"]["features"] == 6


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("02_intermediate/images/*.parquet", "cut"),
        ("07_model_output/pca/*.parquet", "gone"),
        ("07_model_output/pca_csv/pca.csv", "empty"),
        ("07_model_output/pca_csv/_source.json", "cut"),
        ("06_models/pca_model.npz", "cut"),
        ("08_reporting/comparison.json", "empty"),
    ],
)
def test_what_is_made_of_others_is_made_anew(finished, run, place, name, damage):
    before = stored(place, "07_model_output/pca")
    (file,) = (place / "out").glob(name)
    if damage == "gone":
        file.unlink()
    else:
        os.truncate(file, 0 if damage == "empty" else file.stat().st_size // 2)
    run("loading", "featurization", "pca", "export")
    after = stored(place, "07_model_output/pca")
    assert list(after["path"]) == list(before["path"])
    np.testing.assert_allclose(np.stack(after["pca"]), np.stack(before["pca"]), atol=1e-5)
    csv = pd.read_csv(place / "out/07_model_output/pca_csv/pca.csv").sort_values("path")
    assert list(csv["path"]) == list(before["path"])
    if name.startswith("08_reporting"):
        run("reporting")


def test_a_damaged_listing_alone_takes_no_row_out(finished, run, place):
    (listing,) = (place / "out/02_intermediate/images").glob("*.parquet")
    listing.unlink()
    with pytest.raises(DatasetError, match=rf"{listing.name} is missing"):
        run("featurization", max_removed_share=1)
    assert len(stored(place, "04_feature/features")) == 6


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(run, images_path, place, caplog):
    with pytest.raises(SystemExit) as end:
        run(dry_run=True)
    assert end.value.code == 0
    assert "A run would featurize 6 images" in caplog.text
    assert not (place / "out").exists()
    assert run("plan")["plan"].load()["new"] == 6
    run("loading")
    run("featurization", limit=4)
    before = versions(place, "02_intermediate/images", "04_feature/features")
    done = sorted(stored(place, "04_feature/features")["path"])
    (images_path / done[0]).unlink()
    (images_path / done[1]).write_bytes(b"another")
    plan = run("plan", limit=2)["plan"].load()
    counts = {"listed": 5, "known": 2, "changed": 1, "new": 2, "gone": 1, "postponed": 1, "to_featurize": 2}
    assert {name: plan[name] for name in counts} == counts
    assert "would featurize 2 images and remove 2 rows" in caplog.text
    assert versions(place, "02_intermediate/images", "04_feature/features") == before


def test_a_run_of_broken_images_fails_after_its_report(run, images_path, place):
    for name in ("0_100.jpg", "1_100.jpg"):
        (images_path / "Apple Red" / name).write_bytes(b"GIF89a")
    said = "2 of this run's 6 images were rejected, and max_rejected_share is 0.3: 2 unsupported format"
    with pytest.raises(TooManyRejectedError, match=re.escape(said)):
        run(max_rejected_share=0.3)
    assert report(place)["counts"]["features"] == 4
    assert len(stored(place, "07_model_output/pca")) == 4
    slides = Presentation(place / "out/08_reporting/presentation.pptx").slides
    assert "dont 2 rejetées" in slides[1].shapes.title.text_frame.text.replace("\xa0", " ")
    # It fails once: the next run has no images of its own to reject.
    run(max_rejected_share=0.3)
