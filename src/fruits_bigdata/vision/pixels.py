"""From the bytes of an image file to the pixels that the model is given."""

import io
import threading
import warnings
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

IMAGE_SIZE = 224
# Above the 50 megapixels of common phones; 192 MB once decoded.
MAX_PIXELS = 64_000_000
_PIXELS_DECODED_SIDE_BY_SIDE = 2_000_000

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Several threads decode ahead in each worker; photographs take turns so that memory stays flat.
_one_large_image_at_a_time = threading.Lock()

# What Pillow only warns of, such as an odd EXIF block, is no news in a worker's log.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnusableImageError(ValueError):
    """An image that has no features; the message is the reason that its `rejected` row carries."""


def decode(data: bytes, reduced: bool = False) -> NDArray[np.uint8]:
    """Decode an image file as the reference does: Pillow, RGB, bicubic resize.

    EXIF orientation is applied and transparency is laid on white; for a plain RGB JPEG the result is
    `Image.open(file).resize((224, 224))`, as in the chains whose features this project reproduces.

    Args:
        data: The bytes of a JPEG or PNG file.
        reduced: Let the JPEG decoder itself deliver a large photograph at 1/2, 1/4 or 1/8 of its size, but at
            least at twice the size that is wanted, as Pillow's thumbnails do (`reducing_gap=2.0`). Several
            times as fast; the pixels differ a little from the reference's.

    Returns:
        Pixels, uint8, shape (224, 224, 3).

    Raises:
        UnusableImageError: The file is empty, no JPEG or PNG, truncated, damaged or too large.
    """
    if not data:
        raise UnusableImageError("empty file")
    try:
        # No other parser is reachable from a file that somebody uploaded.
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
    except UnidentifiedImageError:
        raise UnusableImageError("not a JPEG or PNG image") from None
    except Image.DecompressionBombError as error:
        raise UnusableImageError(f"too large: {error}") from error
    except Exception as error:  # a parser in the hands of strangers raises many kinds
        raise UnusableImageError(f"unreadable: {error}") from error
    n_pixels = image.width * image.height
    if n_pixels > MAX_PIXELS:
        raise UnusableImageError(f"too large: {image.width} x {image.height} pixels, limit {MAX_PIXELS:,}")
    if reduced:
        # Nothing happens to a PNG, or to a JPEG below four times the size.
        image.draft(None, (2 * IMAGE_SIZE, 2 * IMAGE_SIZE))
        n_pixels = image.width * image.height
    alone = _one_large_image_at_a_time if n_pixels > _PIXELS_DECODED_SIDE_BY_SIDE else nullcontext()
    try:
        with alone:
            # Before the EXIF block is looked for, which reads a PNG to its end and leaves what it could.
            image.load()
            upright = _to_rgb(_turn_upright(image))
            return np.asarray(upright.resize((IMAGE_SIZE, IMAGE_SIZE)))
    except MemoryError:  # the machine's trouble, not the image's
        raise
    except Exception as error:
        reason = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise UnusableImageError(f"{reason}: {error}") from error


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow raises many kinds; a broken tag is no reason to lose a good picture
        orientation = None
    if orientation not in _ORIENTATIONS:
        return image
    return image.transpose(_ORIENTATIONS[orientation])


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 instead of scaling it.
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
