"""Nodes of the featurization pipeline."""

import logging
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from time import perf_counter
from typing import Any

import pyarrow as pa
from pyspark import Accumulator, Broadcast
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.pipelines.featurization.calibration import sample_pixels
from fruits_bigdata.pipelines.featurization.progress import show_progress
from fruits_bigdata.pipelines.featurization.tasks import RESULT_SCHEMA, TASK_SCHEMA, TaskResult, run_task
from fruits_bigdata.pipelines.parameters import FeaturizationParameters
from fruits_bigdata.spark.chunks import chunk_sizes
from fruits_bigdata.spark.session import get_session, map_parts
from fruits_bigdata.tables.comparison import Work, compare, describe_counts
from fruits_bigdata.tables.data_files import DataFile
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.rewriting import merge_small_files, rewrite
from fruits_bigdata.tables.schemas import FEATURIZER
from fruits_bigdata.vision import model
from fruits_bigdata.vision.engine import CompiledModel
from fruits_bigdata.vision.featurize import featurize_batches
from fruits_bigdata.vision.statistics import FeaturizationStatistics
from fruits_bigdata.vision.timeline import Timeline
from fruits_bigdata.vision.weights import Weights

# So that no core waits for a chunk's end.
_CHUNKS_IN_FLIGHT = 2

logger = logging.getLogger(__name__)


class RemovalError(RuntimeError):
    """More rows would leave the tables than a run may remove."""


def compare_images(
    images: Table,
    features: Table,
    rejected: Table,
    image_folder: ImageFolder,
    limit: int | None,
    retry_rejected: bool,
    max_removed_share: float,
) -> tuple[Work, dict[str, int]]:
    """Find out, and say, what is to be done: which images are new, and which rows are of images that are
    gone.

    Args:
        images: The listing.
        features: What the runs before have featurized.
        rejected: What they have rejected.
        image_folder: Where the images will be read.
        limit: Featurize at most so many images, spread over the folder by a hash of their paths.
        retry_rejected: Try rejected images again.
        max_removed_share: The largest share of the stored images that may be gone.

    Returns:
        The work, and the counts of `tables.comparison.compare` with `postponed`, the images that `limit`
        leaves to a later run.

    Raises:
        ValueError: The listing is of another folder.
        RemovalError: More of the stored images are gone.
    """
    listed_folder = images.metadata.get("images_path")
    if listed_folder != image_folder.url:
        raise ValueError(
            f"The stored listing is of {listed_folder}, and images_path is {image_folder.url}: give the same "
            f"images_path, or list that folder with `kedro run --pipelines loading`"
        )
    return find_work(
        images.read(), features, rejected, image_folder, limit, retry_rejected, max_removed_share
    )


def find_work(
    listing: pa.Table,
    features: Table,
    rejected: Table,
    image_folder: ImageFolder,
    limit: int | None,
    retry_rejected: bool,
    max_removed_share: float,
) -> tuple[Work, dict[str, int]]:
    """Compare a listing of `image_folder`, `schemas.IMAGES_SCHEMA`, with the tables: see `compare_images`."""
    work, counts = compare(listing, features, rejected, retry_rejected)
    if counts["gone"] > max_removed_share * counts["stored"]:
        raise RemovalError(
            f"{counts['gone']:,} of {counts['stored']:,} stored images are no more in {image_folder.url}, "
            f"which is more than max_removed_share={max_removed_share:g}, so nothing was removed: is it "
            f"the right folder? If it is, give --params max_removed_share=1"
        )
    counts["postponed"] = 0
    if limit is not None and limit < work.new.num_rows:
        counts["postponed"] = work.new.num_rows - limit
        work = work.first(limit)
    logger.info("%s", describe_counts(counts))
    return work, counts


def compile_model(
    weights: Weights,
    compiled_models: Mapping[str, Callable[[], bytes]],
    image_folder: ImageFolder,
    parameters: FeaturizationParameters,
) -> tuple[CompiledModel, dict[str, bytes]]:
    """Compile the weights, unless a model compiled from them is at hand.

    An int8 model is calibrated on a sample of the folder when it is made, and kept as it is when images are
    added, so that all features of a table are comparable.

    Returns:
        The compiled model, and what is to be added to the compiled models: nothing, if it was there.

    Raises:
        ValueError: No image of the folder can be used to calibrate on.
    """
    precision, reduced = parameters.precision, parameters.reduced_decoding
    key = model.model_key(weights.digest, precision)
    if key in compiled_models:
        content = compiled_models[key]()
        if model.is_usable(content):
            return model.describe_model(weights.digest, content, precision, reduced), {}
        logger.warning("The compiled model %s is damaged and is made anew", key)
    logger.info("Compiling the weights with TensorFlow; it is done once for each set of weights")
    calibration = sample_pixels(image_folder) if precision == "int8" else None
    content = model.compile_model(weights, calibration)
    return model.describe_model(weights.digest, content, precision, reduced), {key: content}


def broadcast_model(compiled_model: CompiledModel, work: Work) -> Broadcast[CompiledModel] | CompiledModel:
    """Send the compiled model to the executors: each fetches it once, and its workers share it.

    Returns:
        The broadcast; with no image to featurize, which needs no Spark, the model as it is.

    Raises:
        ValueError: The table holds features of another model.
    """
    for table in (work.features, work.rejected):
        stored = table.metadata.get(FEATURIZER)
        if table.rows and stored not in (None, compiled_model.featurizer):
            raise ValueError(
                f"The rows of {table.url} were made by the featurizer {stored}, this run's is "
                f"{compiled_model.featurizer} (other weights, precision, calibration or decoding), and the "
                f"two do not mix: give a new folder with --params output_path=..., or remove the tables of "
                f"features and rejected images"
            )
    if not work.new.num_rows:
        return compiled_model
    logger.info(
        "Broadcasting MobileNetV2's weights to the workers: %s bytes, featurizer %s",
        f"{len(compiled_model.content):,}",
        compiled_model.featurizer,
    )
    return get_session().sparkContext.broadcast(compiled_model)


def featurize_images(
    work: Work,
    model_broadcast: Broadcast[CompiledModel] | CompiledModel,
    image_folder: ImageFolder,
    parameters: FeaturizationParameters,
) -> Iterator[tuple[Change, Change, dict[str, Any]]]:
    """Fetch, decode and infer in the workers, chunk by chunk, and remove the rows that count no more.

    Yields:
        For each chunk the change of `features`, that of `rejected`, and the statistics up to now. Stale rows
        go with the first one, in which the images that replace them come first. With nothing to do, empty
        changes.
    """
    compiled_model = model_broadcast.value if isinstance(model_broadcast, Broadcast) else model_broadcast
    total, statistics = work.new.num_rows, FeaturizationStatistics()
    summary = _summary(statistics, compiled_model, parameters, 0.0)
    tables = ((work.features, work.stale_features), (work.rejected, work.stale_rejected))
    # Before other rows leave the same files.
    merges = [None if rows else merge_small_files(table, map_parts) for table, rows in tables]
    if any(merges):
        features, rejected = (
            merge or Change(table, last=False) for merge, (table, _) in zip(merges, tables, strict=True)
        )
        yield features, rejected, summary
    stale = [rewrite(table, rows, map_parts) for table, rows in tables]
    started = perf_counter()
    if not isinstance(model_broadcast, Broadcast):
        logger.info("Nothing to featurize: every listed image is in the tables already")
        yield *_changes(work, stale, [], compiled_model, last=True), summary
        return
    session = get_session()
    chunks = list(chunk_sizes(total, session.sparkContext.defaultParallelism, parameters.images_per_task))
    logger.info("%s new images to featurize, in %d chunks", f"{total:,}", len(chunks))
    images_done = session.sparkContext.accumulator(0)
    featurize = _featurizer(session, model_broadcast, image_folder, work.features, parameters, images_done)
    with show_progress(total, images_done):
        for number, results in enumerate(_ahead(featurize, _parts(work.new, chunks)), 1):
            statistics = reduce(
                FeaturizationStatistics.merge, (result.statistics for result in results), statistics
            )
            changes = _changes(work, stale, results, compiled_model, last=number == len(chunks))
            stale = [([], []), ([], [])]
            seconds = perf_counter() - started
            summary = _summary(statistics, compiled_model, parameters, seconds)
            yield *changes, summary
    _log_end(summary)


def _featurizer(
    session: SparkSession,
    model_broadcast: Broadcast[CompiledModel],
    image_folder: ImageFolder,
    table: Table,
    parameters: FeaturizationParameters,
    images_done: Accumulator[int],
) -> Callable[[tuple[pa.Table, int]], list[TaskResult]]:
    """Return the function that featurizes a chunk of images by a number of Spark tasks."""
    featurizer, reduced_decoding = model_broadcast.value.featurizer, model_broadcast.value.reduced_decoding
    fetch_threads, folder = parameters.fetch_threads, table.folder

    def outcomes(
        images: Iterable[pa.RecordBatch], report: Callable[[FeaturizationStatistics], None]
    ) -> Iterator[pa.RecordBatch]:
        return featurize_batches(
            images,
            model=lambda: model_broadcast.value,
            featurizer=featurizer,
            read_file=image_folder.read,
            fetch_threads=fetch_threads,
            reduced_decoding=reduced_decoding,
            report=report,
        )

    def task(images: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for result in run_task(images, outcomes, folder):
            images_done.add(pickle.loads(result.column("statistics")[0].as_py()).images)
            yield result

    def featurize(chunk: tuple[pa.Table, int]) -> list[TaskResult]:
        images, n_tasks = chunk
        paths = session.createDataFrame(images.to_pandas(), from_arrow_schema(TASK_SCHEMA))
        rows = paths.repartition(n_tasks).mapInArrow(task, from_arrow_schema(RESULT_SCHEMA)).collect()
        return [TaskResult.of(*row) for row in rows]

    return featurize


def _parts(images: pa.Table, chunks: Iterable[tuple[int, int]]) -> Iterator[tuple[pa.Table, int]]:
    images = images.cast(TASK_SCHEMA)
    start = 0
    for n_images, n_tasks in chunks:
        yield images.slice(start, n_images), n_tasks
        start += n_images


def _ahead(
    function: Callable[[tuple[pa.Table, int]], list[TaskResult]], chunks: Iterable[tuple[pa.Table, int]]
) -> Iterator[list[TaskResult]]:
    """Map in the order of `chunks`, while the next one is under way already."""
    pending: deque[Future[list[TaskResult]]] = deque()
    pool = ThreadPoolExecutor(_CHUNKS_IN_FLIGHT, thread_name_prefix="chunk")
    try:
        for chunk in chunks:
            pending.append(pool.submit(function, chunk))
            if len(pending) > _CHUNKS_IN_FLIGHT:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Of a run that fails or is told to end nobody waits for the other chunk: its Spark is stopped.
        pool.shutdown(wait=False, cancel_futures=True)


def _changes(
    work: Work,
    stale: list[tuple[list[DataFile], list[str]]],
    results: list[TaskResult],
    compiled_model: CompiledModel,
    last: bool,
) -> tuple[Change, Change]:
    """Return the changes of `features` and `rejected` by the results of a chunk and by what is stale."""
    (features_added, features_removed), (rejected_added, rejected_removed) = stale
    new_features = [result.file for result in results if result.file is not None]
    rows = [result.rejected for result in results if result.rejected.num_rows]
    new_rejected = [work.rejected.folder.write(pa.concat_tables(rows))] if rows else []
    metadata = {FEATURIZER: compiled_model.featurizer}
    return (
        Change(
            work.features, [*features_added, *new_features], features_removed, metadata=metadata, last=last
        ),
        Change(
            work.rejected, [*rejected_added, *new_rejected], rejected_removed, metadata=metadata, last=last
        ),
    )


def _summary(
    statistics: FeaturizationStatistics,
    model: CompiledModel,
    parameters: FeaturizationParameters,
    seconds: float,
) -> dict[str, Any]:
    return {
        "parameters": parameters.model_dump(),
        "featurizer": model.featurizer,
        "weights_digest": model.weights_digest,
        "broadcast_bytes": len(model.content),
        "images": statistics.images,
        "rejected": statistics.rejected,
        "rejections": [
            {"kind": kind, "images": n, "examples": [{"path": p, "reason": r} for p, r in examples]}
            for kind, (n, examples) in sorted(statistics.rejections.items(), key=lambda item: -item[1][0])
        ],
        "seconds": round(seconds, 3),
        "images_per_second": round(statistics.images / seconds, 1) if statistics.images else None,
        "bytes_read": statistics.bytes_read,
        "engine_seconds": round(statistics.engine_seconds, 3),
        "waiting_seconds": round(statistics.waiting_seconds, 3),
        "interpreters_made": sum(statistics.engines_made.values()),
        "workers": [
            {
                "worker": worker,
                "images": n,
                "interpreters_made": statistics.engines_made.get(worker, 0),
                "peak_memory_mb": round(statistics.peak_memory_bytes[worker] / 1e6, 1),
            }
            for worker, n in sorted(statistics.images_by_worker.items())
        ],
        "timeline": _timeline(statistics.timeline),
    }


def _timeline(timeline: Timeline) -> dict[str, Any]:
    starts, rates = timeline.rates()
    return {
        "seconds_per_step": timeline.width,
        "starts": starts,
        "hosts": [
            {
                "host": host,
                "images": sum(timeline.images[host].values()),
                "images_per_second": [round(rate, 2) for rate in per_second],
            }
            for host, per_second in rates.items()
        ],
    }


def _log_end(summary: dict[str, Any]) -> None:
    logger.info(
        "Featurized %s images in %.1f s, %.0f images/s; %s rejected; %d interpreters made by %d Python "
        "workers, which received %s bytes of weights by broadcast; peak memory of a worker %.0f MB",
        f"{summary['images'] - summary['rejected']:,}",
        summary["seconds"],
        summary["images_per_second"],
        f"{summary['rejected']:,}",
        summary["interpreters_made"],
        len(summary["workers"]),
        f"{summary['broadcast_bytes']:,}",
        max(worker["peak_memory_mb"] for worker in summary["workers"]),
    )
