"""What a table was made from: a few words that travel with a DataFrame and are stored with what it publishes.

A table that would be made from the same again need not be made again.
"""

from pyspark.sql import DataFrame

_KEY = "fruits_bigdata.source"


def with_source(table: DataFrame, source: str) -> DataFrame:
    """Return `table`, known to be made from `source`: equal words mean equal rows."""
    return table.withMetadata(table.columns[0], {_KEY: source})


def without_source(table: DataFrame) -> DataFrame:
    """Return `table` as one of which nothing is known."""
    # Spark 3.5 takes no metadata at all for those that were there before.
    return with_source(table, "")


def source_of(table: DataFrame) -> str | None:
    """Return what `table` was made from; None if that is not known."""
    return table.schema[0].metadata.get(_KEY) or None
