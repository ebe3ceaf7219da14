"""Why images were rejected, in a few words: kinds of reasons with their numbers and examples."""

from collections.abc import Iterable, Mapping
from typing import Any

from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import PATH, REASON
from fruits_bigdata.vision.statistics import rejection_kind

_MAX_KINDS = 5


def count_rejections(rejected: Table) -> list[dict[str, Any]]:
    """Group rejected images by the kind of their reason, the most frequent first.

    Returns:
        For each kind its `kind`, the number of `images`, and `examples`: the path and reason of one.
    """
    rows = rejected.to_pandas([PATH, REASON]).sort_values(PATH)
    kinds = [
        {"kind": kind, "images": len(group), "examples": group.head(1).to_dict("records")}
        for kind, group in rows.groupby(rows[REASON].map(rejection_kind))
    ]
    return sorted(kinds, key=lambda kind: (-kind["images"], kind["kind"]))


def describe_rejections(rejections: Iterable[Mapping[str, Any]]) -> str:
    """Return the most frequent kinds as a phrase: `34 truncated (such as 'Apple/1.jpg': truncated: ...)`."""
    kinds = list(rejections)
    texts = [
        f"{kind['images']:,} {kind['kind']} (such as {kind['examples'][0]['path']!r}: "
        f"{kind['examples'][0]['reason']})"
        for kind in kinds[:_MAX_KINDS]
    ]
    return ", ".join(texts) + (f", {len(kinds) - _MAX_KINDS} other kinds" if len(kinds) > _MAX_KINDS else "")
