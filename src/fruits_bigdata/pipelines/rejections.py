"""Why images were rejected, in a few words: kinds of reasons with their numbers and examples."""

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from fruits_bigdata.schemas import PATH, REASON

_MAX_KINDS = 5


def count_rejections(rejected: DataFrame) -> list[dict[str, Any]]:
    """Group rejected images by the kind of their reason, the most frequent first.

    Returns:
        For each kind its `kind`, the number of `images`, and `examples`: the path and reason of one.
    """
    kind = f.substring_index(REASON, ":", 1).alias("kind")
    example = f.min(f.struct(PATH, REASON)).alias("example")
    counted = rejected.groupBy(kind).agg(f.count("*").alias("images"), example)
    return [
        {"kind": row["kind"], "images": row["images"], "examples": [row["example"].asDict()]}
        for row in counted.orderBy(f.desc("images"), "kind").collect()
    ]


def describe_rejections(rejections: Iterable[Mapping[str, Any]]) -> str:
    """Return the most frequent kinds as a phrase: `34 truncated (such as 'Apple/1.jpg': truncated: ...)`."""
    kinds = list(rejections)
    said = [
        f"{kind['images']:,} {kind['kind']} (such as {kind['examples'][0]['path']!r}: "
        f"{kind['examples'][0]['reason']})"
        for kind in kinds[:_MAX_KINDS]
    ]
    return ", ".join(said) + (f", {len(kinds) - _MAX_KINDS} other kinds" if len(kinds) > _MAX_KINDS else "")
