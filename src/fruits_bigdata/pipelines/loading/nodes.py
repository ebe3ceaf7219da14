"""Nodes of the loading pipeline."""

import logging
from collections.abc import Iterator
from itertools import chain

import pyarrow as pa

from fruits_bigdata.image_folder import ENDINGS, ImageFolder
from fruits_bigdata.schemas import IMAGES_SCHEMA

logger = logging.getLogger(__name__)


def list_images(image_folder: ImageFolder, limit: int | None) -> pa.RecordBatchReader:
    """List every image below the folder, without opening one.

    Args:
        image_folder: The images.
        limit: Take only the first so many, in the order of the listing; None takes all.

    Returns:
        A reader of record batches of `schemas.IMAGES_SCHEMA`; the listing happens as it is read.

    Raises:
        ValueError: The folder holds no image, or `limit` is not a positive whole number.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit={limit}: give the number of images to take, or leave it out to take all")
    batches = image_folder.list_batches()
    first = next(batches, None)
    if first is None:
        raise ValueError(
            f"The images folder {image_folder.url} holds no image: no file below it ends in "
            f"{', '.join(ENDINGS)}"
        )
    return pa.RecordBatchReader.from_batches(IMAGES_SCHEMA, _counted(chain([first], batches), limit))


def _counted(batches: Iterator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    n = 0
    for batch in batches:
        if limit is not None:
            batch = batch.slice(0, limit - n)
        n += batch.num_rows
        yield batch
        if n == limit:
            break
    logger.info("Listed %s images%s", f"{n:,}", f" (limit={limit})" if limit is not None else "")
