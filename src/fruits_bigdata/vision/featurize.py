"""The worker's step: listed images in, features or the reason for having none out."""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fruits_bigdata.images.budget import MAX_FILE_BYTES, MemoryBudget
from fruits_bigdata.images.container import UnusableImageError
from fruits_bigdata.images.folder import ImageSizeError
from fruits_bigdata.images.pixels import decode
from fruits_bigdata.tables.schemas import LENGTH, OUTCOME_SCHEMA, PATH
from fruits_bigdata.vision.engine import CompiledModel, shared_engine
from fruits_bigdata.vision.statistics import FeaturizationStatistics, this_worker

# The storage's trouble, not the image's: the task fails and is tried again, the image is not rejected.
_PASSING_ERRORS = {
    errno.EBUSY,
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.ECONNRESET,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}

_files_at_hand = MemoryBudget(MAX_FILE_BYTES)


class FeaturesNotFiniteError(RuntimeError):
    """The model makes NaN or infinite features: it is its weights' fault, not an image's."""


Item = TypeVar("Item")
Result = TypeVar("Result")


def featurize_batches(
    batches: Iterable[pa.RecordBatch],
    *,
    model: Callable[[], CompiledModel],
    featurizer: str,
    read_file: Callable[[str, int], bytes],
    fetch_threads: int,
    reduced_decoding: bool,
    report: Callable[[FeaturizationStatistics], None],
) -> Iterator[pa.RecordBatch]:
    """Turn batches of listed images into batches of outcomes, fetching and decoding ahead of the model.

    Args:
        batches: Record batches of `schemas.IMAGES_SCHEMA`.
        model: Returns the compiled model; called once in the life of a worker process.
        featurizer: The model's fingerprint.
        read_file: Returns the bytes of the image at a path relative to the images root, given the length that
            it was listed with; `ImageSizeError` if it has another one.
        fetch_threads: Threads that fetch and decode while the model works.
        reduced_decoding: As in `pixels.decode`.
        report: Receives the statistics once, when all batches are done.

    Yields:
        A batch of `schemas.OUTCOME_SCHEMA` for each batch: every image that came in goes out, either with
        `features`, float32 (n_features,), or with the `reason` why it has none.

    Raises:
        OSError: The storage failed in a way that says nothing about the image.
        FeaturesNotFiniteError: The model is damaged, or its weights are.
    """
    statistics = FeaturizationStatistics()

    def content() -> bytes:
        statistics.engines_made[this_worker()] = 1
        return model().content

    engine = shared_engine(featurizer, content)

    def pixels_or_reason(row: tuple[str, int]) -> tuple[NDArray[np.uint8] | str, int]:
        path, length = row
        try:
            if length > MAX_FILE_BYTES:
                raise UnusableImageError(f"too large: {length:,} bytes, limit {MAX_FILE_BYTES:,}")
            with _files_at_hand.hold(length):
                data = _fetch(read_file, path, length)
                return decode(data, reduced_decoding), len(data)
        except UnusableImageError as error:
            return str(error), 0

    with ThreadPoolExecutor(fetch_threads) as pool:
        for batch in batches:
            paths = batch.column(PATH).to_pylist()
            rows = zip(paths, batch.column(LENGTH).to_pylist(), strict=True)
            features = np.zeros((batch.num_rows, engine.n_features), dtype=np.float32)
            reasons: list[str | None] = [None] * batch.num_rows
            waiting_since = perf_counter()
            for i, (outcome, n_bytes) in enumerate(_ahead(pool, pixels_or_reason, rows, 2 * fetch_threads)):
                started = perf_counter()
                if isinstance(outcome, str):
                    reasons[i] = outcome
                    statistics.reject(paths[i], outcome)
                else:
                    features[i] = engine.features(outcome)
                statistics.bytes_read += n_bytes
                statistics.waiting_seconds += started - waiting_since
                waiting_since = perf_counter()
                statistics.engine_seconds += waiting_since - started
                statistics.tick()
            finite = np.isfinite(features).all(axis=1)
            if not finite.all():
                path, digest = paths[int(finite.argmin())], model().weights_digest
                raise FeaturesNotFiniteError(
                    f"The features of {path!r} are not all finite, by the model of the weights {digest}: "
                    f"give other weights with --params weights_path=..., or if they are good, remove the "
                    f"compiled model from models_path"
                )
            statistics.images += batch.num_rows
            yield _outcomes(batch, featurizer, features, reasons)
    statistics.sign()
    report(statistics)


def _fetch(read_file: Callable[[str, int], bytes], path: str, length: int) -> bytes:
    try:
        return read_file(path, length)
    except ImageSizeError as error:
        # It is tried again by the next run, which lists another size.
        raise UnusableImageError(str(error)) from error
    except FileNotFoundError:
        raise UnusableImageError("vanished: it was listed, but it was not there to be read") from None
    except OSError as error:
        if error.errno in _PASSING_ERRORS:
            raise
        raise UnusableImageError(f"unreadable: {error}") from error


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], window: int
) -> Iterator[Result]:
    """Map like `pool.map`, but hold at most `window` results that nobody has taken yet."""
    pending: deque[Future[Result]] = deque()
    for item in items:
        if len(pending) == window:
            yield pending.popleft().result()
        pending.append(pool.submit(function, item))
    while pending:
        yield pending.popleft().result()


def _outcomes(
    batch: pa.RecordBatch, featurizer: str, features: NDArray[np.float32], reasons: list[str | None]
) -> pa.RecordBatch:
    kept = np.array([reason is None for reason in reasons])
    offsets = np.zeros(len(reasons) + 1, dtype=np.int32)
    np.cumsum(kept * features.shape[1], out=offsets[1:])
    columns: list[Any] = [
        *batch.columns,
        pa.array([featurizer] * batch.num_rows, pa.string()),
        pa.ListArray.from_arrays(offsets, features[kept].ravel(), mask=pa.array(~kept)),
        pa.array(reasons, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=OUTCOME_SCHEMA)
