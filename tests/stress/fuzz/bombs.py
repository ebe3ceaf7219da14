"""Files that are large, or that become large: what is just allowed, and what is just not."""

import random
from functools import cache

from PIL import Image

from tests.stress.fuzz import png
from tests.stress.fuzz.jpeg import as_jpeg, as_progressive, insert_after_start, segment
from tests.stress.fuzz.mutations import Sources

# 51.8, 64 and 64.02 megapixels: what fits into the decoder's memory in colours, what is the limit, and more.
_SIDES = (7_200, 8_000, 8_001)
# A progressive JPEG's coefficients are kept beside its pixels.
_PROGRESSIVE_SIDES = (3_000, 5_500, 7_200)


def size_limit(rng: random.Random, sources: Sources) -> bytes:
    """Make a PNG of any mode, or a JPEG, around the largest size that is allowed."""
    jpegs = ("JPEG L", "JPEG RGB", "JPEG CMYK", "photograph", "progressive")
    kind = rng.choice([*png.MODES, "interlaced", *jpegs])
    if kind in png.MODES:
        return _flat_png(rng.choice(_SIDES), kind, False)
    if kind == "interlaced":
        return _flat_png(rng.choice(_SIDES), rng.choice(("L", "RGBA")), True)
    if kind == "photograph":
        return _photograph(rng.choice((7_000, 8_000)))
    if kind == "progressive":
        return _flat_jpeg(rng.choice(_PROGRESSIVE_SIDES), "RGB", True)
    return _flat_jpeg(rng.choice(_SIDES), kind.split()[1], False)


def narrow(rng: random.Random, sources: Sources) -> bytes:
    """Make a PNG or JPEG that is very long and hardly wide."""
    sizes = ((1, 65_535), (1, 64_000_000), (3, 65_535), (300, 65_535), (800, 65_535), (2, 10**6))
    width, height = rng.choice(sizes)
    if rng.random() < 0.5:
        width, height = height, width
    if max(width, height) == 65_535 and rng.random() < 0.3:
        # Pillow writes no longer ones.
        return as_jpeg(Image.new("RGB", (min(width, 65_500), min(height, 65_500))))
    return _flat(width, height, rng.choice(("L", "RGBA", "P", "L16")))


def two_megapixels(rng: random.Random, sources: Sources) -> bytes:
    """Make what many threads may decode at once: some two megapixels, in the modes that take most memory."""
    kind = rng.choice(("RGBA", "RGBA16", "P", "LA16", "progressive", "tall"))
    if kind == "progressive":
        return _flat_jpeg(1_410, "RGB", True)
    if kind == "tall":
        return _flat(31, 64_000, "RGBA")
    return _flat_png(1_410, kind, False)


def many_parts(rng: random.Random, sources: Sources) -> bytes:
    """Make a file of a million parts, or one whose parts are found after millions of bytes."""
    picture, jpeg = png.encode(Image.new("RGB", (20, 20)), "RGB"), rng.choice(sources)
    n = rng.choice((40_000, 1_000_000))
    return rng.choice(
        (
            picture[:33] + png.chunk(b"abCd", b"") * n + picture[33:],
            picture[:33] + png.chunk(b"ABCD", b"") * n + picture[33:],
            picture[:-12] + png.chunk(b"IDAT", b"") * n + picture[-12:],
            insert_after_start(jpeg, segment(0xE0, b"") * n),
            insert_after_start(jpeg, segment(0xE1, b"Exif\0\0" + bytes(100)) * (n // 10)),
            insert_after_start(jpeg, segment(0xDB, bytes(65)) * (n // 10)),
            insert_after_start(jpeg, b"\xff" * 8 * n),
            insert_after_start(jpeg, bytes(8 * n)),
            insert_after_start(jpeg, b"\xff\x00" * 4 * n),
            as_progressive(Image.new("L", (50, 50)))[:-2] + segment(0xDD, b"\0\0") * n + b"\xff\xd9",
        )
    )


def large_file(rng: random.Random, sources: Sources) -> bytes:
    """Make a file of many megabytes: padded, or with metadata of that size."""
    jpeg, n = rng.choice(sources), rng.choice((10, 24, 49, 51))
    picture = png.encode(Image.new("RGB", (20, 20)), "RGB")
    return rng.choice(
        (
            jpeg + bytes(n * 1_000_000),
            insert_after_start(jpeg, segment(0xE1, b"Exif\0\0" + bytes(60_000)) * (16 * n)),
            insert_after_start(jpeg, segment(0xE2, b"ICC_PROFILE\0" + bytes(60_000)) * (16 * n)),
            picture[:33] + png.chunk(b"eXIf", bytes(n * 1_000_000)) + picture[33:],
            picture[:33] + png.chunk(b"prVt", bytes(n * 1_000_000)) + picture[33:],
        )
    )


@cache
def _flat_jpeg(side: int, mode: str, progressive: bool) -> bytes:
    image = Image.new(mode, (side, side))
    return as_progressive(image) if progressive else as_jpeg(image)


@cache
def _flat_png(side: int, mode: str, interlaced: bool) -> bytes:
    return _flat(side, side, mode, interlaced)


def _flat(width: int, height: int, mode: str, interlaced: bool = False) -> bytes:
    return png.flat(width, height, mode, interlaced)


@cache
def _photograph(side: int) -> bytes:
    """Return a JPEG of that side full of detail, as large as a phone's."""
    tile = Image.frombytes("RGB", (200, 200), random.Random(side).randbytes(120_000)).resize((1_000, 1_000))
    image = Image.new("RGB", (side, side))
    for top in range(0, side, 1_000):
        for left in range(0, side, 1_000):
            image.paste(tile, (left, top))
    return as_jpeg(image)
