"""Why images were rejected."""

from collections.abc import Mapping, Sequence
from typing import Any

from fruits_bigdata.pipelines.reporting.plots import style
from fruits_bigdata.pipelines.reporting.plots.style import count, shown
from fruits_bigdata.tables.delta import Table

_MAX_KINDS = 12


def find_rejections(rejections: Sequence[Mapping[str, Any]], n_listed: int) -> str:
    """Say how many images were rejected, and why most of them."""
    n = sum(kind["images"] for kind in rejections)
    if not n:
        return f"None of {count(n_listed, 'image')} was rejected"
    share = 100 * n / n_listed
    first = rejections[0]
    how_many = (
        "all of them" if first["images"] == n else "most of them" if first["images"] > n / 2 else "most often"
    )
    return f"{n:,} of {count(n_listed, 'image')} rejected ({share:.1f} %), {how_many} {first['kind']}"


def plot_rejections(rejections: Sequence[Mapping[str, Any]], images: Table) -> Any:
    """Draw how many images were rejected for each kind of reason, with an example of each."""
    finding = find_rejections(rejections, images.rows)
    if not rejections:
        reason = "Every listed image could be read, decoded and featurized."
        return style.nothing_to_show(finding, reason)
    kinds = list(rejections[:_MAX_KINDS])
    figure = style.new_figure(10, 1.9 + 0.55 * len(kinds), finding)
    axes = figure.subplots()
    bars = axes.barh(
        range(len(kinds)), [kind["images"] for kind in kinds], color=style.VERMILION, height=0.45
    )
    axes.bar_label(bars, fmt="{:,.0f}", padding=4, fontsize=9)
    for i, kind in enumerate(kinds):
        example = kind["examples"][0]
        sentence = f"such as {shown(example['path'], 45)}: {shown(example['reason'], 75)}"
        axes.text(0, i - 0.29, sentence, va="bottom", fontsize=7, color="#555555", parse_math=False)
    with style.literal_ticks(axes):
        axes.set_yticks(range(len(kinds)), [shown(kind["kind"]) for kind in kinds])
    axes.set_ylim(len(kinds) - 0.4, -0.75)
    axes.margins(x=0.1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    more = len(rejections) - len(kinds)
    axes.set_xlabel("images" + (f"; {count(more, 'rarer reason')} not shown" if more > 0 else ""))
    style.plain(axes, "x")
    return figure
