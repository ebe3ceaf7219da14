"""The images that a report shows: a bounded number, whichever the collection's size."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fruits_bigdata.images.container import UnusableImageError
from fruits_bigdata.images.pixels import decode
from fruits_bigdata.linalg.sample import path_hash
from fruits_bigdata.storage.errors import StorageError
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import LABEL, PATH, PCA

MAX_POINTS = 50_000
# Most of a reading is waiting, as for S3.
_THREADS = 16
# Of a reading that was under way when the time was over.
_GRACE_SECONDS = 2.0

Pictures = dict[str, NDArray[np.uint8]]

logger = logging.getLogger(__name__)


def sample_points(pca: Table, n: int = MAX_POINTS) -> pd.DataFrame:
    """Return the first three scores of the n images whose paths have the smallest hashes, in their order.

    Args:
        pca: Rows of `schemas.PCA_SCHEMA`.
        n: At most so many.

    Returns:
        `path`, `label`, `pc1`, `pc2`, `pc3`; 0 for components that there are not.
    """
    rows = pca.read([PATH, LABEL, PCA])
    hashes = [path_hash(path) for path in rows.column(PATH).to_pylist()]
    chosen = rows.take(pa.array(np.argsort(hashes, kind="stable")[:n]))
    points: pd.DataFrame = chosen.select([PATH, LABEL]).to_pandas()
    scores = chosen.column(PCA)
    n_components = len(scores[0]) if len(scores) else 0
    for i, name in enumerate(("pc1", "pc2", "pc3")):
        points[name] = pc.list_element(scores, i).to_numpy() if i < n_components else np.float32(0)
    return points


def read_pictures(read: Callable[[str], bytes], paths: Iterable[str], size: int, seconds: float) -> Pictures:
    """Read images as people look at them: upright, on white, `size` pixels on each side.

    Args:
        read: Returns the bytes of the image at a path.
        paths: Of the images, the most wanted first.
        size: Pixels.
        seconds: How long images are begun with: those after that are left out, as are those that cannot be
            read or decoded any more.

    Returns:
        Pixels by path, uint8, shape (size, size, 3).
    """
    until = perf_counter() + seconds
    pictures: Pictures = {}
    failed: list[str] = []

    def picture(path: str) -> None:
        if perf_counter() >= until:
            return
        try:
            pictures[path] = decode(read(path), reduced=True, size=size)
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
    return dict(pictures)
