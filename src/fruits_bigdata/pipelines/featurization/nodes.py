"""Nodes of the featurization pipeline."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, PositiveInt
from pyspark import Accumulator, Broadcast
from pyspark.sql import DataFrame
from pyspark.sql.functions import col, lit, pmod, xxhash64
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.pipelines.comparison import compare_with_stores, describe_comparison
from fruits_bigdata.pipelines.featurization.calibration import sample_pixels
from fruits_bigdata.pipelines.featurization.progress import StatisticsParam, show_progress
from fruits_bigdata.schemas import FEATURES, FEATURIZER, KEY, OUTCOME_SCHEMA, PATH, REASON
from fruits_bigdata.spark_session import empty_table
from fruits_bigdata.vision import model
from fruits_bigdata.vision.engine import CompiledModel
from fruits_bigdata.vision.featurize import featurize_batches
from fruits_bigdata.vision.statistics import FeaturizationStatistics
from fruits_bigdata.vision.timeline import Timeline
from fruits_bigdata.vision.weights import Weights

# Each chunk reads the list of new images once more, so their number is bounded.
_MAX_CHUNKS = 200

logger = logging.getLogger(__name__)


class FeaturizationParameters(BaseModel):
    """Parameters of the featurization.

    Attributes:
        images_per_task: Images of one Spark task: the progress bar's step, and what a failed task repeats.
        images_per_chunk: Images appended to the store at a time: what a crash loses at most.
        fetch_threads: Threads in each worker that fetch and decode while the model works.
        precision: "float32", or "int8": 1.3 times as fast, close to it, calibrated on the images.
        reduced_decoding: Let the JPEG decoder deliver large photographs at a reduced size: see
            `vision.pixels.decode`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images_per_task: PositiveInt
    images_per_chunk: PositiveInt
    fetch_threads: PositiveInt
    precision: model.Precision = "float32"
    reduced_decoding: bool = False


def compile_model(
    weights: Weights,
    compiled_models: Mapping[str, Callable[[], bytes]],
    image_folder: ImageFolder,
    parameters: FeaturizationParameters,
) -> tuple[CompiledModel, dict[str, bytes]]:
    """Compile the weights, unless a model compiled from them is at hand.

    An int8 model is calibrated on a sample of the folder when it is made, and kept as it is when images are
    added, so that all features of a store are comparable.

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


def broadcast_model(compiled_model: CompiledModel, images: DataFrame) -> Broadcast[CompiledModel]:
    """Send the compiled model to the executors: each fetches it once, and its workers share it.

    Args:
        compiled_model: The model.
        images: Any table of the session that broadcasts.
    """
    logger.info(
        "Broadcasting MobileNetV2's weights to the workers: %s bytes, featurizer %s",
        f"{len(compiled_model.content):,}",
        compiled_model.featurizer,
    )
    return images.sparkSession.sparkContext.broadcast(compiled_model)


def retry_rejected(rejected: DataFrame, retry: bool) -> list[DataFrame]:
    """Empty the store of rejected images when they are to be tried again, so that each is new.

    Returns:
        The empty table that the store is to hold; none, if it is to stay as it is.
    """
    if not retry or rejected.isEmpty():
        return []
    logger.info("Trying %s rejected images again, as retry_rejected=true says", f"{rejected.count():,}")
    return [rejected.limit(0)]


def compare_images(images: DataFrame, features: DataFrame, rejected: DataFrame) -> dict[str, int]:
    """Count, and say, what the run has found: see `compare_with_stores`."""
    comparison = compare_with_stores(images, features, rejected)
    logger.info("%s", describe_comparison(comparison))
    return comparison


def select_new_images(
    images: DataFrame,
    features: DataFrame,
    rejected: DataFrame,
    compiled_model: CompiledModel,
    comparison: Mapping[str, int],
) -> DataFrame:
    """Return the listed images that neither have features nor were rejected.

    An image whose size or date has changed is new.

    Args:
        comparison: What `compare_images` counted: with nothing to do, nothing is looked for.

    Raises:
        ValueError: The store holds rows of another featurizer.
    """
    columns = [*KEY, FEATURIZER]
    done = features.select(columns).unionByName(rejected.select(columns))
    other = done.where(col(FEATURIZER) != compiled_model.featurizer).first()
    if other is not None:
        raise ValueError(
            f"The features stored here were made by the featurizer {other[FEATURIZER]}, this run's is "
            f"{compiled_model.featurizer} (other weights, precision, calibration or decoding), and the two "
            f"do not mix: give a new folder with --params output_path=..., or remove the stored features and "
            f"rejected images"
        )
    if not comparison["new"] + comparison["changed"]:
        return images.limit(0)
    return images.join(done, KEY, "left_anti").select(images.columns)


def featurize_images(
    new_images: DataFrame,
    model_broadcast: Broadcast[CompiledModel],
    image_folder: ImageFolder,
    parameters: FeaturizationParameters,
) -> Iterator[tuple[DataFrame, DataFrame, dict[str, Any]]]:
    """Fetch, decode and infer in the workers, chunk by chunk.

    Yields:
        For each chunk its rows of `features`, its rows of `rejected`, and the statistics up to now. With
        nothing to do, one empty chunk.
    """
    context = new_images.sparkSession.sparkContext
    statistics = context.accumulator(FeaturizationStatistics(), StatisticsParam())
    compiled_model = model_broadcast.value
    worker = _worker(model_broadcast, image_folder, parameters.fetch_threads, statistics)
    new_images = new_images.persist()
    total = new_images.count()
    if not total:
        new_images.unpersist()
        nothing = empty_table(new_images.sparkSession, OUTCOME_SCHEMA)
        logger.info("Nothing to featurize: every listed image is already in the store")
        yield *_split(nothing), _summary(statistics.value, compiled_model, parameters, 0.0)
        return
    n_chunks = min(_MAX_CHUNKS, -(-total // parameters.images_per_chunk))
    # Whole rounds: in a last one with fewer tasks than cores, some cores would have nothing to do.
    n_rounds = -(-total // (n_chunks * parameters.images_per_task * context.defaultParallelism))
    n_tasks = n_rounds * context.defaultParallelism
    logger.info("%s new images to featurize, in %d chunks of %d tasks", f"{total:,}", n_chunks, n_tasks)
    started = perf_counter()
    try:
        with show_progress(total, statistics):
            for chunk in range(n_chunks):
                batch = new_images.where(pmod(xxhash64(PATH), lit(n_chunks)) == chunk).repartition(n_tasks)
                outcomes = batch.mapInArrow(worker, from_arrow_schema(OUTCOME_SCHEMA)).persist()
                rejected_before = statistics.value.rejected
                try:
                    # What is written nowhere is computed and kept, by one job.
                    outcomes.write.format("noop").mode("overwrite").save()
                    seconds = perf_counter() - started
                    summary = _summary(statistics.value, compiled_model, parameters, seconds)
                    # Tasks are short for the progress bar's sake; a file for each would be many small files.
                    features, rejected = _split(outcomes.coalesce(context.defaultParallelism))
                    if statistics.value.rejected == rejected_before:
                        rejected = rejected.limit(0)
                    yield features, rejected, summary
                finally:
                    _unpersist(outcomes)
    finally:
        _unpersist(new_images)
    _log_end(summary)


def _unpersist(table: DataFrame) -> None:
    # A run that failed while a chunk was saved has stopped Spark before this generator ends.
    if table.sparkSession.sparkContext._jsc is not None:  # type: ignore[attr-defined]
        table.unpersist()


def _worker(
    model_broadcast: Broadcast[CompiledModel],
    image_folder: ImageFolder,
    fetch_threads: int,
    statistics: Accumulator[FeaturizationStatistics],
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    featurizer = model_broadcast.value.featurizer
    reduced_decoding = model_broadcast.value.reduced_decoding

    def featurize(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return featurize_batches(
            batches,
            model=lambda: model_broadcast.value,
            featurizer=featurizer,
            read_file=image_folder.read,
            fetch_threads=fetch_threads,
            reduced_decoding=reduced_decoding,
            report=statistics.add,
        )

    return featurize


def _split(outcomes: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Return the rows of `features` and the rows of `rejected`."""
    return (
        outcomes.where(col(REASON).isNull()).drop(REASON),
        outcomes.where(col(REASON).isNotNull()).drop(FEATURES),
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
