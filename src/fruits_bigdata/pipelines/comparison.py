"""What a listing means to the store: which images are new, changed, known, gone or were rejected before."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from fruits_bigdata.schemas import KEY, PATH


def compare_with_stores(images: DataFrame, features: DataFrame, rejected: DataFrame) -> dict[str, int]:
    """Count the listed and the stored images by what is to be done with them, from their keys alone.

    Args:
        images: The listing.
        features: The stored features, as they are before the run.
        rejected: The stored rejections, likewise.

    Returns:
        `listed` = `known` (have features) + `rejected_before` + `changed` (stored with another size or date)
        + `new`; `gone` (stored, but no longer listed); `stored_rows` of both stores, and how many of these
        are stale (`stale_rows`): those of images that changed or are gone.
    """
    marks = {"is_listed": images, "has_features": features, "is_rejected": rejected}
    keys = [
        table.select(*KEY, *(f.lit(int(mark == other)).alias(other) for other in marks))
        for mark, table in marks.items()
    ]
    # One shuffle by path serves both groupings.
    rows = keys[0].unionByName(keys[1]).unionByName(keys[2]).repartition(PATH)
    stored = f.sum("has_features") + f.sum("is_rejected")
    by_key = rows.groupBy(KEY).agg(
        f.max("is_listed").alias("is_listed"),
        f.max("has_features").alias("has_features"),
        f.max("is_rejected").alias("is_rejected"),
        stored.alias("stored_rows"),
    )
    by_path = by_key.groupBy(PATH).agg(
        f.max("is_listed").alias("listed"),
        f.max(f.expr("is_listed * has_features")).alias("known"),
        f.max(f.expr("is_listed * is_rejected * (1 - has_features)")).alias("rejected_before"),
        f.sum("stored_rows").alias("stored_rows"),
        f.sum(f.expr("(1 - is_listed) * stored_rows")).alias("stale_rows"),
    )
    to_do = f.expr("listed * (1 - known) * (1 - rejected_before)")
    is_stored = (f.col("stored_rows") > 0).cast("int")
    totals = by_path.agg(
        *(f.sum(name).alias(name) for name in ("listed", "known", "rejected_before")),
        f.sum(to_do * is_stored).alias("changed"),
        f.sum(to_do * (1 - is_stored)).alias("new"),
        f.sum((1 - f.col("listed")) * is_stored).alias("gone"),
        *(f.sum(name).alias(name) for name in ("stored_rows", "stale_rows")),
    )
    (row,) = totals.collect()
    return {name: int(count or 0) for name, count in row.asDict().items()}


def describe_comparison(comparison: dict[str, int]) -> str:
    """Return the counts as a sentence."""
    n = {name: f"{count:,}" for name, count in comparison.items()}
    return (
        f"{n['listed']} images listed: {n['known']} featurized before, {n['rejected_before']} rejected "
        f"before, {n['new']} new, {n['changed']} changed; {n['gone']} images of the stores are listed no more"
    )
