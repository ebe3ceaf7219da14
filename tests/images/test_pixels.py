import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from fruits_bigdata.images import pixels
from fruits_bigdata.images.pixels import UnusableImageError, decode
from tests.images.conftest import chunk, encoded, opened, turned


def reference(data: bytes) -> np.ndarray:
    """Pillow alone, on whole images."""
    upright = ImageOps.exif_transpose(opened(data))
    if upright.mode == "I;16":
        upright = Image.fromarray((np.asarray(upright) // 256).astype(np.uint8))
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return np.asarray(upright.convert("RGB").resize((224, 224)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_rgb_image_is_resized_as_the_reference_does(photo, kind):
    data = encoded(photo, kind)
    np.testing.assert_array_equal(decode(data), np.asarray(opened(data).resize((224, 224))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo, orientation):
    data = encoded(photo, exif=turned(orientation))
    np.testing.assert_array_equal(decode(data), reference(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("block", [b"MM\x00*\xff\xff\xff\xff", b"II*\x00\x08\x00", b"no TIFF at all"])
def test_broken_exif_is_no_reason_to_lose_a_picture(photo, kind, block):
    good = encoded(photo, kind)
    bad = encoded(photo, kind, exif=b"Exif\x00\x00" + block)
    np.testing.assert_array_equal(decode(bad), decode(good))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(mode):
    image = Image.new("RGBA", (50, 50), (200, 0, 0, 0)).convert(mode)
    options = {"transparency": 0} if mode == "P" else {}
    assert (decode(encoded(image, **options)) == 255).all()


@pytest.mark.parametrize("options", [{}, {"transparency": 0}])
def test_sixteen_bit_grey_is_scaled_not_clipped(options):
    image = Image.fromarray(np.full((30, 30), 0x4000, dtype=np.uint16))
    assert (decode(encoded(image, **options)) == 0x40).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK"])
def test_other_modes_become_rgb(photo, mode):
    data = encoded(photo.convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    np.testing.assert_array_equal(decode(data), reference(data))


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that claims a size, with next to nothing in it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"not an image at all", "not a JPEG or PNG"),
        (png_of_size(200_000, 200_000), "too large: 200000 x 200000 pixels, limit 64,000,000"),
        (png_of_size(9_000, 9_000), "too large: 9000 x 9000"),
        (png_of_size(65_536, 1), "too large: 65536 x 1 pixels, limit 65,535 on a side"),
        (png_of_size(1, 64_000_000), "too large: 1 x 64000000 pixels, limit 65,535 on a side"),
        (png_of_size(8_000, 8_000), "too large: 8000 x 8000 pixels take .* bytes to decode"),
        (png_of_size(0, 10), "damaged: "),
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(data, reason):
    with pytest.raises(UnusableImageError, match=reason):
        decode(data)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WebP", "AVIF", "BMP"])
def test_a_format_that_people_have_is_named_and_not_parsed(photo, kind):
    with pytest.raises(UnusableImageError, match=f"^unsupported format: {kind}; convert it to JPEG or PNG"):
        decode(encoded(photo, kind.upper()))


def test_what_a_telephone_calls_heic_is_named():
    with pytest.raises(UnusableImageError, match=r"^unsupported format: HEIC; convert"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_a_damaged_png_is_refused(photo, place):
    data = bytearray(encoded(photo))
    data[int(place * len(data))] ^= 0xFF
    with pytest.raises(UnusableImageError, match="damaged"):
        decode(bytes(data))


def text_bomb(key: bytes) -> bytes:
    return chunk(b"zTXt", key + b"\0\0" + zlib.compress(bytes(3_000_000)))


def test_whatever_a_parser_raises_is_the_files_trouble(photo):
    data = encoded(photo)
    # No OSError but a ValueError: a text that is too large once it is unpacked, before the last chunk.
    with pytest.raises(UnusableImageError, match="damaged: Decompressed data too large"):
        decode(data[:-12] + text_bomb(b"Raw profile type exif") + data[-12:])


def test_a_text_that_no_pixel_depends_on_is_not_unpacked(photo):
    data = encoded(photo)
    np.testing.assert_array_equal(decode(data[:33] + text_bomb(b"key") * 100 + data[33:]), decode(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_wherever_a_file_ends_it_is_truncated(photo, kind):
    data = encoded(photo, kind)
    for end in range(8, int(0.98 * len(data)), 11):
        with pytest.raises(UnusableImageError, match="truncated: "):
            decode(data[:end])


def test_a_large_photograph_takes_its_turn(photo):
    data = encoded(photo.resize((2_000, 1_500)), "JPEG")
    with pixels._decoding.hold(pixels.MAX_DECODING_BYTES - 10_000_000):
        done = threading.Thread(target=decode, args=(data,), daemon=True)
        done.start()
        done.join(0.5)
        assert done.is_alive()
        # A small one does not wait.
        assert decode(encoded(photo, "JPEG")).shape == (224, 224, 3)
    done.join()
    assert decode(data).shape == (224, 224, 3)


# Pillow shrinks the height of the last two first, and their width when they lie.
@pytest.mark.parametrize("size", [(300, 240), (240, 270), (250, 290), (20, 1_200)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
def test_what_is_shrunk_in_strips_is_what_pillow_makes_of_the_whole(size, mode, monkeypatch):
    monkeypatch.setattr(pixels, "_STRIP_PIXELS", 7_000)
    converted: list[Image.Image] = []
    original = pixels._to_rgb
    monkeypatch.setattr(pixels, "_to_rgb", lambda image: converted.append(image) or original(image))
    values = np.random.default_rng(0).integers(0, 256, (size[1] // 9, size[0] // 9, 4), dtype=np.uint8)
    image = Image.fromarray(values).resize(size)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 256)
    elif mode != "RGBA":
        image = image.convert("RGB").convert(mode) if mode != "LA" else image.convert(mode)
    assert size[0] * size[1] > 2 * pixels._STRIP_PIXELS
    for orientation in range(1, 9):
        options = {"transparency": bytes(range(256))} if mode == "P" else {}
        kind = {"CMYK": "JPEG"}.get(mode, "PNG")
        data = encoded(image, kind, exif=turned(orientation), compress_level=1, **options)
        np.testing.assert_array_equal(decode(data), reference(data))
    # RGB that is upright is there as it is wanted, without a copy.
    whole = [part for part in converted if part.width * part.height > 7_000]
    assert [part.mode for part in whole] == (["RGB"] if mode == "RGB" else [])


def test_a_photograph_of_fifty_megapixels_is_decoded_whichever_side_is_up():
    photograph = Image.new("RGB", (8192, 6144), (200, 30, 60))
    photograph.paste((0, 0, 0), (0, 0, 8192, 3072))
    upright = decode(encoded(photograph, "JPEG", exif=turned(6)))
    # What was above is on the right.
    assert abs(upright[100, 50].astype(int) - (200, 30, 60)).max() <= 2
    assert upright[100, 200].max() <= 2


def test_coefficients_that_are_kept_count_as_memory(monkeypatch):
    image = Image.new("RGB", (1_000, 1_000))
    for subsampling, samples in {0: 3_000_000, 2: 1_500_000}.items():
        data = encoded(image, "JPEG", progressive=True, subsampling=subsampling)
        # As many coefficients as samples, of two bytes each.
        assert pixels._coefficient_bytes(Image.open(io.BytesIO(data))) == 2 * samples
    monkeypatch.setattr(pixels, "MAX_DECODING_BYTES", 12_000_000)
    with pytest.raises(UnusableImageError, match=r"too large: 1000 x 1000 pixels take 13,.* bytes"):
        decode(data)
    # What is delivered at a reduced size needs them all the same.
    with pytest.raises(UnusableImageError, match=r"too large: 3000 x 3000 pixels take .* bytes"):
        decode(encoded(image.resize((3_000, 3_000)), "JPEG", progressive=True), reduced=True)
    assert decode(encoded(image, "JPEG")).shape == (224, 224, 3)


def test_a_progressive_jpeg_of_very_many_scans_is_refused():
    data = encoded(Image.new("RGB", (1_000, 1_000), "red"), "JPEG", progressive=True)
    scan = data.rfind(b"\xff\xda")
    assert decode(data[:-2] + data[scan:-2] * 100 + data[-2:]).shape == (224, 224, 3)
    with pytest.raises(UnusableImageError, match="too large: 1,010 scans of 1000 x 1000 pixels"):
        decode(data[:-2] + data[scan:-2] * 1_000 + data[-2:])


def test_a_machine_without_memory_is_not_the_images_fault(photo, monkeypatch):
    for error in (MemoryError(), OSError("out of memory error when reading image file")):

        def load(self: Image.Image, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(pixels.PngImagePlugin.PngImageFile, "load", load)
        with pytest.raises(MemoryError):
            decode(encoded(photo))


def test_reduced_decoding_keeps_twice_the_size_and_nearly_the_same_pixels(monkeypatch):
    seen: list[tuple[int, int]] = []
    original = pixels._shrink

    def look(image: Image.Image, orientation: int, side: int) -> np.ndarray:
        seen.append(image.size)
        return original(image, orientation, side)

    monkeypatch.setattr(pixels, "_shrink", look)
    values = np.random.default_rng(0).integers(0, 256, (20, 15, 3), dtype=np.uint8)
    photograph = encoded(
        Image.fromarray(values).resize((3024, 4032), Image.Resampling.BICUBIC), "JPEG", quality=95
    )
    whole, reduced = decode(photograph), decode(photograph, reduced=True)
    assert seen == [(3024, 4032), (756, 1008)]
    difference = np.abs(whole.astype(int) - reduced)
    assert 0 < difference.mean() < 1


@pytest.mark.parametrize("reduced", [True, False])
def test_a_picture_to_look_at_has_the_size_that_is_asked_for(photo, reduced):
    small = decode(encoded(photo.resize((1600, 1200)), "JPEG"), reduced, size=64)
    expected = np.asarray(photo.resize((1600, 1200)).resize((64, 64)), int)
    assert small.shape == (64, 64, 3)
    assert np.abs(small - expected).mean() < 3


@pytest.mark.parametrize(("size", "kind"), [((800, 800), "JPEG"), ((2000, 2000), "PNG")])
def test_reduced_decoding_changes_nothing_else(size, kind, photo):
    data = encoded(photo.resize(size), kind)
    np.testing.assert_array_equal(decode(data, reduced=True), decode(data))


def test_a_photograph_that_is_too_large_stays_so_when_reduced(monkeypatch):
    monkeypatch.setattr(pixels, "MAX_PIXELS", 1_000_000)
    with pytest.raises(UnusableImageError, match="2000 x 1000 pixels, limit 1,000,000"):
        decode(encoded(Image.new("RGB", (2_000, 1_000)), "JPEG"), reduced=True)
