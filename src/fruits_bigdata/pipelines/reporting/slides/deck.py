"""The slides of a run."""

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fruits_bigdata.pipelines.reporting.samples import Pictures


def build_slides(
    metrics: Mapping[str, Any],
    points: pd.DataFrame,
    thumbnails: Pictures,
    example_pictures: Pictures,
    s3: Mapping[str, Any],
) -> tuple[bytes, str]:
    """Make the presentation of the run, in French, with notes for who speaks.

    Args:
        metrics: What the run found and did.
        points: Sampled images: path, label, pc1, pc2.
        thumbnails: Their pictures, by path; images without one are left out.
        example_pictures: Those of the examples of neighbours.
        s3: The settings of S3; its region is where the buckets would lie.

    Returns:
        A PPTX file, and what it is in a few words.
    """
    # Imported here, so that the runs that make no slides start half a second earlier.
    from fruits_bigdata.pipelines.reporting.slides import (
        architecture,
        chain,
        context,
        costs,
        operations,
        results,
    )
    from fruits_bigdata.pipelines.reporting.slides.layout import Deck
    from fruits_bigdata.pipelines.reporting.slides.run import Run

    run = Run(metrics, points, thumbnails, example_pictures, s3["region"])
    deck = Deck(f"Fruits! : chaîne Big Data sur AWS. Exécution du {run.day}, {run.where}")
    for add in (
        context.add_title,
        context.add_data,
        context.add_before_and_after,
        architecture.add_bricks,
        architecture.add_architecture,
        architecture.add_gdpr,
        chain.add_steps,
        chain.add_broadcast,
        chain.add_featurization,
        chain.add_pca,
        results.add_plane,
        results.add_neighbours,
        operations.add_critical_operations,
        costs.add_costs,
        operations.add_demonstration,
        operations.add_limits,
    ):
        add(deck, run)
    file = io.BytesIO()
    deck.presentation.save(file)
    return file.getvalue(), f"{len(deck.presentation.slides)} slides"
