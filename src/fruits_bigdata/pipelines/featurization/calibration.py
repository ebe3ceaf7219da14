"""A sample of the images, by which an int8 model is calibrated."""

import hashlib
import heapq
import logging

import numpy as np
from numpy.typing import NDArray

from fruits_bigdata.images.container import UnusableImageError
from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.images.pixels import decode
from fruits_bigdata.tables.schemas import PATH

# 200 bring the features no nearer to float32's: benchmarks/int8.py --n-calibration.
N_IMAGES = 100

logger = logging.getLogger(__name__)


def sample_pixels(image_folder: ImageFolder) -> list[NDArray[np.uint8]]:
    """Return the pixels of up to `N_IMAGES` images, spread over the folder, each uint8, (224, 224, 3).

    The same folder gives the same sample: the images whose paths have the smallest hashes. Those that cannot
    be used are left out; the run will reject them with their reasons.

    Raises:
        ValueError: There is no image that can be used.
    """
    paths = (path for batch in image_folder.list_batches() for path in batch.column(PATH).to_pylist())
    chosen = heapq.nsmallest(N_IMAGES, paths, key=lambda path: hashlib.sha256(path.encode()).digest())
    logger.info("Calibrating on %d of the images", len(chosen))
    pixels = []
    for path in chosen:
        try:
            pixels.append(decode(image_folder.read(path)))
        except (UnusableImageError, OSError) as error:
            logger.warning("Not calibrated on %s: %s", path, error)
    if not pixels:
        raise ValueError(
            f"int8 needs images to calibrate on, and none of {image_folder.url} can be used: correct "
            f"images_path, or give --params featurization.precision=float32"
        )
    return pixels
