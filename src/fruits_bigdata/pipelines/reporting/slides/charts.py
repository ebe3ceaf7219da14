"""Charts of slides, which PowerPoint draws, and whoever has the file can change."""

from collections.abc import Mapping, Sequence
from typing import Any

import pptx.chart.data
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_MARKER_STYLE
from pptx.util import Inches, Pt

from fruits_bigdata.pipelines.reporting.slides.french import number
from fruits_bigdata.pipelines.reporting.slides.layout import Box
from fruits_bigdata.pipelines.reporting.slides.writing import ACCENT, INK, MUTED, TABLE, WARN, rgb, write

# The package has no types.
_data: Any = pptx.chart.data


def bars(slide: Any, values: Mapping[str, float], box: Box, title: str) -> None:
    """Put a chart of horizontal bars, the first on top, with the value of each."""
    data = _data.CategoryChartData()
    data.categories = list(values)
    data.add_series(title, values.values())
    chart = _chart(slide, XL_CHART_TYPE.BAR_CLUSTERED, data, box, title)
    chart.category_axis.reverse_order = True
    chart.value_axis.visible = False
    chart.value_axis.has_major_gridlines = False
    chart.value_axis.minimum_scale = 0
    # Room for what stands beyond the longest bar.
    chart.value_axis.maximum_scale = 1.3 * max(values.values())
    plot = chart.plots[0]
    plot.gap_width = 45
    points = plot.series[0].points
    for i, value in enumerate(values.values()):
        write(points[i].data_label.text_frame, [number(value)], TABLE, INK)
        points[i].data_label.position = XL_LABEL_POSITION.OUTSIDE_END
    plot.series[0].format.fill.solid()
    plot.series[0].format.fill.fore_color.rgb = rgb(ACCENT)


def line(slide: Any, percentages: Sequence[float], mark: int, box: Box, title: str, axis: str) -> None:
    """Put a line through percentages at 1, 2, 3 ..., and a mark on one of them."""
    data = _data.XyChartData()
    points = data.add_series(title)
    for i, value in enumerate(percentages, 1):
        points.add_data_point(i, value)
    data.add_series("k").add_data_point(mark, percentages[mark - 1])
    chart = _chart(slide, XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS, data, box, title)
    line, marked = chart.plots[0].series
    line.smooth = False
    line.format.line.color.rgb = rgb(ACCENT)
    line.format.line.width = Pt(2.5)
    marked.marker.style, marked.marker.size = XL_MARKER_STYLE.CIRCLE, 11
    marked.marker.format.fill.solid()
    marked.marker.format.fill.fore_color.rgb = rgb(WARN)
    chart.value_axis.minimum_scale, chart.value_axis.maximum_scale = 0, 100
    chart.value_axis.major_gridlines.format.line.color.rgb = rgb("D5DBE0")
    chart.category_axis.has_major_gridlines = False
    chart.category_axis.minimum_scale = 0
    chart.category_axis.has_title = True
    write(chart.category_axis.axis_title.text_frame, [axis], TABLE, MUTED)


def _chart(slide: Any, kind: Any, data: Any, box: Box, title: str) -> Any:
    chart = slide.shapes.add_chart(kind, *map(Inches, box), data).chart
    chart.has_legend = False
    chart.has_title = True
    write(chart.chart_title.text_frame, [title], TABLE, INK, bold=True)
    for axis in (chart.category_axis, chart.value_axis):
        axis.tick_labels.font.size = Pt(TABLE)
        axis.tick_labels.font.color.rgb = rgb(INK)
        axis.format.line.color.rgb = rgb("B5BDC4")
    return chart
