"""Which of the stored rows count: those of the images that are listed now."""

from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from fruits_bigdata.schemas import KEY

# Keys of that many rows, some 200 MB, are still sent to every executor rather than shuffling the features.
_MAX_BROADCAST_ROWS = 1_000_000


class StoredRows(NamedTuple):
    """How many rows a store holds, and which of them do not count.

    Attributes:
        total: Number of rows.
        stale: Of them, those whose image is not listed as it was.
        fingerprint: Tells the stale rows from any others.
    """

    total: int
    stale: int
    fingerprint: str


def count_stored(stored: DataFrame, images: DataFrame) -> StoredRows:
    """Count the rows of a store, all and stale, by their keys alone."""
    marked = stored.select(KEY).join(images.select(*KEY, f.lit(1).alias("listed")), KEY, "left")
    is_stale = f.col("listed").isNull()
    row = marked.agg(
        f.count("*"), f.count_if(is_stale), f.bit_xor(f.when(is_stale, f.xxhash64(*KEY)))
    ).first()
    assert row is not None
    return StoredRows(row[0], row[1], f"{row[1]} {row[2]}")


def select_current(stored: DataFrame, images: DataFrame) -> DataFrame:
    """Return the rows of `stored` whose image is listed, with the size and date that it has now.

    The features themselves are not shuffled: usually no row is stale, which the keys alone tell.

    Args:
        stored: Rows with the columns of `schemas.KEY`, such as `features` or `rejected`.
        images: The listing.
    """
    stale = stored.select(KEY).join(images, KEY, "left_anti")
    n_stale = stale.limit(_MAX_BROADCAST_ROWS + 1).count()
    if n_stale == 0:
        return stored
    if n_stale <= _MAX_BROADCAST_ROWS:
        stale = f.broadcast(stale)
    return stored.join(stale, KEY, "left_anti").select(stored.columns)
