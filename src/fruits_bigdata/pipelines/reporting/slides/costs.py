"""Slide: what a run costs."""

from fruits_bigdata.cloud.prices import PriceTable, UnknownPriceError
from fruits_bigdata.pipelines.reporting.slides.layout import INSIDE, MARGIN, MUTED, TOP, Box, Deck
from fruits_bigdata.pipelines.reporting.slides.run import Run


def add_costs(deck: Deck, run: Run) -> None:
    """Say what the cluster costs, and what keeps it low."""
    deck.begin("Coûts", "à venir")
    try:
        PriceTable.load(run.region)
    except UnknownPriceError:
        deck.text("pas de prix", Box(MARGIN, TOP, INSIDE, 1), 18, MUTED)
