"""What all plots have in common: sizes, colours, and how names and missing figures are shown."""

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Okabe and Ito's palette, told apart by colour-blind readers (jfly.uni-koeln.de/color, 2008).
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILION, YELLOW, BLACK = "#56B4E9", "#D55E00", "#F0E442", "#000000"
COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, YELLOW, BLACK)
GREY = "#8A8A8A"

# Of letters of ordinary width.
_TITLE_CHARACTERS_PER_INCH = 9
_MAX_NAME = 28
NO_LABEL = "(no label)"

# A name in a script that the font lacks is shown as boxes, which is no news in a run's log.
warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from", category=UserWarning)


def new_figure(width: float, height: float, finding: str) -> Any:
    """Return an empty matplotlib.figure.Figure of so many inches with the finding as its title."""
    # Imported here, so that the runs that draw nothing start half a second earlier.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    title = figure.suptitle("", x=0.01, ha="left", fontsize=13, fontweight="bold", parse_math=False)
    characters = int(width * _TITLE_CHARACTERS_PER_INCH)
    while characters > _MAX_NAME:
        title.set_text(textwrap.fill(finding, characters))
        if title.get_window_extent().x1 <= figure.bbox.x1:
            break
        characters -= 4
    return figure


def plain(axes: Any, grid: str = "y") -> None:
    """Leave what shows figures: no frame, and a faint grid along one direction, or "both"."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, alpha=0.25)
    axes.set_axisbelow(True)


def nothing_to_show(finding: str, reason: str) -> Any:
    """Return a figure that says in words why there is nothing to show."""
    figure = new_figure(9, 2.2, finding)
    text = textwrap.fill(reason, 80)
    figure.text(0.5, 0.42, text, ha="center", va="center", fontsize=11, color="#444444", parse_math=False)
    return figure


def shown(name: str, length: int = _MAX_NAME) -> str:
    """Return a name on one line, cut in its middle if it is long; at the top of the folder there is none."""
    line = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name
    )
    line = line or NO_LABEL
    if len(line) <= length:
        return line
    return f"{line[: length // 2]}\N{HORIZONTAL ELLIPSIS}{line[-(length - length // 2 - 1) :]}"


@contextmanager
def literal_ticks(axes: Any) -> Iterator[None]:
    """Show the tick labels that the block sets as they are: two $ would make a formula of a name."""
    yield
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        label.set_parse_math(False)


def count(n: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 image", "6,050 images"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
