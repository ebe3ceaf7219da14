"""Which of the stored rows count: those of the images that are listed now."""

from pyspark.sql import DataFrame
from pyspark.sql.functions import broadcast

from fruits_bigdata.schemas import KEY

# Keys of that many rows, some 200 MB, are still sent to every executor rather than shuffling the features.
_MAX_BROADCAST_ROWS = 1_000_000


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
        stale = broadcast(stale)
    return stored.join(stale, KEY, "left_anti").select(stored.columns)
