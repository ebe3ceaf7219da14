"""Where the time of a run went."""

from collections.abc import Mapping
from typing import Any

from fruits_bigdata.pipelines.reporting.plots.style import BLUE, GREY, literal_ticks, new_figure, plain

_BETWEEN = "starting, and between nodes"


def plot_stages(metrics: Mapping[str, Any]) -> Any:
    """Draw the seconds of each stage of the run, the longest first, up to this report."""
    run = metrics["run"]
    stages = dict(sorted(run["seconds_by_stage"].items(), key=lambda stage: -stage[1]))
    stages[_BETWEEN] = max(0.0, run["seconds"] - sum(stages.values()))
    longest = max(stages, key=lambda stage: stages[stage])
    share = 100 * stages[longest] / run["seconds"]
    finding = f"{longest.capitalize()} took {share:.0f} % of the run's {run['seconds']:,.0f} s"
    figure = new_figure(9, 1.6 + 0.4 * len(stages), finding)
    axes = figure.subplots()
    colours = [GREY if stage == _BETWEEN else BLUE for stage in stages]
    bars = axes.barh(range(len(stages)), list(stages.values()), color=colours, height=0.65)
    amounts = [f"{seconds:,.1f} s ({100 * seconds / run['seconds']:.0f} %)" for seconds in stages.values()]
    axes.bar_label(bars, amounts, padding=4, fontsize=9)
    with literal_ticks(axes):
        axes.set_yticks(range(len(stages)), list(stages))
    axes.invert_yaxis()
    axes.margins(x=0.16)
    axes.set_xlabel("seconds; reporting up to this picture")
    plain(axes, "x")
    return figure
