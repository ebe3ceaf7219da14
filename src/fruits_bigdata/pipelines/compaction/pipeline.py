"""The compaction pipeline."""

from kedro.pipeline import Node, Pipeline

from fruits_bigdata.pipelines.compaction.nodes import compact_stale_stores, compact_stores

_STORES_AND_LISTING = ["features_appended", "rejected_appended", "images", "params:limit"]
_COMPACTED = ["features", "rejected"]
_TAGS = ["compaction", "spark"]


def create_pipeline() -> Pipeline:
    """features, rejected, images -> compact_stores -> the same without stale rows, in few files"""
    return Pipeline(
        [Node(compact_stores, _STORES_AND_LISTING, _COMPACTED, name="compact_stores")], tags=_TAGS
    )


def create_automatic_pipeline() -> Pipeline:
    """features, rejected, images, comparison -> compact_stale_stores -> the same, compacted if need be"""
    node = Node(
        compact_stale_stores,
        [*_STORES_AND_LISTING, "comparison", "params:compaction"],
        _COMPACTED,
        name="compact_stale_stores",
    )
    return Pipeline([node], tags=_TAGS)
