import struct

import numpy as np
import pytest
from PIL.PngImagePlugin import PngInfo

from fruits_bigdata.images import container
from fruits_bigdata.images.container import UnusableImageError, read_container
from tests.images.conftest import chunk, encoded, opened, turned


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def test_a_png_keeps_its_pixels_and_loses_its_texts_and_profiles(photo):
    texts = PngInfo()
    texts.add_text("Comment", "x" * 1_000, zip=True)
    texts.add_itxt("Title", "é" * 1_000)
    data = encoded(
        photo.convert("P"), "PNG", pnginfo=texts, icc_profile=bytes(500), exif=turned(6), transparency=3
    )
    image = opened(read_container(data).content)
    assert image.text == {}
    assert "icc_profile" not in image.info
    assert (image.getexif()[0x0112], image.info["transparency"]) == (6, 3)
    np.testing.assert_array_equal(np.asarray(image.convert("RGBA")), np.asarray(opened(data).convert("RGBA")))


def test_a_png_keeps_the_texts_that_say_which_side_is_up(photo):
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    texts.add_text("Comment", 'tiff:Orientation="3"')
    image = opened(read_container(encoded(photo, "PNG", pnginfo=texts)).content)
    assert image.getexif()[0x0112] == 6


def test_a_jpeg_keeps_its_pixels_and_loses_its_profiles(photo):
    cmyk = photo.convert("CMYK")
    data = encoded(cmyk, "JPEG", exif=turned(6), icc_profile=bytes(90_000), comment="x")
    image = opened(read_container(data).content)
    assert set(image.info).isdisjoint({"icc_profile", "comment"})
    # Adobe's segment says what CMYK means.
    assert "adobe" in image.info
    assert image.getexif()[0x0112] == 6
    np.testing.assert_array_equal(np.asarray(image), np.asarray(opened(data)))


def test_a_picture_with_further_pictures_is_its_first(photo):
    data = encoded(photo, "MPO", save_all=True, append_images=[photo.rotate(180)])
    assert opened(data).format == "MPO"
    image = opened(read_container(data).content)
    assert image.format == "JPEG"
    np.testing.assert_array_equal(np.asarray(image), np.asarray(opened(data)))


def test_a_file_with_nothing_to_drop_is_not_copied(photo):
    for kind in ("PNG", "JPEG"):
        data = encoded(photo, kind)
        assert read_container(data).content is data


def test_a_segment_shorter_than_its_own_length_is_damage(photo):
    data = encoded(photo, "JPEG")
    with pytest.raises(UnusableImageError, match="damaged: a segment of 1 bytes"):
        read_container(data[:2] + b"\xff\xe3\0\1" + data[2:])


def test_what_lies_between_segments_is_skipped_at_once(photo):
    data = encoded(photo, "JPEG")
    # Pillow looks at each of these bytes by itself, and at each again.
    padded = data[:2] + b"\xff" * 3_000_000 + bytes(3_000_000) + b"\xff\0" * 1_000_000 + data[2:]
    padded = padded[:2] + data[2:20] + padded[2:]
    content = read_container(padded).content
    assert len(content) < len(data) + 100
    np.testing.assert_array_equal(np.asarray(opened(content)), np.asarray(opened(data)))


@pytest.mark.parametrize(
    ("kind", "part"),
    [("PNG", chunk(b"abCd", b"")), ("JPEG", segment(0xE0, b"")), ("JPEG", segment(0xDB, b""))],
)
def test_a_file_of_very_many_parts_is_refused(photo, kind, part):
    data, place = encoded(photo, kind), {"PNG": 33, "JPEG": 2}[kind]
    read_container(data[:place] + part * (container.MAX_PARTS // 2) + data[place:])
    with pytest.raises(UnusableImageError, match="too large: more than 50,000"):
        read_container(data[:place] + part * container.MAX_PARTS + data[place:])


def test_scans_are_counted(photo):
    plain = read_container(encoded(photo, "JPEG"))
    assert (plain.scans, plain.keeps_coefficients) == (1, False)
    progressive = encoded(photo, "JPEG", progressive=True)
    # The ten scans of libjpeg's jpeg_simple_progression for colours.
    assert (read_container(progressive).scans, read_container(progressive).keeps_coefficients) == (10, True)
    scan = progressive.rfind(b"\xff\xda")
    more = progressive[:-2] + progressive[scan:-2] * 90 + progressive[-2:]
    assert read_container(more).scans == 100
    # What follows the end is no part of it.
    assert read_container(progressive + more).scans == 10


def test_neither_jpeg_nor_png_is_refused():
    for data in (b"GIF88a", b"\x89PNG", b"\xff\xd8", bytes(100), b"BM, a text", b"RIFF....WAVE", b"II*"):
        with pytest.raises(UnusableImageError, match="not a JPEG or PNG image"):
            read_container(data)
