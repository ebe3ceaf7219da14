"""Image files with something wrong in them: each function makes one, from real images, by chance."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Sequence

from PIL import Image

from tests.stress.fuzz import png
from tests.stress.fuzz.jpeg import (
    as_arithmetic,
    as_jpeg,
    as_progressive,
    insert_after_start,
    repeat_last_scan,
    segment,
)

Sources = Sequence[bytes]
Mutation = Callable[[random.Random, Sources], bytes]


def flip_bits(rng: random.Random, sources: Sources) -> bytes:
    """Flip up to 30 bits anywhere."""
    data = bytearray(rng.choice(sources))
    for _ in range(rng.randint(1, 30)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def overwrite(rng: random.Random, sources: Sources) -> bytes:
    """Overwrite up to five runs of bytes with noise, or with one value."""
    data = bytearray(rng.choice(sources))
    for _ in range(rng.randint(1, 5)):
        n = min(rng.randint(1, 300), len(data))
        start = rng.randrange(len(data) - n + 1)
        data[start : start + n] = rng.choice([rng.randbytes(n), bytes([rng.choice((0, 255, 127))]) * n])
    return bytes(data)


def truncate(rng: random.Random, sources: Sources) -> bytes:
    """Cut the file off, in half of the cases within its header."""
    data = rng.choice(sources)
    return data[: rng.randrange(1, rng.choice((len(data), min(len(data), 700))))]


def splice(rng: random.Random, sources: Sources) -> bytes:
    """Join the beginning of one file with the end of another."""
    one, other = rng.choice(sources), rng.choice(sources)
    return one[: rng.randrange(len(one))] + other[rng.randrange(len(other)) :]


def absurd_jpeg_size(rng: random.Random, sources: Sources) -> bytes:
    """Claim another size in the JPEG's frame header."""
    data = bytearray(rng.choice(sources))
    frame = data.find(b"\xff\xc0")
    sizes = (0, 1, 99, 101, 2_000, 7_200, 8_000, 8_001, 65_535)
    data[frame + 5 : frame + 9] = struct.pack(">HH", rng.choice(sizes), rng.choice(sizes))
    return bytes(data)


def absurd_png_size(rng: random.Random, sources: Sources) -> bytes:
    """Claim another size in the PNG's header, with the right checksum or without."""
    data = bytearray(png.encode(_image(rng, sources), rng.choice(list(png.MODES)), rng.random() < 0.3))
    sizes = (0, 1, 99, 101, 2_000, 7_200, 8_000, 8_001, 65_535, 2**31 - 1, 2**32 - 1)
    data[16:24] = struct.pack(">II", rng.choice(sizes), rng.choice(sizes))
    if rng.random() < 0.9:
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def png_mode(rng: random.Random, sources: Sources) -> bytes:
    """Make a PNG of some mode, interlaced or not, which is as it should be."""
    return png.encode(_image(rng, sources), rng.choice(list(png.MODES)), rng.random() < 0.3)


def mutated_png(rng: random.Random, sources: Sources) -> bytes:
    """Make a PNG of some mode and damage it; half of the damage is to compressed pixels that check."""
    data = png_mode(rng, sources)
    if rng.random() < 0.5:
        return rng.choice((flip_bits, overwrite, truncate))(rng, [data])
    start = data.find(b"IDAT") + 4
    pixels = zlib.decompress(data[start : -12 - 4])
    damaged = flip_bits(rng, [pixels]) if rng.random() < 0.5 else truncate(rng, [pixels])
    return data[: start - 8] + png.chunk(b"IDAT", zlib.compress(damaged)) + data[-12:]


def mutated_progressive(rng: random.Random, sources: Sources) -> bytes:
    """Make a progressive JPEG and damage it."""
    data = as_progressive(_image(rng, sources))
    return rng.choice((flip_bits, overwrite, truncate, splice))(rng, [data])


def many_scans(rng: random.Random, sources: Sources) -> bytes:
    """Make a progressive JPEG, up to 16 megapixels large, that says its last scan again and again."""
    side = rng.choice((100, 500, 1_000, 2_000, 4_000))
    image = _image(rng, sources) if side == 100 else Image.new("RGB", (side, side), "red")
    return repeat_last_scan(as_progressive(image), rng.choice((20, 100, 400, 2_000, 20_000, 60_000)))


def arithmetic(rng: random.Random, sources: Sources) -> bytes:
    """Make a JPEG in arithmetic coding, to which any bytes are pixels; up to 52 megapixels."""
    side = rng.choice((100, 1_000, 4_000, 7_200))
    data = (
        as_progressive(Image.new("RGB", (8, 8))) if rng.random() < 0.3 else as_jpeg(Image.new("RGB", (8, 8)))
    )
    return as_arithmetic(data, side, side, rng.randbytes(rng.choice((0, 10_000, 10_000_000))))


def cmyk(rng: random.Random, sources: Sources) -> bytes:
    """Make a CMYK JPEG, damaged in half of the cases."""
    data = as_jpeg(_image(rng, sources).convert("CMYK"))
    return data if rng.random() < 0.5 else rng.choice((flip_bits, overwrite, truncate))(rng, [data])


def exif(rng: random.Random, sources: Sources) -> bytes:
    """Add an EXIF block that is broken, or whose entries all point at the same bytes."""
    n = rng.choice((1, 50, 5_000))
    same = b"".join(struct.pack("<HHII", tag, 7, 60_000, 0) for tag in range(n))
    many, place = rng.choice((1, 2**32 - 1)), rng.randrange(2**32)
    orientation = struct.pack("<HHII", 0x0112, rng.choice((2, 3, 5)), many, place)
    block = rng.choice(
        (
            rng.randbytes(rng.randint(0, 3_000)),
            b"II*\0\x08\0\0\0" + struct.pack("<H", n) + same,
            b"II*\0\x08\0\0\0\x01\0" + orientation + rng.randbytes(4),
            b"MM\0*" + struct.pack(">I", rng.randrange(2**32)) + rng.randbytes(40),
        )
    )
    if rng.random() < 0.5:
        return png.encode(_image(rng, sources), "RGB", extra=png.chunk(b"eXIf", block * rng.choice((1, 40))))
    return insert_after_start(rng.choice(sources), segment(0xE1, (b"Exif\0\0" + block)[:65_000]))


def text(rng: random.Random, sources: Sources) -> bytes:
    """Add texts and profiles to a PNG that are huge, or that become huge when they are unpacked."""
    bomb = png.zeros(rng.choice((900_000, 60_000_000)))
    smile = zlib.compress(b"\xf0\x9f\x8d\x8e" + b"a" * 900_000)
    name = rng.choice((b"key", b"Raw profile type exif", b"XML:com.adobe.xmp"))
    chunks = (
        png.chunk(b"zTXt", name + b"\0\0" + bomb),
        b"".join(png.chunk(b"zTXt", b"%d\0\0" % i + bomb) for i in range(70)),
        png.chunk(b"iTXt", name + b"\0\1\0\0\0" + bomb),
        b"".join(png.chunk(b"iTXt", b"%d\0\1\0\0\0" % i + smile) for i in range(60)),
        png.chunk(b"tEXt", name + b"\0" + b"a" * 3_000_000),
        png.chunk(b"iCCP", b"icc\0\0" + bomb),
        png.chunk(b"iCCP", b"icc\0\1" + rng.randbytes(50)),
        png.chunk(b"eXIf", b"II*\0\x08\0\0\0" + bytes(3_000_000)),
    )
    data = png.encode(_image(rng, sources), rng.choice(("RGB", "P", "L")), extra=rng.choice(chunks))
    # Texts may stand behind the pixels, too.
    return data if rng.random() < 0.7 else data[:-12] + rng.choice(chunks) + data[-12:]


def other_format(rng: random.Random, sources: Sources) -> bytes:
    """Give another format the name of a JPEG."""
    image = _image(rng, sources)
    kind = rng.choice(("GIF", "TIFF", "WEBP", "BMP", "PPM", "ICO", "PDF", "svg", "html", "noise", "zeros"))
    written = {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="99999999" height="99999999"/></svg>',
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "noise": rng.randbytes(5_000),
        "zeros": bytes(5_000),
    }
    if kind in written:
        return written[kind]
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def polyglot(rng: random.Random, sources: Sources) -> bytes:
    """Make a file that is two things at once."""
    jpeg, picture = rng.choice(sources), png_mode(rng, sources)
    archive = b"PK\x03\x04" + rng.randbytes(200) + b"PK\x05\x06" + bytes(18)
    return rng.choice(
        (
            jpeg + archive,
            picture + jpeg,
            jpeg + picture,
            b"GIF89a" + jpeg,
            b"\xff\xd8\xff" + picture,
            png.SIGNATURE + jpeg,
            insert_after_start(jpeg, segment(0xFE, b"<script>alert(1)</script>" + picture[:60_000])),
            insert_after_start(jpeg, segment(0xE2, b"MPF\0" + rng.randbytes(300))),
            picture[:33] + png.chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + picture[33:],
            picture[:33] + picture[8:],
        )
    )


def empty(rng: random.Random, sources: Sources) -> bytes:
    """Nothing at all."""
    return b""


def _image(rng: random.Random, sources: Sources) -> Image.Image:
    return Image.open(io.BytesIO(rng.choice(sources))).convert("RGB")
