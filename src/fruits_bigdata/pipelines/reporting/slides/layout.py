"""What slides are made of: a title, texts, tables, boxes, pictures and charts, in inches and points."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont
from pptx import Presentation
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_MARKER_STYLE
from pptx.enum.dml import MSO_LINE
from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Inches, Pt

from fruits_bigdata.pipelines.reporting.slides.french import typeset

WIDTH, HEIGHT = 13.333, 7.5
MARGIN = 0.6
# Between the title and the foot.
TOP, BOTTOM = 1.55, 6.85
INSIDE = WIDTH - 2 * MARGIN

INK, MUTED, ACCENT, PALE, WARN = "1F2A36", "5B6770", "0072B2", "E8F1F7", "B54A00"
BODY, TABLE, SMALL = 18, 14, 12
_FONT = "Calibri"
# Matplotlib brings a font whose characters can be measured anywhere; Calibri's are narrower, by 15 to 20 %.
_MEASURED_FONT, _NARROWER = "DejaVuSans.ttf", 0.88
_MEASURED_SIZE = 20
_LEADING = 1.2
_CELL_MARGIN = 0.06


class Box(NamedTuple):
    """A place on a slide, in inches."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Bar:
    """A bar of a chart: its name, its value, and what is written beside it."""

    name: str
    value: float
    said: str


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


class Deck:
    """A presentation of wide slides that is filled one slide after another.

    Args:
        foot: Stands below each slide.
    """

    def __init__(self, foot: str) -> None:
        self.presentation: Any = Presentation()
        self.presentation.slide_width, self.presentation.slide_height = Inches(WIDTH), Inches(HEIGHT)
        self._foot = foot
        self._slide: Any = None

    def begin(self, title: str, notes: str, foot: bool = True) -> None:
        """Add a slide that says `title`, on which what follows is put, with notes for who speaks."""
        self._slide = self.presentation.slides.add_slide(self.presentation.slide_layouts[5])
        shape = self._slide.shapes.title
        _place(shape, Box(MARGIN, 0.4, INSIDE, 1.0))
        _write(shape.text_frame, [title], 26, INK, True, PP_ALIGN.LEFT, MSO_ANCHOR.MIDDLE)
        self._slide.notes_slide.notes_text_frame.text = typeset(" ".join(notes.split()))
        if foot:
            n = len(self.presentation.slides)
            self.text(self._foot, Box(MARGIN, 7.0, INSIDE - 1, 0.35), SMALL, MUTED)
            self.text(str(n), Box(WIDTH - MARGIN - 0.8, 7.0, 0.8, 0.35), SMALL, MUTED, align=PP_ALIGN.RIGHT)

    def text(
        self,
        text: str | Sequence[str],
        box: Box,
        size: float = BODY,
        colour: str = INK,
        bold: bool = False,
        align: Any = PP_ALIGN.LEFT,
    ) -> None:
        """Put paragraphs."""
        shape = self._slide.shapes.add_textbox(*map(Inches, box))
        paragraphs = [text] if isinstance(text, str) else list(text)
        _write(shape.text_frame, paragraphs, size, colour, bold=bold, align=align)

    def bullets(self, items: Sequence[str], box: Box, size: float = BODY) -> None:
        """Put a list; what comes before the first colon of an item, if it is short, is its head."""
        shape = self._slide.shapes.add_textbox(*map(Inches, box))
        _write(shape.text_frame, items, size, INK, bullet=True)

    def box(self, text: Sequence[str], box: Box, size: float = TABLE, strong: bool = False) -> None:
        """Put a rounded box whose first line is its name."""
        shape = self._slide.shapes.add_shape(MSO_SHAPE.ROUNDED_RECTANGLE, *map(Inches, box))
        shape.adjustments[0] = 0.08
        _without_style(shape)
        shape.fill.solid()
        shape.fill.fore_color.rgb = _rgb(ACCENT if strong else PALE)
        shape.line.color.rgb = _rgb(ACCENT)
        frame = shape.text_frame
        _write(
            frame, text, size, "FFFFFF" if strong else INK, align=PP_ALIGN.CENTER, anchor=MSO_ANCHOR.MIDDLE
        )
        frame.paragraphs[0].font.bold = True

    def frame(self, title: str, box: Box) -> None:
        """Put a frame around what follows, with its title at the top."""
        shape = self._slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *map(Inches, box))
        _without_style(shape)
        shape.fill.background()
        shape.line.color.rgb = _rgb(MUTED)
        shape.line.dash_style = MSO_LINE.DASH
        self.text(title, Box(box.left + 0.1, box.top + 0.03, box.width - 0.2, 0.4), TABLE, MUTED, bold=True)

    def arrow(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Put an arrow from one point to another."""
        points = (Inches(value) for value in (*start, *end))
        line = self._slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, *points)
        line.line.color.rgb = _rgb(MUTED)
        line.line.width = Pt(1.75)
        ends = line.line._get_or_add_ln()
        ends.append(ends.makeelement(qn("a:tailEnd"), {"type": "triangle"}))

    def table(
        self, rows: Sequence[Sequence[str]], box: Box, widths: Sequence[float], size: float = TABLE
    ) -> float:
        """Put a table whose first row names its columns, of so many inches each, and first column its rows.

        Returns:
            Where it ends, in inches from the top.
        """
        heights = [self.row_height(row, widths, size) for row in rows]
        # Rows of one height, unless they need more.
        least = min(box.height / len(rows), max(1.15 * max(heights), 1.8 * min(heights)))
        taken = sum(max(height, least) for height in heights)
        spare = [max(height, least) - height for height in heights]
        # What long rows take, the others give.
        share = 1 - max(0.0, taken - box.height) / max(sum(spare), 1e-9)
        heights = [height + max(0.0, share) * more for height, more in zip(heights, spare, strict=True)]
        table = self._slide.shapes.add_table(len(rows), len(widths), *map(Inches, box)).table
        for column, width in zip(table.columns, widths, strict=True):
            column.width = Inches(width)
        for i, (row, texts) in enumerate(zip(table.rows, rows, strict=True)):
            row.height = Inches(heights[i])
            for j, text in enumerate(texts):
                cell = row.cells[j]
                cell.fill.solid()
                cell.fill.fore_color.rgb = _rgb(ACCENT if i == 0 else PALE if i % 2 == 0 else "FFFFFF")
                cell.vertical_anchor = MSO_ANCHOR.MIDDLE
                cell.margin_top = cell.margin_bottom = Inches(_CELL_MARGIN / 2)
                colour = "FFFFFF" if i == 0 else INK
                _write(cell.text_frame, [text], size, colour, bold=i == 0 or j == 0)
        return box.top + sum(heights)

    @staticmethod
    def row_height(row: Sequence[str], widths: Sequence[float], size: float) -> float:
        """Return the height in inches of a row of a table."""
        inside = (text_height(text, width - 0.2, size) for text, width in zip(row, widths, strict=True))
        return max(inside) + _CELL_MARGIN

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
        shape = self._slide.shapes.add_picture(io.BytesIO(picture), *map(Inches, (left, top, width, height)))
        if colour is not None:
            shape.line.color.rgb = _rgb(colour)
            shape.line.width = Pt(2.5)

    def bars(self, bars: Sequence[Bar], box: Box, title: str) -> None:
        """Put a chart of horizontal bars, the first on top, with what is said of each."""
        data = CategoryChartData()
        data.categories = [bar.name for bar in bars]
        data.add_series(title, [bar.value for bar in bars])
        chart = self._chart(XL_CHART_TYPE.BAR_CLUSTERED, data, box, title)
        chart.category_axis.reverse_order = True
        chart.value_axis.visible = False
        chart.value_axis.has_major_gridlines = False
        chart.value_axis.minimum_scale = 0
        # Room for what stands beyond the longest bar.
        chart.value_axis.maximum_scale = 1.3 * max(max(bar.value for bar in bars), 1e-9)
        plot = chart.plots[0]
        plot.gap_width = 45
        points = plot.series[0].points
        for i, bar in enumerate(bars):
            frame = points[i].data_label.text_frame
            _write(frame, [bar.said], TABLE, INK)
            points[i].data_label.position = XL_LABEL_POSITION.OUTSIDE_END
        plot.series[0].format.fill.solid()
        plot.series[0].format.fill.fore_color.rgb = _rgb(ACCENT)

    def line(
        self, values: Sequence[float], box: Box, title: str, axis: str, largest: float, mark: int
    ) -> None:
        """Put a line through values at 1, 2, 3 ..., and a mark on one of them."""
        data = XyChartData()
        points = data.add_series(title)
        for i, value in enumerate(values, 1):
            points.add_data_point(i, value)
        data.add_series("k").add_data_point(mark, values[mark - 1])
        chart = self._chart(XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS, data, box, title)
        line, marked = chart.plots[0].series
        line.smooth = False
        line.format.line.color.rgb = _rgb(ACCENT)
        line.format.line.width = Pt(2.5)
        marked.marker.style, marked.marker.size = XL_MARKER_STYLE.CIRCLE, 11
        marked.marker.format.fill.solid()
        marked.marker.format.fill.fore_color.rgb = _rgb(WARN)
        chart.value_axis.minimum_scale, chart.value_axis.maximum_scale = 0, largest
        chart.value_axis.major_gridlines.format.line.color.rgb = _rgb("D5DBE0")
        chart.category_axis.has_major_gridlines = False
        chart.category_axis.minimum_scale = 0
        chart.category_axis.has_title = True
        _write(chart.category_axis.axis_title.text_frame, [axis], TABLE, MUTED)

    def _chart(self, kind: Any, data: Any, box: Box, title: str) -> Any:
        chart = self._slide.shapes.add_chart(kind, *map(Inches, box), data).chart
        chart.has_legend = False
        chart.has_title = True
        _write(chart.chart_title.text_frame, [title], TABLE, INK, bold=True)
        for axis in (chart.category_axis, chart.value_axis):
            axis.tick_labels.font.size = Pt(TABLE)
            axis.tick_labels.font.color.rgb = _rgb(INK)
            axis.format.line.color.rgb = _rgb("B5BDC4")
        return chart


def _place(shape: Any, box: Box) -> None:
    shape.left, shape.top, shape.width, shape.height = map(Inches, box)


def _without_style(shape: Any) -> None:
    """Rid a shape of the theme's shadow and colours."""
    shape._element.remove(shape._element.find(qn("p:style")))


def _rgb(colour: str) -> Any:
    return RGBColor.from_string(colour)


def _write(
    frame: Any,
    paragraphs: Sequence[str],
    size: float,
    colour: str,
    bold: bool = False,
    align: Any = None,
    anchor: Any = None,
    bullet: bool = False,
) -> None:
    frame.word_wrap = True
    if anchor is not None:
        frame.vertical_anchor = anchor
    for i, text in enumerate(paragraphs):
        paragraph = frame.paragraphs[0] if i == 0 else frame.add_paragraph()
        paragraph.alignment = align
        paragraph.font.size, paragraph.font.name = Pt(size), _FONT
        paragraph.font.color.rgb, paragraph.font.bold = _rgb(colour), bold
        head, colon, rest = text.partition(" : ")
        if bullet:
            paragraph.space_after = Pt(size * 0.45)
        if bullet and colon and len(head) < 45:
            run = paragraph.add_run()
            run.text = typeset(f"{head} : ")
            run.font.bold = True
            text = rest
        paragraph.add_run().text = typeset(text)
