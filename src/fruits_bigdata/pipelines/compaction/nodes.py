"""Nodes of the compaction pipeline."""

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import DataFrame

from fruits_bigdata.pipelines.current import select_current
from fruits_bigdata.schemas import KEY

logger = logging.getLogger(__name__)


class CompactionParameters(BaseModel):
    """Parameters of the compaction.

    Attributes:
        max_stale_share: A run compacts its stores by itself when more than this share of their rows is stale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_stale_share: float = Field(ge=0, le=1)


def compact_stores(
    features: DataFrame, rejected: DataFrame, images: DataFrame, limit: int | None
) -> tuple[list[DataFrame], list[DataFrame]]:
    """Select what is kept of the stores: the current rows, each once.

    Returns:
        For each store the table that it is to hold, in as few files as Spark's size of a partition allows
        (`spark.sql.files.maxPartitionBytes`); none, if that is what it holds.

    Raises:
        ValueError: The listing is cut off by `limit`, or no stored image is in it: nothing would be left.
    """
    if limit is not None:
        raise ValueError(f"With limit={limit} the rows of all other images would go: leave it out")
    stores = (features, rejected)
    current = [select_current(stored, images) for stored in stores]
    n_stored, n_current = ([table.count() for table in tables] for tables in (stores, current))
    if sum(n_stored) and not sum(n_current):
        raise ValueError(
            f"None of the {sum(n_stored):,} stored rows is of an image that is listed, so nothing would be "
            f"left: is images_path the right folder? If it is, remove the stores and run everything anew"
        )
    kept = zip(stores, current, n_stored, n_current, strict=True)
    features_kept, rejected_kept = (_compact(*store) for store in kept)
    return features_kept, rejected_kept


def compact_stale_stores(
    features: DataFrame,
    rejected: DataFrame,
    images: DataFrame,
    limit: int | None,
    comparison: Mapping[str, Any],
    parameters: CompactionParameters,
) -> tuple[list[DataFrame], list[DataFrame]]:
    """Compact the stores if too large a share of them is stale; never in a run with `limit`.

    Args:
        comparison: What the run found before it began.

    Returns:
        As `compact_stores`.
    """
    stale, stored = comparison["stale_rows"], comparison["stored_rows"]
    if limit is not None or not stored or stale / stored <= parameters.max_stale_share:
        return [], []
    if not comparison["known"] + comparison["rejected_before"] + comparison["changed"]:
        logger.warning(
            "None of the %s rows that were stored before is of an image that is listed now. They are kept: "
            "if images_path is the right folder, `kedro run --pipelines compaction` removes them",
            f"{stored:,}",
        )
        return [], []
    logger.info("%.0f %% of the stored rows were stale: compacting the stores", 100 * stale / stored)
    return compact_stores(features, rejected, images, limit)


def _compact(stored: DataFrame, current: DataFrame, n_stored: int, n_current: int) -> list[DataFrame]:
    n_kept = current.select(KEY).distinct().count()
    if n_kept < n_current:
        logger.warning("%s rows are double; one of each is kept", f"{n_current - n_kept:,}")
        current = current.dropDuplicates(KEY)
    if n_kept == n_stored and len(stored.inputFiles()) <= stored.rdd.getNumPartitions():
        return []
    logger.info("Keeping %s of %s rows", f"{n_kept:,}", f"{n_stored:,}")
    return [current]
