"""Of which classes the components lose most."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fruits_bigdata.pipelines.reporting.plots import style
from fruits_bigdata.pipelines.reporting.plots.style import count, shown

_MAX_BARS = 40


def find_reconstruction_error(class_quality: Mapping[str, Any], pca_quality: Mapping[str, Any]) -> str:
    """Say what the components lose, and of which class most."""
    errors, k = 100 * np.array(class_quality["reconstruction_error"]), pca_quality["n_components"]
    first = int(errors.argmax())
    worst = shown(class_quality["labels"][first])
    lose = "component loses" if k == 1 else "components lose"
    if len(errors) == 1:
        return f"{k} {lose} {errors[0]:.1f} % of the variance of the only class, {worst}"
    mean = _mean_error(pca_quality)
    return f"{k} {lose} {mean:.1f} % of the variance; worst is {worst} ({errors[first]:.1f} %)"


def _mean_error(pca_quality: Mapping[str, Any]) -> float:
    # Rounding may leave a hair less than nothing.
    return float(max(0.0, 100 * pca_quality["reconstruction_error"]))


def plot_reconstruction_error(class_quality: Mapping[str, Any], pca_quality: Mapping[str, Any]) -> Any:
    """Draw the reconstruction error of each class, the largest first: the ends of it if there are many."""
    errors = 100 * np.array(class_quality["reconstruction_error"])
    order = np.argsort(-errors, kind="stable")
    mean, finding = _mean_error(pca_quality), find_reconstruction_error(class_quality, pca_quality)
    left_out = len(order) - _MAX_BARS
    if left_out > 0:
        order = np.concatenate([order[: _MAX_BARS // 2], order[-_MAX_BARS // 2 :]])
    figure = style.new_figure(9, 1.8 + 0.21 * max(4, len(order)), finding)
    axes = figure.subplots()
    places = np.arange(len(order)) + (2 * (np.arange(len(order)) >= _MAX_BARS // 2) if left_out > 0 else 0)
    colours = [style.VERMILION if errors[i] > mean else style.BLUE for i in order]
    axes.barh(places, errors[order], color=colours, height=0.75)
    axes.axvline(mean, color=style.GREY, ls="--", lw=1)
    axes.text(mean, -1.1, f"all images: {mean:.1f} %", ha="center", fontsize=8, backgroundcolor="w")
    if left_out > 0:
        between = count(left_out, "class", "classes") + " in between"
        axes.text(0.5, _MAX_BARS / 2 + 0.5, between, va="center", fontsize=8, style="italic")
    with style.literal_ticks(axes):
        names = [f"{shown(class_quality['labels'][i])} ({class_quality['images'][i]:,})" for i in order]
        axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(places[-1] + 0.7, -1.8)
    axes.set_xlabel(
        "mean squared reconstruction error (% of the variance of all images); in brackets: sampled images"
    )
    style.plain(axes, "x")
    return figure
