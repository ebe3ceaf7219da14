"""Image files that are made in memory."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photo() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((100, 120))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def turned(orientation: int) -> Image.Exif:
    """Return the EXIF block that says which side is up."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
