"""Which of the stored rows count: those of the images that are listed now."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from fruits_bigdata.schemas import KEY

# Keys of that many rows, some 200 MB, are still sent to every executor rather than shuffling the features.
_MAX_BROADCAST_ROWS = 1_000_000


def fingerprint_stale(stored: DataFrame, images: DataFrame) -> str:
    """Return the number of stale rows and a hash of their keys, whatever their order."""
    stale = stored.select(KEY).join(images, KEY, "left_anti")
    row = stale.agg(f.count("*"), f.bit_xor(f.xxhash64(*KEY))).first()
    assert row is not None
    return f"{row[0]} {row[1]}"


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
