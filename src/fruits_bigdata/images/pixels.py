"""From the bytes of an image file to the pixels that the model is given."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin

from fruits_bigdata.images.budget import MemoryBudget
from fruits_bigdata.images.container import Container, UnusableImageError, read_container

IMAGE_SIZE = 224
# Above the 50 megapixels of common phones.
MAX_PIXELS = 64_000_000
# JPEG's own limit. A strip, below, is one row at least.
_MAX_SIDE = 65_535
# Of an image in colours this is 52 megapixels: Pillow takes four bytes for each. With the 170 MB of a worker
# and the files at hand (`budget.MAX_FILE_BYTES`) a process stays below 500 MB.
MAX_DECODING_BYTES = 220_000_000
# What the fuzz targets of libjpeg-turbo allow, fuzz/decompress.cc: 500 scans of 1,048,576 pixels.
_MAX_SCANNED_PIXELS = 500 * 1_048_576

# Large images are turned, laid on white and shrunk in strips of so many pixels, each of which then exists up
# to six times, in four bytes.
_STRIP_PIXELS = 250_000
_BYTES_PER_STRIP_PIXEL = 24
_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2}

_SIDEWAYS = {5, 6, 7, 8}
_MIRRORED_ACROSS = {2, 3, 6, 7}
_MIRRORED_DOWN = {3, 4, 7, 8}
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# No other parser is reachable from a file that somebody uploaded.
_DECODERS = {"JPEG": JpegImagePlugin.JpegImageFile, "PNG": PngImagePlugin.PngImageFile}

# Several threads decode ahead in each worker; photographs take turns so that memory stays flat.
_decoding = MemoryBudget(MAX_DECODING_BYTES)

# What Pillow only warns of, such as an odd EXIF block, is no news in a worker's log.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, reduced: bool = False, size: int = IMAGE_SIZE) -> NDArray[np.uint8]:
    """Decode an image file as the reference does: Pillow, RGB, bicubic resize.

    EXIF orientation is applied and transparency is laid on white; for a plain RGB JPEG the result is
    `Image.open(file).resize((224, 224))`, as in the chains whose features this project reproduces.

    Args:
        data: The bytes of a JPEG or PNG file.
        reduced: Let the JPEG decoder itself deliver a large photograph at 1/2, 1/4 or 1/8 of its size, but at
            least at twice the size that is wanted, as Pillow's thumbnails do (`reducing_gap=2.0`). Several
            times as fast; the pixels differ a little from the reference's.
        size: The side of what is returned: the model's, or a picture's that people look at.

    Returns:
        Pixels, uint8, shape (size, size, 3).

    Raises:
        UnusableImageError: The file is empty, no JPEG or PNG, truncated, damaged or too large.
        MemoryError: The machine has too little memory, which says nothing about the image.
    """
    if not data:
        raise UnusableImageError("empty file")
    file = read_container(data)
    try:
        image = _DECODERS[file.kind](io.BytesIO(file.content))
        _check_size(image, file)
        size_text = f"{image.width} x {image.height} pixels"
        # Of the whole size, whatever is delivered of it.
        coefficients = _coefficient_bytes(image) if file.keeps_coefficients else 0
        if reduced:
            # Nothing happens to a PNG, or to a JPEG below four times the size.
            image.draft(None, (2 * size, 2 * size))
        needed = _needed_bytes(image, coefficients, size)
        if needed > MAX_DECODING_BYTES:
            raise UnusableImageError(
                f"too large: {size_text} take {needed:,} bytes to decode, limit {MAX_DECODING_BYTES:,}"
            )
        with _decoding.hold(needed):
            # Before the EXIF block is looked for, which reads a PNG to its end and leaves what it could.
            image.load()
            return _shrink(image, _orientation(image), size)
    except (MemoryError, UnusableImageError):
        raise
    except Exception as error:  # a parser in the hands of strangers raises many kinds
        text = str(error).lower()
        if "out of memory" in text:
            raise MemoryError(str(error)) from error
        raise UnusableImageError(f"{'truncated' if 'truncated' in text else 'damaged'}: {error}") from error


def _check_size(image: Image.Image, file: Container) -> None:
    width, height = image.size
    size = f"{width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise UnusableImageError(f"too large: {size}, limit {MAX_PIXELS:,}")
    if max(width, height) > _MAX_SIDE:
        raise UnusableImageError(f"too large: {size}, limit {_MAX_SIDE:,} on a side")
    if file.scans * width * height > _MAX_SCANNED_PIXELS:
        raise UnusableImageError(
            f"too large: {file.scans:,} scans of {size}, limit {_MAX_SCANNED_PIXELS:,} scanned pixels"
        )


def _coefficient_bytes(image: Image.Image) -> int:
    """Return the bytes of a JPEG's coefficients, two for each, of components sampled at their own rates."""
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    shares = [h * v for _, h, v, _ in image.layer]
    whole = max(h for _, h, _, _ in image.layer) * max(v for _, _, v, _ in image.layer)
    return 2 * image.width * image.height * sum(shares) // max(whole, 1)


def _needed_bytes(image: Image.Image, coefficients: int, size: int) -> int:
    """Return the memory that decoding takes at most."""
    n_pixels = image.width * image.height
    decoded = n_pixels * _BYTES_PER_PIXEL.get(image.mode, 4) + coefficients
    strip = min(n_pixels, _STRIP_PIXELS) * _BYTES_PER_STRIP_PIXEL
    return decoded + strip + 4 * size * max(image.size)


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:  # Pillow raises many kinds; a broken tag is no reason to lose a good picture
        return 1
    return orientation if orientation in _ORIENTATIONS else 1


def _shrink(image: Image.Image, orientation: int, side: int) -> NDArray[np.uint8]:
    """Return what `resize` makes of the upright image in RGB, which never exists whole when it is large.

    Pillow's `resize` shrinks one direction after the other and rounds to eight bits between them, the width
    first unless the height loses more than twice as much (Pillow's pull request 9549). What the first does
    to a strip across the other direction is what it does to the whole.
    """
    size = (side, side)
    plain = image.mode == "RGB" and orientation == 1 and not image.has_transparency_data
    if plain or image.width * image.height <= _STRIP_PIXELS:
        return np.asarray(_to_rgb(_turn(image, orientation)).resize(size))
    width, height = image.size[::-1] if orientation in _SIDEWAYS else image.size
    height_first = height - side > max(0, 2 * (width - side))
    length, breadth = (width, height) if height_first else (height, width)
    step = max(1, _STRIP_PIXELS // max(breadth, side))
    shrunk = Image.new("RGB", (width, side) if height_first else (side, height))
    for start in range(0, length, step):
        stop = min(start + step, length)
        if height_first:
            strip = _upright_part(image, orientation, (start, 0, stop, height))
            shrunk.paste(_to_rgb(strip).resize((stop - start, side)), (start, 0))
        else:
            strip = _upright_part(image, orientation, (0, start, width, stop))
            shrunk.paste(_to_rgb(strip).resize((side, stop - start)), (0, start))
    return np.asarray(shrunk.resize(size))


def _upright_part(image: Image.Image, orientation: int, box: tuple[int, int, int, int]) -> Image.Image:
    """Return what would be in `box` if the image were turned upright."""
    sideways = orientation in _SIDEWAYS
    width, height = image.size[::-1] if sideways else image.size
    left, top, right, bottom = box
    if orientation in _MIRRORED_ACROSS:
        left, right = width - right, width - left
    if orientation in _MIRRORED_DOWN:
        top, bottom = height - bottom, height - top
    return _turn(
        image.crop((top, left, bottom, right) if sideways else (left, top, right, bottom)), orientation
    )


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_ORIENTATIONS[orientation]) if orientation in _ORIENTATIONS else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 instead of scaling it.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
