"""Nodes of the plan pipeline."""

import logging

from pyspark.sql import DataFrame, SparkSession

from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.pipelines.comparison import compare_with_stores, describe_comparison
from fruits_bigdata.pipelines.loading.nodes import list_images

logger = logging.getLogger(__name__)


def plan_run(
    image_folder: ImageFolder,
    features: DataFrame,
    rejected: DataFrame,
    limit: int | None,
    retry_rejected: bool,
) -> dict[str, int]:
    """Compare the images that there are now with the stores, and say what a run would do.

    Returns:
        The counts of `compare_with_stores`, and `to_featurize`.
    """
    listing = list_images(image_folder, limit).read_pandas()
    images = SparkSession.builder.getOrCreate().createDataFrame(listing)
    comparison = compare_with_stores(images, features, rejected)
    again = comparison["rejected_before"] if retry_rejected else 0
    to_featurize = comparison["new"] + comparison["changed"] + again
    logger.info("%s", describe_comparison(comparison))
    logger.info(
        "A run would featurize %s images, %s of them rejected before; %s of %s stored rows would be stale",
        f"{to_featurize:,}",
        f"{again:,}",
        f"{comparison['stale_rows']:,}",
        f"{comparison['stored_rows']:,}",
    )
    return {**comparison, "to_featurize": to_featurize}
