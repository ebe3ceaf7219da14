"""What of an image file its pixels depend on; the decoder is shown nothing else.

Texts, colour profiles, thumbnails and further pictures have parsers of their own in Pillow, and a file can be
made so that each takes hundreds of megabytes or minutes. No pixel depends on them.
"""

import re
from dataclasses import dataclass
from typing import Literal

# Encoders write a PNG in chunks of 8 KB and more: 6,250 of them in the largest file. Each costs some 5 us.
MAX_PARTS = 50_000
# An EXIF block in a JPEG has 64 KB at most.
_MAX_METADATA_BYTES = 1_000_000

# How files of other formats begin: RFC 9649 (WebP), ISO/IEC 14496-12 and its registered brands (AVIF, HEIC),
# TIFF 6.0 and BigTIFF, GIF89a, and the Windows bitmap's header with its reserved zeros.
_OTHER_FORMATS = {
    "WebP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "AVIF": re.compile(rb"....ftypavi[fs]", re.DOTALL),
    "HEIC": re.compile(rb"....ftyp(?:hei[cxms]|hev[cmx]|mif1|msf1)", re.DOTALL),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "BMP": re.compile(rb"BM....\0{4}", re.DOTALL),
}

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_NAME = re.compile(rb"[A-Za-z]{4}")
_PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
# What may say which side is up, and how it begins: Pillow looks into the texts when there is no EXIF block.
_PNG_METADATA = {
    b"eXIf": b"",
    b"tEXt": b"Raw profile type exif\0",
    b"zTXt": b"Raw profile type exif\0",
    b"iTXt": b"XML:com.adobe.xmp\0",
}

# Fill bytes and stuffed zeros are no markers, and restart markers belong to the data between them.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SOI, _EOI, _SOS, _TEM, _COM = 0xD8, 0xD9, 0xDA, 0x01, 0xFE
_APP0, _APP1, _APP14, _APP15 = 0xE0, 0xE1, 0xEE, 0xEF
# Start of frame: 0xC4, 0xC8 and 0xCC are other segments.
_SEQUENTIAL = {0xC0, 0xC1, 0xC9}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_METADATA = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")


class UnusableImageError(ValueError):
    """An image that has no features; the message is the reason that its `rejected` row carries."""


@dataclass(frozen=True)
class Container:
    """An image file, reduced to what its pixels depend on.

    Attributes:
        kind: Which decoder it is for.
        content: The file without what the decoder does not need.
        scans: Times that the decoder goes over the image: more than once in a progressive JPEG.
        keeps_coefficients: Whether the decoder keeps all coefficients of the image until its last scan.
    """

    kind: Literal["JPEG", "PNG"]
    content: bytes
    scans: int = 1
    keeps_coefficients: bool = False


def read_container(data: bytes) -> Container:
    """Read the structure of a JPEG or PNG file.

    Raises:
        UnusableImageError: It is neither (formats that people have are named), ends before its pixels
            begin, or has too many parts.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _read_jpeg(data)
    if data.startswith(_PNG_SIGNATURE):
        return Container("PNG", _join(data, _png_spans(data)))
    other = next((name for name, mark in _OTHER_FORMATS.items() if mark.match(data)), None)
    if other is not None:
        raise UnusableImageError(
            f"unsupported format: {other}; convert it to JPEG or PNG, for example with ImageMagick's mogrify"
        )
    raise UnusableImageError("not a JPEG or PNG image")


def _png_spans(data: bytes) -> list[tuple[int, int]]:
    spans = [(0, len(_PNG_SIGNATURE))]
    position = len(_PNG_SIGNATURE)
    metadata_seen = set()
    pixels_seen = False
    for _ in range(MAX_PARTS):
        name = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4])
        pixels_seen |= name == b"IDAT"
        if end > len(data):
            if not pixels_seen:
                raise UnusableImageError("truncated: the file ends before its pixels begin")
            return [*spans, (position, len(data))]
        # A name that is none is for the decoder to complain of.
        well_named = _PNG_NAME.fullmatch(name) is not None
        keep = name in _PNG_PIXELS or not well_named
        if name in _PNG_METADATA and name not in metadata_seen:
            keep = (
                data.startswith(_PNG_METADATA[name], position + 8) and end - position <= _MAX_METADATA_BYTES
            )
            if keep:
                metadata_seen.add(name)
        if keep:
            spans.append((position, end))
        if name == b"IEND" or not well_named:
            return spans
        position = end
    raise UnusableImageError(f"too large: more than {MAX_PARTS:,} chunks")


def _read_jpeg(data: bytes) -> Container:
    spans = [(0, 2)]
    position = 2
    metadata_seen = set()
    frame, components = 0, 0
    for _ in range(MAX_PARTS):
        marker, start, end = _next_segment(data, position)
        if marker is None or end > len(data):
            raise UnusableImageError("truncated: the file ends before its pixels begin")
        if marker in _FRAMES:
            frame, components = marker, _byte(data, start + 9)
        if marker == _SOS:
            break
        keep = not (_APP0 < marker <= _APP15 and marker != _APP14) and marker != _COM
        if marker == _APP1:
            kind = next((name for name in _JPEG_METADATA if data.startswith(name, start + 4)), None)
            keep = kind is not None and kind not in metadata_seen
            metadata_seen.add(kind)
        if keep:
            spans.append((start, end))
        position = end
    else:
        raise UnusableImageError(f"too large: more than {MAX_PARTS:,} segments")
    content = _join(data, [*spans, (start, len(data))])
    if frame in _SEQUENTIAL and _byte(data, start + 4) >= components:
        return Container("JPEG", content)
    return Container("JPEG", content, _count_scans(data, start), keeps_coefficients=True)


def _next_segment(data: bytes, position: int) -> tuple[int | None, int, int]:
    """Return the next marker from `position` on, None if there is none, and where its segment lies."""
    match = _JPEG_MARKER.search(data, position)
    if match is None:
        return None, len(data), len(data)
    start = match.start()
    marker = data[start + 1]
    if marker in (_SOI, _EOI, _TEM):
        return marker, start, start + 2
    length = int.from_bytes(data[start + 2 : start + 4])
    if length < 2 and start + 4 <= len(data):
        raise UnusableImageError(f"damaged: a segment of {length} bytes")
    return marker, start, start + 2 + length


def _byte(data: bytes, position: int) -> int:
    """Return 0 beyond the end of a segment that is too short, which is for the decoder to complain of."""
    return data[position] if position < len(data) else 0


def _count_scans(data: bytes, position: int) -> int:
    scans = 0
    for _ in range(MAX_PARTS):
        marker, _, position = _next_segment(data, position)
        if marker in (None, _EOI):
            return scans
        scans += marker == _SOS
    raise UnusableImageError(f"too large: more than {MAX_PARTS:,} segments")


def _join(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    """Return the parts of `data`; `data` itself, without a copy, if they are all of it."""
    if sum(end - start for start, end in spans) == len(data):
        return data
    view = memoryview(data)
    return b"".join(view[start:end] for start, end in spans)
