"""Texts of slides: their type, their colours, and the room that they take."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pptx.dml.color
from PIL import ImageFont
from pptx.util import Pt

from fruits_bigdata.pipelines.reporting.slides.french import typeset

INK, MUTED, ACCENT, PALE, WARN, WHITE = "1F2A36", "5B6770", "0072B2", "E8F1F7", "B54A00", "FFFFFF"
COLOURS = {"ink": INK, "muted": MUTED, "accent": ACCENT}
TITLE, BODY, TABLE, SMALL = 26, 18, 14, 12
_FONT = "Calibri"
# Matplotlib brings a font whose characters can be measured anywhere; Calibri's are narrower, by 15 to 20 %.
_MEASURED_FONT, _NARROWER = "DejaVuSans.ttf", 0.88
_MEASURED_SIZE = 20
_LEADING = 1.2
# The package has no types.
_colours: Any = pptx.dml.color


def rgb(colour: str) -> Any:
    """Return a colour, such as 1F2A36, as pptx has it."""
    return _colours.RGBColor.from_string(colour)


def write(
    frame: Any,
    paragraphs: Sequence[str],
    size: float,
    colour: str,
    bold: bool = False,
    align: Any = None,
    anchor: Any = None,
    bullet: bool = False,
) -> None:
    """Fill a text frame with paragraphs, or with a list whose short heads are bold."""
    frame.word_wrap = True
    if anchor is not None:
        frame.vertical_anchor = anchor
    for i, text in enumerate(paragraphs):
        paragraph = frame.paragraphs[0] if i == 0 else frame.add_paragraph()
        paragraph.alignment = align
        paragraph.font.size, paragraph.font.name = Pt(size), _FONT
        paragraph.font.color.rgb, paragraph.font.bold = rgb(colour), bold
        head, colon, rest = text.partition(" : ")
        if bullet:
            paragraph.space_after = Pt(size * 0.45)
        if bullet and colon and len(head) < 45:
            run = paragraph.add_run()
            run.text = typeset(f"{head} : ")
            run.font.bold = True
            text = rest
        paragraph.add_run().text = typeset(text)


def text_height(text: str, width: float, size: float) -> float:
    """Return the height in inches that a text takes, wrapped in so many inches: rather too much."""
    font = _font()
    room = width * 72 * _MEASURED_SIZE / (size * _NARROWER)
    n = 0
    for line in text.split("\n"):
        n, used = n + 1, 0.0
        for word in line.split(" "):
            length = font.getlength(word + " ")
            if used and used + length > room:
                n, used = n + 1, 0.0
            used += length
    return n * size * _LEADING / 72


@cache
def _font() -> Any:
    from matplotlib import get_data_path

    return ImageFont.truetype(str(Path(get_data_path(), "fonts/ttf", _MEASURED_FONT)), _MEASURED_SIZE)
