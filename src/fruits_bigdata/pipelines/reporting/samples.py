"""The images that a report shows: a bounded number, whichever the collection's size."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from time import perf_counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from fruits_bigdata.schemas import LABEL, PATH, PCA
from fruits_bigdata.storage import StorageError
from fruits_bigdata.vision.container import UnusableImageError
from fruits_bigdata.vision.pixels import decode

MAX_POINTS = 50_000
_COORDINATES = ("pc1", "pc2", "pc3")
_HASHES = 2**40
# Most of a reading is waiting, as for S3.
_THREADS = 16
# Of a reading that was under way when the time was over.
_GRACE_SECONDS = 2.0

Pictures = dict[str, NDArray[np.uint8]]

logger = logging.getLogger(__name__)


def sample_points(pca: DataFrame, n: int = MAX_POINTS) -> pd.DataFrame:
    """Return the first three scores of the n images whose paths have the smallest hashes, in their order.

    Args:
        pca: Rows of `schemas.PCA_SCHEMA`.
        n: At most so many.

    Returns:
        `path`, `label`, `pc1`, `pc2`, `pc3`; 0 for components that there are not.
    """
    total = pca.count()
    scores = [f.coalesce(f.col(PCA)[i], f.lit(0.0)).alias(name) for i, name in enumerate(_COORDINATES)]
    rows = pca.select(PATH, LABEL, *scores, f.pmod(f.xxhash64(PATH), f.lit(_HASHES)).alias("hash"))
    if total > n:
        # A tenth more than are needed, twenty standard deviations of 50,000.
        rows = rows.where(f.col("hash") < int(min(1.0, (1.1 * n + 100) / total) * _HASHES))
    found: pd.DataFrame = rows.toPandas().sort_values(["hash", PATH], ignore_index=True)
    return found.drop(columns="hash").head(n)


def read_pictures(
    read: Callable[[str], bytes], paths: Iterable[str], size: int, seconds: float
) -> tuple[Pictures, int]:
    """Read images as people look at them: upright, on white, `size` pixels on each side.

    Args:
        read: Returns the bytes of the image at a path.
        paths: Of the images, the most wanted first.
        size: Pixels.
        seconds: How long images are begun with: those after that are left out, as are those that cannot be
            read or decoded any more.

    Returns:
        Pixels by path, uint8, shape (size, size, 3), and how many could not be read.
    """
    until = perf_counter() + seconds
    found: Pictures = {}
    failed: list[str] = []

    def picture(path: str) -> None:
        if perf_counter() >= until:
            return
        try:
            found[path] = decode(read(path), reduced=True, size=size)
        except (OSError, StorageError, UnusableImageError, MemoryError) as error:
            failed.append(f"{path!r}: {error}")

    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures")
    try:
        readings = [pool.submit(picture, path) for path in paths]
        done, _ = wait(readings, seconds + _GRACE_SECONDS)
    finally:
        # A storage that hangs does not hold up the report.
        pool.shutdown(wait=False, cancel_futures=True)
    for reading in done:
        reading.result()
    if failed:
        logger.warning(
            "%s images could not be read for the report's pictures, such as %s", f"{len(failed):,}", failed[0]
        )
    # A copy, since a reading that hung may still come to an end.
    return dict(found), len(failed)
