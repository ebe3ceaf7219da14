"""What slides are made of: a title, texts, tables, boxes, arrows and pictures, in inches."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pptx import Presentation
from pptx.enum.dml import MSO_LINE
from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.oxml.ns import qn
from pptx.util import Inches, Pt

from fruits_bigdata.pipelines.reporting.slides.french import typeset
from fruits_bigdata.pipelines.reporting.slides.writing import (
    ACCENT,
    BODY,
    INK,
    MUTED,
    PALE,
    SMALL,
    TABLE,
    TITLE,
    WHITE,
    rgb,
    text_height,
    write,
)

WIDTH, HEIGHT = 13.333, 7.5
MARGIN = 0.6
INSIDE = WIDTH - 2 * MARGIN
_CELL_MARGIN = 0.06


class Box(NamedTuple):
    """A place on a slide, in inches."""

    left: float
    top: float
    width: float
    height: float


class Deck:
    """A presentation of wide slides that is filled one slide after another.

    Args:
        foot: Stands below each slide.

    Attributes:
        presentation: A pptx.Presentation.
        slide: The last slide.
    """

    def __init__(self, foot: str) -> None:
        self.presentation: Any = Presentation()
        # The template's picture of an empty slide has EXIF.
        package = self.presentation.part.package
        kinds = {relation.reltype: name for name, relation in package._rels.items()}
        package.drop_rel(kinds[RELATIONSHIP_TYPE.THUMBNAIL])
        self.presentation.slide_width, self.presentation.slide_height = Inches(WIDTH), Inches(HEIGHT)
        self._foot = foot
        self.slide: Any = None

    def begin(self, title: str, notes: str, foot: bool = True) -> None:
        """Add a slide that says `title`, on which what follows is put, with notes for who speaks."""
        self.slide = self.presentation.slides.add_slide(self.presentation.slide_layouts[5])
        shape = self.slide.shapes.title
        shape.left, shape.top, shape.width, shape.height = map(Inches, (MARGIN, 0.4, INSIDE, 1.0))
        write(shape.text_frame, [title], TITLE, INK, True, PP_ALIGN.LEFT, MSO_ANCHOR.MIDDLE)
        self.slide.notes_slide.notes_text_frame.text = typeset(" ".join(notes.split()))
        if foot:
            n = len(self.presentation.slides)
            self.text([self._foot], Box(MARGIN, 7.0, INSIDE - 1, 0.35), SMALL, MUTED)
            self.text([str(n)], Box(WIDTH - MARGIN - 0.8, 7.0, 0.8, 0.35), SMALL, MUTED, align=PP_ALIGN.RIGHT)

    def text(
        self,
        text: Sequence[str],
        box: Box,
        size: float = BODY,
        colour: str = INK,
        bold: bool = False,
        align: Any = PP_ALIGN.LEFT,
    ) -> None:
        """Put paragraphs."""
        shape = self.slide.shapes.add_textbox(*map(Inches, box))
        write(shape.text_frame, text, size, colour, bold=bold, align=align)

    def bullets(self, items: Sequence[str], box: Box, size: float = BODY) -> None:
        """Put a list; what comes before the first colon of an item, if it is short, is its head."""
        shape = self.slide.shapes.add_textbox(*map(Inches, box))
        write(shape.text_frame, items, size, INK, bullet=True)

    def box(self, text: Sequence[str], box: Box, size: float = TABLE, strong: bool = False) -> None:
        """Put a rounded box whose first line is its name."""
        shape = self.slide.shapes.add_shape(MSO_SHAPE.ROUNDED_RECTANGLE, *map(Inches, box))
        shape.adjustments[0] = 0.08
        _without_style(shape)
        shape.fill.solid()
        shape.fill.fore_color.rgb = rgb(ACCENT if strong else PALE)
        shape.line.color.rgb = rgb(ACCENT)
        frame = shape.text_frame
        write(frame, text, size, WHITE if strong else INK, align=PP_ALIGN.CENTER, anchor=MSO_ANCHOR.MIDDLE)
        frame.paragraphs[0].font.bold = True

    def frame(self, title: str, box: Box) -> None:
        """Put a frame around what follows, with its title at the top."""
        shape = self.slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *map(Inches, box))
        _without_style(shape)
        shape.fill.background()
        shape.line.color.rgb = rgb(MUTED)
        shape.line.dash_style = MSO_LINE.DASH
        self.text([title], Box(box.left + 0.1, box.top + 0.03, box.width - 0.2, 0.4), TABLE, MUTED, bold=True)

    def arrow(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Put an arrow from one point to another."""
        points = (Inches(value) for value in (*start, *end))
        line = self.slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, *points)
        line.line.color.rgb = rgb(MUTED)
        line.line.width = Pt(1.75)
        ends = line.line._get_or_add_ln()
        ends.append(ends.makeelement(qn("a:tailEnd"), {"type": "triangle"}))

    def note(self, text: Sequence[str], box: Box) -> None:
        """Put paragraphs that are less important than the rest."""
        self.text(text, box, TABLE, MUTED)

    def table(
        self,
        lines: Sequence[str],
        box: Box,
        widths: Sequence[float],
        size: float = 16,
        note: Sequence[str] = (),
    ) -> None:
        """Put a table whose first row names its columns, and whose first column names its rows.

        Args:
            lines: Rows, with | between their cells.
            box: Where it begins, and its size; it is higher if it needs to be.
            widths: Inches of each column.
            size: Points.
            note: What stands below it.
        """
        rows = [[cell.strip() for cell in line.split("|")] for line in lines]
        heights = [
            max(text_height(cell, width - 0.2, size) for cell, width in zip(row, widths, strict=True))
            + _CELL_MARGIN
            for row in rows
        ]
        # Rows of one height, unless they need more.
        least = min(box.height / len(rows), max(1.15 * max(heights), 1.8 * min(heights)))
        total = sum(max(height, least) for height in heights)
        spare = [max(height, least) - height for height in heights]
        # What long rows take, the others give.
        share = 1 - max(0.0, total - box.height) / max(sum(spare), 1e-9)
        heights = [height + max(0.0, share) * more for height, more in zip(heights, spare, strict=True)]
        table = self.slide.shapes.add_table(len(rows), len(widths), *map(Inches, box)).table
        for column, width in zip(table.columns, widths, strict=True):
            column.width = Inches(width)
        for i, (row, texts) in enumerate(zip(table.rows, rows, strict=True)):
            row.height = Inches(heights[i])
            for j, text in enumerate(texts):
                cell = row.cells[j]
                cell.fill.solid()
                cell.fill.fore_color.rgb = rgb(ACCENT if i == 0 else PALE if i % 2 == 0 else WHITE)
                cell.vertical_anchor = MSO_ANCHOR.MIDDLE
                cell.margin_top = cell.margin_bottom = Inches(_CELL_MARGIN / 2)
                colour = WHITE if i == 0 else INK
                write(cell.text_frame, [text], size, colour, bold=i == 0 or j == 0)
        if note:
            self.note(note, Box(box.left, box.top + sum(heights) + 0.08, box.width, 0.6))

    def picture(self, picture: bytes | NDArray[np.uint8], box: Box, colour: str | None = None) -> None:
        """Put a picture, a PNG's bytes or pixels, as large as it fits into the box, in its middle."""
        if isinstance(picture, np.ndarray):
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG")
            picture = file.getvalue()
        with Image.open(io.BytesIO(picture)) as image:
            scale = min(box.width / image.width, box.height / image.height)
            width, height = image.width * scale, image.height * scale
        left, top = box.left + (box.width - width) / 2, box.top + (box.height - height) / 2
        shape = self.slide.shapes.add_picture(io.BytesIO(picture), *map(Inches, (left, top, width, height)))
        if colour is not None:
            shape.line.color.rgb = rgb(colour)
            shape.line.width = Pt(2.5)


def _without_style(shape: Any) -> None:
    """Rid a shape of the theme's shadow and colours."""
    shape._element.remove(shape._element.find(qn("p:style")))
