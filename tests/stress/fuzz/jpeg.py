"""JPEG files and their segments."""

import io
import struct

from PIL import Image


def as_jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """Return the image as a plain JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def as_progressive(image: Image.Image) -> bytes:
    """Return the image as a progressive JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, progressive=True)
    return file.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    """Return a segment with its length."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def insert_after_start(data: bytes, inserted: bytes) -> bytes:
    """Return the JPEG with something before all of its segments."""
    return data[:2] + inserted + data[2:]


def repeat_last_scan(data: bytes, times: int) -> bytes:
    """Return a progressive JPEG whose last scan, with its tables, comes again and again."""
    scan = data.rfind(b"\xff\xda")
    tables = data.rfind(b"\xff\xc4", 0, scan)
    return data[:-2] + data[tables:-2] * times + data[-2:]


def as_arithmetic(data: bytes, width: int, height: int, pixels: bytes) -> bytes:
    """Return a JPEG with the frame and the first scan of another, in arithmetic coding, of any size."""
    frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    # SOF9 is SOF0, and SOF10 is SOF2, in arithmetic coding.
    changed = bytes([0xFF, data[frame + 1] + 9 - (data[frame + 1] == 0xC2)])
    changed += data[frame + 2 : frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]
    scan = changed.find(b"\xff\xda")
    end = scan + 2 + int.from_bytes(changed[scan + 2 : scan + 4])
    return data[:frame] + changed[:end] + pixels.replace(b"\xff", b"\xff\0") + b"\xff\xd9"
