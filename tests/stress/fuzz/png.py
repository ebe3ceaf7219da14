"""A writer of PNG files of every kind, the wrong ones too."""

import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Mode: colour type, bits of a sample, samples of a pixel.
MODES = {
    "1": (0, 1, 1),
    "L": (0, 8, 1),
    "L16": (0, 16, 1),
    "RGB": (2, 8, 3),
    "RGB16": (2, 16, 3),
    "P": (3, 8, 1),
    "LA": (4, 8, 2),
    "LA16": (4, 16, 2),
    "RGBA": (6, 8, 4),
    "RGBA16": (6, 16, 4),
}
# First column and row, and the steps between columns and rows, of Adam7's seven passes.
_ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header(width: int, height: int, mode: str, interlaced: bool = False) -> bytes:
    """Return IHDR, and for a palette PLTE and tRNS."""
    colour, depth, _ = MODES[mode]
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    if mode == "P":
        start += chunk(b"PLTE", bytes(range(256)) * 3) + chunk(b"tRNS", bytes(range(256)))
    return start


def encode(image: Image.Image, mode: str, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """Return the image as a PNG of that mode, with `extra` chunks before its pixels."""
    _, depth, samples = MODES[mode]
    plain = {"1": "1", "L16": "L", "RGB16": "RGB", "LA16": "LA", "RGBA16": "RGBA", "P": "L"}.get(mode, mode)
    values = np.asarray(image.convert("RGB").convert(plain)).astype(np.uint16)
    values = values.reshape(image.height, image.width, samples)
    if samples in (2, 4):
        values[..., -1] = np.arange(image.width) % 256
    passes = _ADAM7 if interlaced else [(0, 0, 1, 1)]
    rows = b"".join(_rows(values[y::dy, x::dx], depth) for x, y, dx, dy in passes)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    start = SIGNATURE + header(image.width, image.height, mode, interlaced)
    return start + extra + pixels + chunk(b"IEND", b"")


def flat(width: int, height: int, mode: str, interlaced: bool = False) -> bytes:
    """Return a PNG of any size, all zeros but for its filters, in a moment and in few bytes."""
    _, depth, samples = MODES[mode]
    n = height * (1 + (width * depth * samples + 7) // 8)
    if interlaced:
        n = sum(
            -(-(height - y) // dy) * (1 + (-(-(width - x) // dx) * depth * samples + 7) // 8)
            for x, y, dx, dy in _ADAM7
        )
    start = SIGNATURE + header(width, height, mode, interlaced)
    return start + chunk(b"IDAT", zeros(n)) + chunk(b"IEND", b"")


def zeros(n: int) -> bytes:
    """Return `n` zeros, compressed: one compressed block of a megabyte, over and over."""
    block = 1_000_000
    packer = zlib.compressobj(9)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    repeated = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, wbits=-15)
    end = rest.compress(bytes(n % block)) + rest.flush()
    # Adler-32 of n zeros (RFC 1950): one sum stays 1, the other counts it n times.
    return start + repeated * (n // block) + end + struct.pack(">HH", n % 65_521, 1)


def _rows(values: np.ndarray, depth: int) -> bytes:
    height, width = values.shape[:2]
    if not height or not width:
        return b""
    if depth == 1:
        rows = np.packbits(values[..., 0] > 0, axis=1)
    elif depth == 16:
        rows = np.ascontiguousarray((values * 257).astype(">u2")).view(np.uint8).reshape(height, -1)
    else:
        rows = values.astype(np.uint8).reshape(height, -1)
    return np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
