import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from fruits_bigdata.vision import pixels
from fruits_bigdata.vision.pixels import UnusableImageError, decode


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def photo() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((100, 120))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_rgb_image_is_resized_as_the_reference_does(photo: Image.Image, kind: str) -> None:
    data = encoded(photo, kind)
    reference = np.asarray(Image.open(io.BytesIO(data)).resize((224, 224)))
    np.testing.assert_array_equal(decode(data), reference)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo: Image.Image, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photo, "PNG", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode(data), np.asarray(upright.resize((224, 224))))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("block", [b"MM\x00*\xff\xff\xff\xff", b"II*\x00\x08\x00", b"no TIFF at all"])
def test_broken_exif_is_no_reason_to_lose_a_picture(photo: Image.Image, kind: str, block: bytes) -> None:
    good = encoded(photo, kind)
    bad = encoded(photo, kind, exif=b"Exif\x00\x00" + block)
    np.testing.assert_array_equal(decode(bad), decode(good))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    image = Image.new("RGBA", (50, 50), (200, 0, 0, 0)).convert(mode)
    options = {"transparency": 0} if mode == "P" else {}
    assert (decode(encoded(image, **options)) == 255).all()


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    image = Image.fromarray(np.full((30, 30), 0x4000, dtype=np.uint16))
    assert (decode(encoded(image)) == 0x40).all()


def test_sixteen_bit_grey_with_a_transparent_value_is_scaled_too() -> None:
    image = Image.fromarray(np.full((30, 30), 0x4000, dtype=np.uint16))
    assert (decode(encoded(image, transparency=0)) == 0x40).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK"])
def test_other_modes_become_rgb(photo: Image.Image, mode: str) -> None:
    image = photo.convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    data = encoded(image, kind)
    reference = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224)))
    np.testing.assert_array_equal(decode(data), reference)


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that claims a size, with next to nothing in it."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"not an image at all", "not a JPEG or PNG"),
        (png_of_size(200_000, 200_000), "too large: .*40000000000 pixels"),
        (png_of_size(9_000, 9_000), "too large: 9000 x 9000"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableImageError, match=reason):
        decode(data)


def test_a_format_that_is_not_asked_for_is_not_parsed(photo: Image.Image) -> None:
    for kind in ("GIF", "TIFF", "WEBP", "BMP"):
        with pytest.raises(UnusableImageError, match="not a JPEG or PNG"):
            decode(encoded(photo, kind))


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_a_damaged_png_is_refused(photo: Image.Image, place: float) -> None:
    data = bytearray(encoded(photo))
    data[int(place * len(data))] ^= 0xFF
    with pytest.raises(UnusableImageError, match="damaged"):
        decode(bytes(data))


def test_whatever_a_parser_raises_is_the_files_trouble(photo: Image.Image) -> None:
    data = encoded(photo)
    # No OSError but a ValueError: a text that is too large once it is unpacked, before the last chunk.
    body = b"zTXtkey\0\0" + zlib.compress(bytes(3_000_000))
    text = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with pytest.raises(UnusableImageError, match="damaged: Decompressed data too large"):
        decode(data[:-12] + text + data[-12:])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_file_says_so(photo: Image.Image, kind: str) -> None:
    with pytest.raises(UnusableImageError, match="truncated"):
        decode(encoded(photo, kind)[:-700])


def test_a_large_photograph_takes_its_turn(photo: Image.Image) -> None:
    data = encoded(photo.resize((2_000, 1_500)), "JPEG")
    with pixels._one_large_image_at_a_time:
        done = threading.Thread(target=decode, args=(data,), daemon=True)
        done.start()
        done.join(0.5)
        assert done.is_alive()
    done.join()
    assert decode(data).shape == (224, 224, 3)


def test_a_small_image_waits_for_none(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    class Turns:
        taken = 0

        def __enter__(self) -> None:
            self.taken += 1

        def __exit__(self, *_: object) -> None:
            pass

    turns = Turns()
    monkeypatch.setattr(pixels, "_one_large_image_at_a_time", turns)
    decode(encoded(photo, "JPEG"))
    assert turns.taken == 0
    decode(encoded(photo.resize((2_000, 1_500)), "JPEG"))
    assert turns.taken == 1


def test_reduced_decoding_keeps_twice_the_size_and_nearly_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[int, int]] = []
    original = pixels._turn_upright

    def look(image: Image.Image) -> Image.Image:
        seen.append(image.size)
        return original(image)

    monkeypatch.setattr(pixels, "_turn_upright", look)
    values = np.random.default_rng(0).integers(0, 256, (20, 15, 3), dtype=np.uint8)
    photograph = encoded(
        Image.fromarray(values).resize((3024, 4032), Image.Resampling.BICUBIC), "JPEG", quality=95
    )
    whole, reduced = decode(photograph), decode(photograph, reduced=True)
    assert seen == [(3024, 4032), (756, 1008)]
    difference = np.abs(whole.astype(int) - reduced)
    assert 0 < difference.mean() < 1


@pytest.mark.parametrize(("size", "kind"), [((800, 800), "JPEG"), ((2000, 2000), "PNG")])
def test_reduced_decoding_changes_nothing_else(size: tuple[int, int], kind: str, photo: Image.Image) -> None:
    data = encoded(photo.resize(size), kind)
    np.testing.assert_array_equal(decode(data, reduced=True), decode(data))


def test_a_photograph_that_is_too_large_stays_so_when_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "MAX_PIXELS", 1_000_000)
    with pytest.raises(UnusableImageError, match="2000 x 1000 pixels, limit 1,000,000"):
        decode(encoded(Image.new("RGB", (2_000, 1_000)), "JPEG"), reduced=True)
