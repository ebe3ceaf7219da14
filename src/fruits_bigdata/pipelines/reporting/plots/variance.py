"""How much of the variance the components keep."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fruits_bigdata.pipelines.reporting.plots import style
from fruits_bigdata.pipelines.reporting.plots.style import count


def find_explained_variance(pca_quality: Mapping[str, Any]) -> str:
    """Say what the components keep, and what it would take to keep more."""
    ratios = 100 * np.array(pca_quality["explained_variance_ratio"])
    k, total = len(ratios), ratios.sum()
    for_more = next((item for item in pca_quality["components_for"].items() if float(item[0]) > total), None)
    keep = "component keeps" if k == 1 else "components keep"
    finding = f"{k} {keep} {total:.1f} % of the variance"
    if for_more is not None:
        finding += f"; {for_more[0]} % would take {for_more[1]:,}"
    return finding


def plot_explained_variance(pca_quality: Mapping[str, Any]) -> Any:
    """Draw the variance that each component keeps, and all up to it, and what more of them would add."""
    ratios = 100 * np.array(pca_quality["explained_variance_ratio"])
    best = 100 * np.array(pca_quality["best_explained_variance_ratio"])
    k, total = len(ratios), ratios.sum()
    figure = style.new_figure(9, 5, find_explained_variance(pca_quality))
    axes = figure.subplots()
    axes.bar(np.arange(1, k + 1), ratios, color=style.BLUE, label="each component")
    numbers = np.arange(1, len(best) + 1)
    red, added = style.VERMILION, total + best[k:].cumsum()
    axes.plot(numbers[numbers > k], added, color=red, ls=":", label="with more components")
    axes.plot(numbers[:k], ratios.cumsum(), color=red, marker="o", markersize=3, label="all up to this one")
    axes.axvline(k + 0.5, color=style.GREY, lw=1, ls="--")
    place = {"xy": (k, total), "xytext": (12, -18), "textcoords": "offset points"}
    axes.annotate(f"k = {k}: {total:.1f} %", **place, color=red, fontweight="bold")
    n, d = count(pca_quality["n_images"], "image"), count(pca_quality["n_features"], "feature")
    axes.set_xlabel(f"component, of a PCA of {n} with {d} each")
    axes.set_ylabel("explained variance (%)")
    axes.set_ylim(0, 105)
    axes.set_xlim(0.3, len(best) + 0.7)
    axes.xaxis.get_major_locator().set_params(integer=True)
    style.plain(axes)
    axes.legend(loc="lower right", frameon=False, bbox_to_anchor=(1, 0.04))
    return figure
