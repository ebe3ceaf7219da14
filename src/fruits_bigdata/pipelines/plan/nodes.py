"""Nodes of the plan pipeline."""

import logging

from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.pipelines.featurization.nodes import find_work
from fruits_bigdata.pipelines.loading.nodes import read_listing
from fruits_bigdata.tables.delta import Table

logger = logging.getLogger(__name__)


def plan_run(
    image_folder: ImageFolder,
    images: Table,
    features: Table,
    rejected: Table,
    limit: int | None,
    retry_rejected: bool,
    max_removed_share: float,
) -> dict[str, int]:
    """List the images that there are now, compare them with what is stored, and say what a run would do.

    Returns:
        The counts of `compare_images`, and `to_featurize`.
    """
    listing = read_listing(image_folder, images)
    work, counts = find_work(
        listing, features, rejected, image_folder, limit, retry_rejected, max_removed_share
    )
    to_remove = sum(
        len(rows) for stale in (work.stale_features, work.stale_rejected) for rows in stale.values()
    )
    logger.info(
        "A run would featurize %s images and remove %s rows", f"{work.new.num_rows:,}", f"{to_remove:,}"
    )
    return {**counts, "to_featurize": work.new.num_rows}
