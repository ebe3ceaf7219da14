import errno
import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from fruits_bigdata.images.budget import MemoryBudget
from fruits_bigdata.images.pixels import decode
from fruits_bigdata.tables.schemas import OUTCOME_SCHEMA
from fruits_bigdata.vision import engine, featurize
from fruits_bigdata.vision.engine import CompiledModel, Engine
from fruits_bigdata.vision.featurize import FeaturesNotFiniteError, featurize_batches
from fruits_bigdata.vision.statistics import FeaturizationStatistics


def run(  # type: ignore[no-untyped-def]
    batches, compiled_model: CompiledModel, read_file, reduced_decoding: bool = False
) -> tuple[pa.Table, FeaturizationStatistics]:
    reports: list[FeaturizationStatistics] = []
    outcomes = featurize_batches(
        batches,
        model=lambda: compiled_model,
        featurizer=compiled_model.featurizer,
        read_file=read_file,
        fetch_threads=3,
        reduced_decoding=reduced_decoding,
        report=reports.append,
    )
    table = pa.Table.from_batches(outcomes, schema=OUTCOME_SCHEMA)
    (report,) = reports
    return table, report


def failing(error: Exception) -> Callable[[str, int], bytes]:
    def read_file(path: str, length: int) -> bytes:
        raise error

    return read_file


def test_every_image_gets_the_features_of_its_own_pixels(image_folder, listing, compiled_model):
    engine._engines.clear()
    table, report = run(listing.to_batches(), compiled_model, image_folder.read)
    assert table.select(listing.column_names).equals(listing)
    assert set(table["featurizer"].to_pylist()) == {compiled_model.featurizer}
    assert table["reason"].null_count == len(listing)
    alone = Engine(compiled_model.content)
    for path, features in zip(table["path"].to_pylist(), table["features"].to_pylist(), strict=True):
        image = Image.open(io.BytesIO(image_folder.read(path))).resize((224, 224))
        np.testing.assert_array_equal(np.float32(features), alone.features(np.asarray(image)))
    assert (report.images, report.rejected) == (6, 0)
    assert report.bytes_read == sum(listing["length"].to_pylist())
    assert list(report.engines_made.values()) == [1]
    assert report.engine_seconds > 0
    assert report.waiting_seconds > 0
    _, again = run(listing.to_batches(), compiled_model, image_folder.read)
    assert again.engines_made == {}


def test_large_photographs_are_decoded_at_a_reduced_size_if_that_is_wanted(
    images_path, image_folder, compiled_model
):
    path = "Apple Red/0_100.jpg"
    values = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(values).resize((2400, 1800)).save(images_path / path)
    (batch,) = image_folder.list_batches()
    batch = batch.slice(0, 1)
    alone = Engine(compiled_model.content)
    for reduced in (False, True):
        table, _ = run([batch], compiled_model, image_folder.read, reduced_decoding=reduced)
        expected = alone.features(decode(image_folder.read(path), reduced))
        np.testing.assert_array_equal(np.float32(table["features"][0].as_py()), expected)
    assert not np.array_equal(expected, alone.features(decode(image_folder.read(path))))


def test_what_cannot_be_used_goes_out_with_its_reason(images_path, image_folder, compiled_model):
    (images_path / "Apple Red" / "1_100.jpg").write_bytes(b"")
    (images_path / "Apple Red" / "2_100.jpg").write_bytes(b"no picture")
    batches = list(image_folder.list_batches())
    (images_path / "Café crème" / "0_100.jpg").unlink()
    length = os.path.getsize(images_path / "Café crème" / "1_100.jpg")
    os.truncate(images_path / "Café crème" / "1_100.jpg", 1_000_000_000)
    table, report = run(batches, compiled_model, image_folder.read)
    reasons = dict(zip(table["path"].to_pylist(), table["reason"].to_pylist(), strict=True))
    assert reasons == {
        "Apple Red/0_100.jpg": None,
        "Apple Red/1_100.jpg": "empty file",
        "Apple Red/2_100.jpg": "not a JPEG or PNG image",
        "Café crème/0_100.jpg": "vanished: it was listed, but it was not there to be read",
        "Café crème/1_100.jpg": f"changed: listed with {length:,} bytes, has 1,000,000,000 now",
        "Café crème/2_100.jpg": None,
    }
    # A reason or features, never both and never neither.
    assert [f is None for f in table["features"].to_pylist()] == [r is not None for r in reasons.values()]
    assert {len(f) for f in table["features"].to_pylist() if f is not None} == {1280}
    alone = Engine(compiled_model.content)
    for path, features in zip(table["path"].to_pylist(), table["features"].to_pylist(), strict=True):
        if features is not None:
            np.testing.assert_array_equal(
                np.float32(features), alone.features(decode(image_folder.read(path)))
            )
    assert (report.images, report.rejected) == (6, 4)
    assert sum(n for n, _ in report.rejections.values()) == 4


def test_a_file_larger_than_the_limit_is_not_fetched(listing, compiled_model, monkeypatch):
    monkeypatch.setattr(featurize, "MAX_FILE_BYTES", 10)
    table, _ = run(listing.to_batches(), compiled_model, failing(AssertionError("fetched")))
    assert all(reason.startswith("too large: ") for reason in table["reason"].to_pylist())


def test_files_at_hand_are_within_their_budget(image_folder, listing, compiled_model, monkeypatch):
    largest = max(listing["length"].to_pylist())
    monkeypatch.setattr(featurize, "_files_at_hand", MemoryBudget(largest))
    at_hand: list[str] = []
    most = 0

    def read_file(path: str, length: int) -> bytes:
        nonlocal most
        at_hand.append(path)
        time.sleep(0.02)
        most = max(most, len(at_hand))
        return image_folder.read(path, length)

    def decode_and_drop(data: bytes, reduced: bool) -> np.ndarray:
        at_hand.pop()
        return decode(data, reduced)

    monkeypatch.setattr(featurize, "decode", decode_and_drop)
    table, report = run(listing.to_batches(), compiled_model, read_file)
    assert (most, report.images, report.rejected) == (1, len(table), 0)


def test_an_unreadable_file_is_the_images_trouble(listing, compiled_model):
    refused = PermissionError(errno.EACCES, "Permission denied")
    table, _ = run(listing.to_batches(), compiled_model, failing(refused))
    assert table["reason"].to_pylist() == ["unreadable: [Errno 13] Permission denied"] * 6


@pytest.mark.parametrize("name", ["EBUSY", "ETIMEDOUT", "ECONNRESET", "EMFILE", "ENFILE", "ENOMEM"])
def test_a_storage_that_is_busy_fails_the_task_instead_of_rejecting(listing, compiled_model, name):
    with pytest.raises(OSError, match="SlowDown"):
        run(listing.to_batches(), compiled_model, failing(OSError(getattr(errno, name), "SlowDown")))


def test_features_that_are_not_finite_end_the_task_and_name_the_weights(
    image_folder, listing, compiled_model
):
    # In the midst of the kernels.
    content = bytearray(compiled_model.content)
    middle = len(content) // 2 & ~3
    content[middle : middle + 40_000] = np.full(10_000, np.nan, np.float32).tobytes()
    damaged = CompiledModel("damaged", compiled_model.weights_digest, bytes(content))
    with pytest.raises(FeaturesNotFiniteError) as error:
        run(listing.to_batches(), damaged, image_folder.read)
    assert "'Apple Red/0_100.jpg'" in str(error.value)
    assert compiled_model.weights_digest in str(error.value)


def test_fetching_ahead_keeps_the_order_and_holds_few_results():
    taken = 0
    furthest = 0

    def square(i: int) -> int:
        nonlocal furthest
        furthest = max(furthest, i - taken)
        return i * i

    with ThreadPoolExecutor(3) as pool:
        for taken, result in enumerate(featurize._ahead(pool, square, range(100), 5)):
            assert result == taken * taken
    assert taken == 99
    assert furthest <= 6
