import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.pipelines.featurization.nodes import (
    FeaturizationParameters,
    broadcast_model,
    compare_images,
    compile_model,
    featurize_images,
    retry_rejected,
    select_new_images,
)
from fruits_bigdata.schemas import FEATURES_SCHEMA, REJECTED_SCHEMA
from fruits_bigdata.vision import model
from fruits_bigdata.vision.engine import CompiledModel
from fruits_bigdata.vision.weights import Weights

# What was found, as far as it matters.
SOME_NEW = {"new": 1, "changed": 0}

PARAMETERS = FeaturizationParameters(images_per_task=2, images_per_chunk=4, fetch_threads=2)


@pytest.fixture
def images(spark: SparkSession, image_folder: ImageFolder) -> DataFrame:
    import pyarrow as pa

    listing = pa.Table.from_batches(image_folder.list_batches())
    return spark.createDataFrame(
        listing.to_pandas(), "path string, label string, length long, modified timestamp"
    )


@pytest.fixture
def empty_features(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([], from_arrow_schema(FEATURES_SCHEMA))


@pytest.fixture
def empty_rejected(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([], from_arrow_schema(REJECTED_SCHEMA))


def done(images: DataFrame, featurizer: str, paths: list[str]) -> DataFrame:
    from pyspark.sql.functions import array, col, lit

    rows = images.where(col("path").isin(paths))
    return rows.withColumn("featurizer", lit(featurizer)).withColumn(
        "features", array(lit(0.0).cast("float"))
    )


def paths(table: DataFrame) -> list[str]:
    return sorted(row["path"] for row in table.collect())


def test_a_model_that_was_compiled_before_is_not_compiled_again(
    weights: Weights, image_folder: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_damaged_compiled_model_is_made_anew(
    weights: Weights, compiled_model: CompiledModel, image_folder: ImageFolder
) -> None:
    damaged = {compiled_model.featurizer: lambda: b"damaged"}
    compiled, added = compile_model(weights, damaged, image_folder, PARAMETERS)
    assert model.is_usable(compiled.content)
    assert added == {compiled.featurizer: compiled.content}


def test_an_int8_model_is_calibrated_once_and_kept(
    weights: Weights, image_folder: ImageFolder, images_path: Path
) -> None:
    int8 = PARAMETERS.model_copy(update={"precision": "int8"})
    compiled, added = compile_model(weights, {}, image_folder, int8)
    assert list(added) == [model.model_key(weights.digest, "int8")]
    assert len(compiled.content) < 3_000_000
    # Images that come later do not make another model, or the features could not be compared.
    Image.new("RGB", (9, 9)).save(images_path / "new.png")
    kept = {key: (lambda content=content: content) for key, content in added.items()}
    assert compile_model(weights, kept, image_folder, int8) == (compiled, {})


def test_the_broadcast_says_how_many_bytes_it_sends(
    compiled_model: CompiledModel, images: DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        sent = broadcast_model(compiled_model, images)
    assert sent.value == compiled_model
    assert f"{len(compiled_model.content):,} bytes" in caplog.text


def test_only_images_without_an_outcome_are_new(
    images: DataFrame, empty_rejected: DataFrame, compiled_model: CompiledModel
) -> None:
    from pyspark.sql.functions import col, expr, lit, when

    features = done(images, compiled_model.featurizer, ["Apple Red/0_100.jpg", "Apple Red/1_100.jpg"])
    # The second has another size since, a third is rejected.
    features = features.withColumn("length", expr("if(path like '%1_100.jpg', length + 1, length)"))
    rejected = done(images, compiled_model.featurizer, ["Apple Red/2_100.jpg"]).withColumn(
        "reason", lit("why")
    )
    new = select_new_images(images, features, rejected, compiled_model, SOME_NEW)
    assert new.columns == images.columns
    assert paths(new) == ["Apple Red/1_100.jpg"] + [f"Café crème/{i}_100.jpg" for i in range(3)]
    touched = images.withColumn(
        "modified",
        when(col("path") == "Apple Red/0_100.jpg", expr("modified + interval 1 second")).otherwise(
            col("modified")
        ),
    )
    assert "Apple Red/0_100.jpg" in paths(
        select_new_images(touched, features, rejected, compiled_model, SOME_NEW)
    )


def test_the_log_says_what_was_found_done(
    images: DataFrame,
    empty_rejected: DataFrame,
    caplog: pytest.LogCaptureFixture,
) -> None:
    features = done(images, "f", ["Apple Red/0_100.jpg", "Apple Red/1_100.jpg"])
    with caplog.at_level(logging.INFO):
        assert compare_images(images, features, empty_rejected)["known"] == 2
    assert "6 images listed: 2 featurized before" in caplog.text


def test_rejected_images_are_forgotten_only_to_be_tried_again(
    images: DataFrame, empty_rejected: DataFrame
) -> None:
    rejected = done(images, "f", ["Apple Red/0_100.jpg"])
    assert retry_rejected(rejected, False) == []
    assert retry_rejected(empty_rejected, True) == []
    (nothing,) = retry_rejected(rejected, True)
    assert (nothing.columns, nothing.count()) == (rejected.columns, 0)


def test_nothing_is_looked_for_when_there_is_nothing_to_do(
    images: DataFrame, empty_features: DataFrame, empty_rejected: DataFrame, compiled_model: CompiledModel
) -> None:
    for found, n in (({"new": 0, "changed": 0}, 0), ({"new": 0, "changed": 1}, 6), (SOME_NEW, 6)):
        new = select_new_images(images, empty_features, empty_rejected, compiled_model, found)
        assert new.count() == n
        assert new.columns == images.columns


def test_features_of_another_model_are_never_mixed_in(
    images: DataFrame, empty_rejected: DataFrame, compiled_model: CompiledModel
) -> None:
    features = done(images, "another", ["Apple Red/0_100.jpg"])
    with pytest.raises(ValueError, match=r"featurizer another, this run's is .*output_path="):
        select_new_images(images, features, empty_rejected, compiled_model, SOME_NEW)


def test_features_are_those_of_keras_and_nothing_is_lost(
    images: DataFrame,
    images_path: Path,
    image_folder: ImageFolder,
    compiled_model: CompiledModel,
    keras_model,  # type: ignore[no-untyped-def]
    caplog: pytest.LogCaptureFixture,
) -> None:
    from keras.applications.mobilenet_v2 import preprocess_input

    (images_path / "Apple Red" / "0_100.jpg").write_bytes(b"no picture")
    sent = broadcast_model(compiled_model, images)
    features, rejected, chunks = [], [], []
    with caplog.at_level(logging.INFO):
        for chunk_features, chunk_rejected, statistics in featurize_images(
            images, sent, image_folder, PARAMETERS
        ):
            assert chunk_features.columns == FEATURES_SCHEMA.names
            assert chunk_rejected.columns == REJECTED_SCHEMA.names
            features += chunk_features.collect()
            rejected += chunk_rejected.collect()
            chunks.append(statistics)
    assert len(chunks) == 2
    assert [(row["path"], row["reason"]) for row in rejected] == [
        ("Apple Red/0_100.jpg", "not a JPEG or PNG image")
    ]
    listed = {row["path"]: row for row in images.collect()}
    assert {row["path"] for row in features} == listed.keys() - {"Apple Red/0_100.jpg"}
    pixels = [
        np.asarray(Image.open(images_path / row["path"]).resize((224, 224)), np.float32) for row in features
    ]
    expected = keras_model.predict(preprocess_input(np.stack(pixels)), verbose=0)
    np.testing.assert_allclose(np.array([row["features"] for row in features]), expected, atol=1e-4)
    for row in [*features, *rejected]:
        assert row["featurizer"] == compiled_model.featurizer
        before = listed[row["path"]]
        assert (row["label"], row["length"], row["modified"]) == (
            before["label"],
            before["length"],
            before["modified"],
        )
    last = chunks[-1]
    assert (last["images"], last["rejected"]) == (6, 1)
    (kind,) = last["rejections"]
    assert (kind["kind"], kind["images"]) == ("not a JPEG or PNG image", 1)
    assert kind["examples"] == [{"path": "Apple Red/0_100.jpg", "reason": "not a JPEG or PNG image"}]
    assert last["parameters"] == PARAMETERS.model_dump()
    assert last["broadcast_bytes"] == len(compiled_model.content)
    assert all(worker["interpreters_made"] <= 1 for worker in last["workers"])
    assert sum(worker["images"] for worker in last["workers"]) == 6
    assert (
        f"{last['interpreters_made']} interpreters made by {len(last['workers'])} Python workers"
        in caplog.text
    )


def test_tasks_fill_whole_rounds_of_the_cores(
    images: DataFrame,
    image_folder: ImageFolder,
    compiled_model: CompiledModel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent = broadcast_model(compiled_model, images)
    # Six images on two cores: three to a task would be one round, two would leave a core idle in the second.
    for images_per_task, n_tasks in ((3, 2), (2, 4), (6, 2)):
        parameters = FeaturizationParameters(
            images_per_task=images_per_task, images_per_chunk=100, fetch_threads=2
        )
        with caplog.at_level(logging.INFO):
            chunks = featurize_images(images, sent, image_folder, parameters)
            assert sum(features.count() for features, _, _ in chunks) == 6
        assert f"6 new images to featurize, in 1 chunks of {n_tasks} tasks" in caplog.text
        caplog.clear()


def test_one_interpreter_serves_a_worker_from_task_to_task(
    images: DataFrame, image_folder: ImageFolder, compiled_model: CompiledModel
) -> None:
    sent = broadcast_model(compiled_model, images)
    parameters = PARAMETERS.model_copy(update={"images_per_task": 1, "images_per_chunk": 100})
    many = images.union(images.selectExpr("path", "label", "length + 1 as length", "modified"))
    ((_, _, statistics),) = featurize_images(many, sent, image_folder, parameters)
    assert statistics["images"] == 12
    # Those that served another test have theirs already.
    assert statistics["interpreters_made"] <= len(statistics["workers"]) <= 2


def test_no_chunk_stays_in_memory(
    spark: SparkSession, images: DataFrame, image_folder: ImageFolder, compiled_model: CompiledModel
) -> None:
    def n_persisted() -> int:
        return int(spark.sparkContext._jsc.getPersistentRDDs().size())

    before = n_persisted()
    during = []
    for _ in featurize_images(images, broadcast_model(compiled_model, images), image_folder, PARAMETERS):
        during.append(n_persisted() - before)
    # The list of new images and the outcomes of the chunk at hand.
    assert during == [2, 2]
    assert n_persisted() == before


def test_nothing_new_yields_one_empty_chunk_without_an_interpreter(
    images: DataFrame, image_folder: ImageFolder, compiled_model: CompiledModel
) -> None:
    sent = broadcast_model(compiled_model, images)
    ((features, rejected, statistics),) = featurize_images(images.limit(0), sent, image_folder, PARAMETERS)
    assert features.columns == FEATURES_SCHEMA.names
    assert rejected.columns == REJECTED_SCHEMA.names
    assert features.isEmpty()
    assert rejected.isEmpty()
    assert statistics["images"] == statistics["interpreters_made"] == 0
    assert statistics["images_per_second"] is None


def test_a_mistyped_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="images_per_tusk"):
        FeaturizationParameters(images_per_task=1, images_per_chunk=1, fetch_threads=1, images_per_tusk=2)  # type: ignore[call-arg]
