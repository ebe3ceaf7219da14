"""Which classes are alike."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fruits_bigdata.pipelines.reporting.plots import style
from fruits_bigdata.pipelines.reporting.plots.style import count, shown


def find_class_similarity(class_quality: Mapping[str, Any]) -> str:
    """Say which two classes are the most alike."""
    labels, n = class_quality["labels"], len(class_quality["labels"])
    if n < 2:
        return "One class has nothing to be compared with"
    similarity = np.array(class_quality["similarity"])
    above = np.triu_indices(n, 1)
    most = int(similarity[above].argmax())
    pair = [shown(labels[i[most]]) for i in above]
    finding = f"Most alike of {count(class_quality['classes'], 'class', 'classes')}: {pair[0]} and {pair[1]}"
    finding += f", cosine {similarity[above][most]:.2f}"
    if n < class_quality["classes"]:
        finding += f" (the {n} largest are shown)"
    return finding


def plot_class_similarity(class_quality: Mapping[str, Any]) -> Any:
    """Draw the similarity of each two classes as a heat map, classes that are alike side by side."""
    labels, n = class_quality["labels"], len(class_quality["labels"])
    finding = find_class_similarity(class_quality)
    if n < 2:
        reason = f"All images lie in the folder {shown(labels[0])}. The map needs two classes."
        return style.nothing_to_show(finding, reason)
    similarity = np.array(class_quality["similarity"])
    side = float(np.clip(0.17 * n + 3.5, 6, 14))
    figure = style.new_figure(side + 1, side, finding)
    axes = figure.subplots()
    image = axes.imshow(similarity, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    size = float(np.clip(60 * side / n, 4, 9))
    with style.literal_ticks(axes):
        names = [shown(label, 22) for label in labels]
        axes.set_xticks(range(n), names, rotation=90, fontsize=size)
        axes.set_yticks(range(n), names, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if n <= 12:
        for i, j in np.ndindex(n, n):
            value = similarity[i, j]
            colour = "w" if abs(value) > 0.6 else "k"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=30)
    bar.set_label("cosine of the classes' mean scores")
    bar.outline.set_visible(False)
    axes.set_xlabel(
        f"classes that are alike side by side; {count(sum(class_quality['images']), 'sampled image')}"
    )
    return figure
