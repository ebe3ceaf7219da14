import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.pipelines.featurization import nodes
from fruits_bigdata.pipelines.featurization.nodes import (
    RemovalError,
    broadcast_model,
    compare_images,
    compile_model,
    featurize_images,
)
from fruits_bigdata.pipelines.loading.nodes import list_images
from fruits_bigdata.pipelines.parameters import FeaturizationParameters
from fruits_bigdata.spark.chunks import chunk_sizes
from fruits_bigdata.tables import rewriting
from fruits_bigdata.tables.comparison import Work
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import FEATURES_SCHEMA, IMAGES_SCHEMA, REJECTED_SCHEMA
from fruits_bigdata.vision import model
from fruits_bigdata.vision.engine import CompiledModel

PARAMETERS = FeaturizationParameters(
    images_per_task=2, fetch_threads=2, precision="float32", reduced_decoding=False
)
FIRST = "Apple Red/0_100.jpg"


class Output:
    """What runs leave, step by step."""

    def __init__(self, root: Path, folder: ImageFolder, compiled_model: CompiledModel) -> None:
        self.folder, self.compiled_model = folder, compiled_model
        self.images, self.features, self.rejected = (
            Table(str(root / name), schema)
            for name, schema in (
                ("images", IMAGES_SCHEMA),
                ("features", FEATURES_SCHEMA),
                ("rejected", REJECTED_SCHEMA),
            )
        )

    def compare(
        self, limit: int | None = None, retry: bool = False, max_removed_share: float = 0.5
    ) -> tuple[Work, dict[str, int]]:
        self.images.commit(list_images(self.folder, self.images))
        return compare_images(
            self.images, self.features, self.rejected, self.folder, limit, retry, max_removed_share
        )

    def run(self, parameters: FeaturizationParameters = PARAMETERS, **options: Any) -> list[dict[str, Any]]:
        """Do the featurization, and return the statistics after each chunk."""
        work, _ = self.compare(**options)
        sent = broadcast_model(self.compiled_model, work)
        statistics = []
        for features, rejected, summary in featurize_images(work, sent, self.folder, parameters):
            features.table.commit(features)
            rejected.table.commit(rejected)
            statistics.append(summary)
        return statistics

    def paths(self, table: Table) -> list[str]:
        return sorted(table.read(["path"]).column("path").to_pylist())


@pytest.fixture
def output(spark, tmp_path, image_folder, compiled_model) -> Output:
    return Output(tmp_path / "output", image_folder, compiled_model)


def test_a_model_that_was_compiled_before_is_not_compiled_again(weights, image_folder, monkeypatch):
    compiled, added = compile_model(weights, {}, image_folder, PARAMETERS)
    assert added == {model.model_key(weights.digest): compiled.content}

    def never(*_: object) -> bytes:
        raise AssertionError("compiled")

    monkeypatch.setattr(model, "compile_model", never)
    kept = {key: (lambda content=content: content) for key, content in added.items()}
    assert compile_model(weights, kept, image_folder, PARAMETERS) == (compiled, {})
    # The same model serves features of another kind.
    reduced = PARAMETERS.model_copy(update={"reduced_decoding": True})
    other, added = compile_model(weights, kept, image_folder, reduced)
    assert (other.content, other.reduced_decoding, added) == (compiled.content, True, {})
    assert other.featurizer != compiled.featurizer


def test_a_damaged_compiled_model_is_made_anew(weights, compiled_model, image_folder):
    damaged = {compiled_model.featurizer: lambda: b"damaged"}
    compiled, added = compile_model(weights, damaged, image_folder, PARAMETERS)
    assert model.is_usable(compiled.content)
    assert added == {compiled.featurizer: compiled.content}


def test_an_int8_model_is_calibrated_once_and_kept(weights, image_folder, images_path):
    int8 = PARAMETERS.model_copy(update={"precision": "int8"})
    compiled, added = compile_model(weights, {}, image_folder, int8)
    assert list(added) == [model.model_key(weights.digest, "int8")]
    assert len(compiled.content) < 3_000_000
    # Images that come later do not make another model, or the features could not be compared.
    Image.new("RGB", (9, 9)).save(images_path / "new.png")
    kept = {key: (lambda content=content: content) for key, content in added.items()}
    assert compile_model(weights, kept, image_folder, int8) == (compiled, {})


def test_features_are_those_of_keras_and_nothing_is_lost(
    output,
    images_path,
    compiled_model,
    keras_model,  # type: ignore[no-untyped-def]
    caplog,
):
    from keras.applications.mobilenet_v2 import preprocess_input

    broken = images_path / FIRST
    broken.write_bytes(b"-" * broken.stat().st_size)
    with caplog.at_level(logging.INFO):
        last = output.run()[-1]
    rejected, features = output.rejected.to_pandas(), output.features.to_pandas()
    assert rejected[["path", "reason"]].to_numpy().tolist() == [[FIRST, "not a JPEG or PNG image"]]
    assert set(features["path"]) == set(output.paths(output.images)) - {FIRST}
    pixels = [
        np.asarray(Image.open(images_path / path).resize((224, 224)), np.float32) for path in features["path"]
    ]
    expected = keras_model.predict(preprocess_input(np.stack(pixels)), verbose=0)
    np.testing.assert_allclose(np.stack(features["features"]), expected, atol=1e-4)
    columns = ["path", "label", "length", "modified"]
    outcomes = pd.concat([features[columns], rejected[columns]]).sort_values("path", ignore_index=True)
    pd.testing.assert_frame_equal(outcomes, output.images.to_pandas().sort_values("path", ignore_index=True))
    assert {*features["featurizer"], *rejected["featurizer"]} == {compiled_model.featurizer}
    assert (last["images"], last["rejected"]) == (6, 1)
    (kind,) = last["rejections"]
    assert (kind["kind"], kind["images"]) == ("not a JPEG or PNG image", 1)
    assert kind["examples"] == [{"path": FIRST, "reason": "not a JPEG or PNG image"}]
    assert last["parameters"] == PARAMETERS.model_dump()
    assert last["broadcast_bytes"] == len(compiled_model.content)
    assert all(worker["interpreters_made"] <= 1 for worker in last["workers"])
    assert sum(worker["images"] for worker in last["workers"]) == 6
    assert f"interpreters made by {len(last['workers'])} Python workers" in caplog.text


def test_a_run_is_committed_chunk_by_chunk(output, images_path):
    for i in range(20):
        (images_path / "Apple Red" / f"more {i}.jpg").write_bytes((images_path / FIRST).read_bytes())
    chunks = output.run(PARAMETERS.model_copy(update={"images_per_task": 3}))
    # Four tasks for each of two cores, of three images: 24 and 2.
    assert [chunk["images"] for chunk in chunks] == [24, 26]
    # The table is made first.
    assert output.features.version == 2
    assert output.features.rows == 26
    assert output.rejected.version is not None


@pytest.mark.parametrize("n", [1, 47, 48, 500, 2_000, 12_000, 1_000_000])
@pytest.mark.parametrize("n_cores", [2, 16])
def test_tasks_get_smaller_towards_the_end(n, n_cores):
    chunks = list(chunk_sizes(n, n_cores, 5_000))
    sizes = [images / tasks for images, tasks in chunks]
    assert sum(images for images, _ in chunks) == n
    assert all(tasks <= 4 * n_cores for _, tasks in chunks)
    assert max(sizes) <= 5_000
    assert sizes == sorted(sizes, reverse=True) or n < 500
    # The last chunk is a part, unless all is little.
    assert chunks[-1][0] <= max(96 * 4 * n_cores, n // 4)


def test_nothing_new_commits_nothing_and_needs_no_spark(output, monkeypatch, caplog):
    output.run()
    versions = [table.version for table in (output.images, output.features, output.rejected)]

    def never() -> None:
        raise AssertionError("a session")

    monkeypatch.setattr(nodes, "get_session", never)
    with caplog.at_level(logging.INFO):
        (statistics,) = output.run()
    assert "Nothing to featurize" in caplog.text
    assert statistics["images"] == statistics["interpreters_made"] == 0
    assert statistics["images_per_second"] is None
    assert [table.version for table in (output.images, output.features, output.rejected)] == versions


def test_rows_of_images_that_went_or_changed_leave_in_one_commit_with_what_replaces_them(output, images_path):
    output.run()
    before = output.features.to_pandas().set_index("path")["features"]
    version = output.features.version
    (images_path / "Café crème" / "0_100.jpg").unlink()
    Image.new("RGB", (9, 9), "red").save(images_path / FIRST)
    output.run()
    assert output.features.version == (version or 0) + 1
    after = output.features.to_pandas().set_index("path")["features"]
    assert sorted(after.index) == sorted(set(before.index) - {"Café crème/0_100.jpg"})
    assert not np.array_equal(after[FIRST], before[FIRST])
    for path in after.index.drop(FIRST):
        np.testing.assert_array_equal(after[path], before[path])
    # The folder holds what the log names, for those who read all of it.
    assert len(pd.read_parquet(output.features.url)) == 5


def test_a_class_that_is_renamed_has_a_new_label(output, images_path):
    output.run()
    (images_path / "Apple Red").rename(images_path / "Apple Green")
    output.run(max_removed_share=1)
    assert set(output.features.to_pandas()["label"]) == {"Apple Green", "Café crème"}
    # So have the images at the top, whose path is the same and whose class is the folder.
    (images_path / "top.jpg").write_bytes((images_path / "Apple Green" / "0_100.jpg").read_bytes())
    output.run()
    moved = images_path.rename(images_path.with_name("Other"))
    output.folder = ImageFolder(str(moved))
    output.run()
    labels = output.features.to_pandas().set_index("path")["label"]
    assert (labels["top.jpg"], labels["Apple Green/0_100.jpg"]) == ("Other", "Apple Green")


def test_more_than_a_share_of_the_rows_is_never_removed(output, images_path):
    output.run()
    for image in [*(images_path / "Apple Red").iterdir(), images_path / "Café crème" / "0_100.jpg"]:
        image.unlink()
    with pytest.raises(RemovalError, match=r"4 of 6 stored images are no more in .*max_removed_share=0.5"):
        output.run()
    assert output.features.rows == 6
    output.run(max_removed_share=0.7)
    assert output.features.rows == 2


def test_features_are_never_made_from_the_listing_of_another_folder(output, tmp_path):
    output.run()
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ValueError, match=rf"listing is of .*/Test, and images_path is {other}: give"):
        compare_images(
            output.images, output.features, output.rejected, ImageFolder(str(other)), None, False, 0.5
        )


def test_rejected_images_are_tried_again_when_told_to(output, images_path):
    content = (images_path / FIRST).read_bytes()
    status = (images_path / FIRST).stat()
    (images_path / FIRST).write_bytes(b"\0" * len(content))
    os.utime(images_path / FIRST, ns=(status.st_atime_ns, status.st_mtime_ns))
    output.run()
    (images_path / FIRST).write_bytes(content)
    os.utime(images_path / FIRST, ns=(status.st_atime_ns, status.st_mtime_ns))
    output.run()
    assert output.paths(output.rejected) == [FIRST]
    output.run(retry=True)
    assert output.paths(output.rejected) == []
    assert output.features.rows == 6


@pytest.mark.parametrize("n_new", [0, 1])
def test_features_of_another_model_are_never_mixed_in(output, compiled_model, images_path, n_new):
    output.run()
    for _ in range(n_new):
        (images_path / "new.jpg").write_bytes((images_path / FIRST).read_bytes())
    work, _ = output.compare()
    other = model.describe_model("other weights", compiled_model.content)
    with pytest.raises(ValueError, match=rf"by the featurizer {compiled_model.featurizer}, this run's is "):
        broadcast_model(other, work)


def test_small_files_are_merged_when_there_are_many(output, images_path, monkeypatch):
    monkeypatch.setattr(rewriting, "_MAX_SMALL_FILES", 3)
    content = (images_path / FIRST).read_bytes()
    for i in range(3):
        output.run()
        (images_path / "Apple Red" / f"new {i}.jpg").write_bytes(content)
        (images_path / "Apple Red" / f"broken {i}.jpg").write_bytes(b"broken")
    output.run()
    assert (output.features.rows, output.rejected.rows) == (9, 3)
    assert len(output.features.files) <= 4
    (images_path / "Apple Red" / "broken 3.jpg").write_bytes(b"broken")
    output.run()
    output.run()
    assert (output.rejected.rows, len(output.rejected.files)) == (4, 1)
    before = output.features.to_pandas().set_index("path")["features"]
    np.testing.assert_array_equal(before[FIRST], before["Apple Red/new 1.jpg"])


def test_dates_of_all_times_come_through(output, images_path):
    for i, year in enumerate((1601, 1969, 2262, 3000)):
        seconds = int((np.datetime64(f"{year}-01-01") - np.datetime64("1970-01-01")) / np.timedelta64(1, "s"))
        os.utime(images_path / "Apple Red" / f"{i % 3}_100.jpg", (0, seconds))
        output.run()
        assert output.features.rows == 6
    assert output.run()[-1]["images"] == 0
    pd.read_parquet(output.features.url)
