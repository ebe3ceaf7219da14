"""Nodes of the loading pipeline."""

import hashlib
import logging
from collections import Counter

import pyarrow as pa

from fruits_bigdata.images.folder import ENDINGS, ImageFolder
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import IMAGES_SCHEMA, PATH

# A file of some 100 MB.
_ROWS_PER_FILE = 2_000_000
_ENDINGS_SHOWN = 5

logger = logging.getLogger(__name__)


def list_images(image_folder: ImageFolder, images: Table) -> Change:
    """List every image below the folder, without opening one.

    Args:
        image_folder: The images.
        images: The listing of the run before.

    Returns:
        The change of `images`: empty, if the folder and what lies in it are the same.

    Raises:
        ValueError: The folder holds no image.
    """
    listing = read_listing(image_folder, images)
    facts = {"images_path": image_folder.url, "digest": _digest(listing)}
    if facts.items() <= images.metadata.items() and images.rows == listing.num_rows:
        return Change(images)
    files = [
        images.folder.write(listing.slice(start, _ROWS_PER_FILE))
        for start in range(0, listing.num_rows, _ROWS_PER_FILE)
    ]
    return Change(images, files, list(images.files), metadata=facts)


def read_listing(image_folder: ImageFolder, images: Table) -> pa.Table:
    """List every image below the folder: rows of `schemas.IMAGES_SCHEMA`.

    What lies in a folder that cannot be listed just now is taken to be what the listing before found there,
    so that none of it counts as gone. The arguments and the error are those of `list_images`.
    """
    unlisted: list[str] = []
    others: Counter[str] = Counter()
    batches = list(image_folder.list_batches(unlisted, others))
    if unlisted and images.metadata.get("images_path") == image_folder.url:
        batches += _below(images.read(), unlisted).to_batches()
    listing = pa.Table.from_batches(batches, IMAGES_SCHEMA)
    if not listing.num_rows:
        raise ValueError(
            f"The images folder {image_folder.url} holds no image: no file below it ends in "
            f"{', '.join(ENDINGS)}"
        )
    logger.info("Listed %s images%s", f"{listing.num_rows:,}", _describe(others))
    return listing


def _describe(others: Counter[str]) -> str:
    """Return how many files that are no images were found, by ending."""
    if not others:
        return ""
    named = others.most_common(_ENDINGS_SHOWN)
    texts = [f"{n:,} {f'.{ending}' if ending else 'without an ending'}" for ending, n in named]
    rest = others.total() - sum(n for _, n in named)
    return f"; no images: {', '.join([*texts, *([f'{rest:,} others'] if rest else [])])}"


def _below(listing: pa.Table, folders: list[str]) -> pa.Table:
    is_below = [path.startswith(tuple(folders)) for path in listing.column(PATH).to_pylist()]
    kept = listing.filter(pa.array(is_below, pa.bool_()))
    logger.warning(
        "%d folders cannot be listed: their %s images are those of the run before",
        len(folders),
        f"{kept.num_rows:,}",
    )
    return kept


def _digest(listing: pa.Table) -> str:
    """Return a hash of all rows in their order."""
    digest = hashlib.sha256()
    for batch in listing.combine_chunks().to_batches(max_chunksize=100_000):
        digest.update(batch.serialize())
    return digest.hexdigest()
