"""The slides of a run: `content.fr.yml`, filled with what the run found."""

import io
import re
from collections.abc import Mapping
from importlib.resources import files
from itertools import accumulate
from typing import Any

import pandas as pd
import yaml

from fruits_bigdata.pipelines.reporting.samples import Pictures

_CONTENT = "content.fr.yml"


def build_slides(
    metrics: Mapping[str, Any],
    points: pd.DataFrame,
    thumbnails: Pictures,
    example_pictures: Pictures,
    s3: Mapping[str, Any],
) -> bytes:
    """Make the presentation of the run, in French, with notes for who speaks.

    Args:
        metrics: What the run found and did.
        points: Sampled images: path, label, pc1, pc2.
        thumbnails: Their pictures, by path; images without one are left out.
        example_pictures: Those of the examples of neighbours.
        s3: The settings of S3; its region is where the buckets would lie.

    Returns:
        A PPTX file.
    """
    # Imported here, so that the runs that make no slides start half a second earlier.
    from fruits_bigdata.pipelines.reporting.slides.layout import Deck
    from fruits_bigdata.pipelines.reporting.slides.run import Run

    run = Run(metrics, points, thumbnails, example_pictures, s3["region"])
    deck = Deck(f"Fruits! : chaîne Big Data sur AWS. Exécution du {run.day}, {run.where}")
    writer = _Writer(deck, run)
    for slide in yaml.safe_load(files(__package__).joinpath(_CONTENT).read_text("utf-8")):
        writer.add(slide)
    file = io.BytesIO()
    deck.presentation.save(file)
    return file.getvalue()


class _Writer:
    """Fills the deck with slides as `content.fr.yml` describes them.

    Its templates know `run`, the parts `counts`, `pca`, `done` (the featurization) and `nearest` (the
    neighbours) of the metrics, the figures of `measured`, `costs`, and the filters of `french`.
    """

    def __init__(self, deck: Any, run: Any) -> None:
        from jinja2 import Environment, StrictUndefined

        from fruits_bigdata.pipelines.reporting.plots.style import shown
        from fruits_bigdata.pipelines.reporting.slides import french, measured
        from fruits_bigdata.pipelines.reporting.slides.costs import estimate_costs

        self._deck, self._run = deck, run
        self._templates = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        for write in (french.number, french.percent, french.count, french.seconds, french.megabytes, shown):
            self._templates.filters[write.__name__] = write
        self._templates.filters["speed"] = lambda row: (
            f"{french.seconds(row.values[0])} ({french.number(row.values[1])} images/s)"
        )
        self._names = {
            "run": run,
            "counts": run["counts"],
            "pca": run["pca"],
            "done": run["featurization"],
            "nearest": run["neighbours"],
            "measured": measured,
            "costs": estimate_costs(run.region),
        }

    def add(self, slide: Mapping[str, Any]) -> None:
        """Add a slide, unless its condition does not hold."""
        if not self._value(slide.get("when", "true")):
            return
        self._deck.begin(self._text(slide["title"]), self._text(slide["notes"]), "without_foot" not in slide)
        for block in slide["blocks"]:
            self._put(block)

    def _put(self, block: Mapping[str, Any]) -> None:
        from fruits_bigdata.pipelines.reporting.slides import charts, pictures
        from fruits_bigdata.pipelines.reporting.slides.layout import Box
        from fruits_bigdata.pipelines.reporting.slides.writing import COLOURS

        deck = self._deck
        kind, content = next(iter(block.items()))
        if kind == "arrow":
            deck.arrow(content[:2], content[2:])
            return
        box = Box(*block["at"])
        # Each kind has a size of its own.
        style = {name: block[name] for name in ("size", "strong", "bold") if name in block}
        match kind:
            case "text":
                colour = COLOURS[block.get("colour", "ink")]
                deck.text(self._lines(content), box, colour=colour, **style)
            case "bullets" | "note" | "box":
                getattr(deck, kind)(self._lines(content), box, **style)
            case "frame":
                deck.frame(self._text(content), box)
            case "table":
                note = self._lines(block.get("note", ""))
                deck.table(self._lines(content), box, block["widths"], note=note, **style)
            case "bars":
                charts.bars(deck.slide, self._value(content), box, block["title"])
            case "line":
                percentages = [100 * total for total in accumulate(self._value(content))]
                mark, axis = self._value(block["mark"]), self._text(block["axis"])
                charts.line(deck.slide, percentages, mark, box, block["title"], axis)
            case "pictures":
                pictures.PUT[content](deck, self._run, box)
            case _:
                raise ValueError(f"{_CONTENT} has a block {kind!r}, which no slide knows")

    def _text(self, template: str) -> str:
        return re.sub(r"\s*\n\s*", " ", self._templates.from_string(template).render(self._names)).strip()

    def _lines(self, template: str) -> list[str]:
        lines = self._templates.from_string(template).render(self._names).split("\n")
        return [text for line in lines if (text := line.strip())]

    def _value(self, expression: str) -> Any:
        return self._templates.compile_expression(expression, undefined_to_none=False)(self._names)
