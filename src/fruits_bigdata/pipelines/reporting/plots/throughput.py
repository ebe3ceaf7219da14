"""How fast images were featurized, over time and by host."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fruits_bigdata.pipelines.reporting.plots import style
from fruits_bigdata.pipelines.reporting.plots.style import count, shown

# The rest are added up.
_MAX_HOSTS = 7


def find_throughput(featurization_statistics: Mapping[str, Any]) -> str:
    """Say how fast images were featurized."""
    hosts = featurization_statistics["timeline"]["hosts"]
    if not hosts:
        return "No image was featurized in this run"
    n, seconds = featurization_statistics["images"], featurization_statistics["seconds"]
    speed = f"{count(n, 'image')} in {seconds:,.1f} s: {n / seconds:,.0f} images/s"
    return f"{speed} on {count(len(hosts), 'host')}"


def plot_throughput(featurization_statistics: Mapping[str, Any]) -> Any:
    """Draw the images per second of each host over the run, stacked, and the images of each beside it."""
    timeline, finding = featurization_statistics["timeline"], find_throughput(featurization_statistics)
    if not timeline["hosts"]:
        reason = "Every listed image had features already, so there is no speed to show."
        return style.nothing_to_show(finding, reason)
    hosts = _largest(timeline["hosts"])
    n, seconds = featurization_statistics["images"], featurization_statistics["seconds"]
    figure = style.new_figure(11, 4.5, finding)
    over_time, by_host = figure.subplots(1, 2, width_ratios=(3, 1))
    width = timeline["seconds_per_step"]
    edges = [*timeline["starts"], timeline["starts"][-1] + width]
    floor = np.zeros(len(timeline["starts"]))
    for colour, host in zip(style.COLOURS, hosts, strict=False):
        top = floor + np.array(host["images_per_second"])
        over_time.stairs(top, edges, baseline=floor, fill=True, color=colour, lw=0)
        floor = top
    over_time.stairs(floor, edges, color=style.BLACK, lw=0.8)
    over_time.axhline(n / seconds, color=style.GREY, ls="--", lw=1)
    over_time.set_ylim(0, 1.15 * floor.max())
    over_time.set_xlim(0, edges[-1])
    over_time.set_xlabel(
        f"seconds since the first image, in steps of {width:,} s; dashed: mean of the whole, saving included"
    )
    over_time.set_ylabel("images/s")
    style.plain(over_time)
    colours = style.COLOURS[: len(hosts)]
    bars = by_host.bar(range(len(hosts)), [host["images"] for host in hosts], color=colours)
    by_host.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    with style.literal_ticks(by_host):
        names = [shown(host["host"], 20) for host in hosts]
        by_host.set_xticks(range(len(hosts)), names, rotation=30 if len(hosts) > 2 else 0, fontsize=8)
    by_host.set_xlim(-0.8, len(hosts) - 0.2)
    by_host.set_title("images by host", fontsize=10)
    style.plain(by_host)
    return figure


def _largest(hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    hosts = sorted(hosts, key=lambda host: -host["images"])
    few, others = hosts[:_MAX_HOSTS], hosts[_MAX_HOSTS:]
    if others:
        rates = np.sum([host["images_per_second"] for host in others], axis=0).tolist()
        total = sum(host["images"] for host in others)
        few.append({"host": f"{len(others)} others", "images": total, "images_per_second": rates})
    return few
