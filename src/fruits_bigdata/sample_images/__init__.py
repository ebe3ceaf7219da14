"""Sample images for a machine without a data set: fruit on a turntable, drawn in three dimensions.

The images follow the layout and look of Fruits-360 (`<root>/<class name>/<index>_100.jpg`, white background),
so that every later step treats them like photographs.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fruits_bigdata.sample_images.cut_fruits import CUT_FRUITS
from fruits_bigdata.sample_images.fruits import WHOLE_FRUITS
from fruits_bigdata.sample_images.render import render

_FRUITS = {**WHOLE_FRUITS, **CUT_FRUITS}
_SIZE = 100
_QUALITY = 95
_IMAGES_PER_TURN = 20

SAMPLE_CLASSES: tuple[str, ...] = tuple(sorted(_FRUITS))


def turntable_angle(index: int) -> float:
    """Angle in degrees, 0 to below 360, of the image with this index (0 or more).

    One turn takes 20 images. Each further turn falls into the gaps that the turns before it left, so an
    image's angle depends on its index only, and asking for more images never changes the ones that exist.
    """
    turn, position = divmod(index, _IMAGES_PER_TURN)
    offset, share = 0.0, 0.5
    while turn:
        turn, bit = divmod(turn, 2)
        offset, share = offset + bit * share, share / 2
    return (position + offset) * 360.0 / _IMAGES_PER_TURN


def render_fruit(name: str, angle: float, size: int = _SIZE) -> np.ndarray:
    """Draw one fruit of `SAMPLE_CLASSES`, turned by `angle` degrees, so that it fills a square frame.

    Returns sRGB pixels on white, uint8 (size, size, 3): the same for the same arguments and library versions.
    Raises ValueError for an unknown name, an angle that is not finite, or a size below 1 pixel.
    """
    if name not in _FRUITS:
        raise ValueError(
            f"There is no sample fruit named {name!r}; choose one of {', '.join(SAMPLE_CLASSES)}."
        )
    if not math.isfinite(angle):
        raise ValueError(f"The angle must be a finite number of degrees, not {angle}.")
    if size < 1:
        raise ValueError(f"The size must be at least 1 pixel, not {size}.")
    return render(_FRUITS[name], angle, size)


def write_sample_images(
    root: Path,
    images_per_class: int = _IMAGES_PER_TURN,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Draw the images that `root` lacks, as 100 x 100 JPEG files `<root>/<class name>/<index>_100.jpg`.

    Each image appears under its name only once it is complete; files that are there already are left alone.
    `on_progress` receives the number drawn and the number to draw after each image. Returns the number drawn.
    Raises ValueError if `images_per_class` is below 1, and OSError if `root` cannot be written.
    """
    if images_per_class < 1:
        raise ValueError(f"images_per_class must be at least 1, not {images_per_class}.")
    wanted = [(name, index) for name in SAMPLE_CLASSES for index in range(images_per_class)]
    missing = [(name, index) for name, index in wanted if not _image_path(root, name, index).exists()]
    for drawn, (name, index) in enumerate(missing, start=1):
        _write_image(_image_path(root, name, index), render_fruit(name, turntable_angle(index)))
        if on_progress is not None:
            on_progress(drawn, len(missing))
    return len(missing)


def _image_path(root: Path, name: str, index: int) -> Path:
    return Path(root) / name / f"{index}_{_SIZE}.jpg"


def _write_image(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process number keeps two runs on one folder from writing into each other's file.
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        Image.fromarray(pixels).save(partial, format="JPEG", quality=_QUALITY)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
