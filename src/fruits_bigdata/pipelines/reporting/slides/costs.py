"""What a run costs, for its slide."""

from dataclasses import dataclass
from datetime import date

from fruits_bigdata.cost.cost import Estimate, cheapest, estimate, keeping, nodes
from fruits_bigdata.cost.plans import DEFAULT_PLAN, MARKETS, plans
from fruits_bigdata.cost.prices import PriceTable, UnknownPriceError

# The data set of the mission, and what it may grow to.
_MISSION_IMAGES, _MANY_IMAGES = 22_688, 1_000_000
# Whose prices there are.
_OTHER_REGION = "eu-west-3"
_MARKETS = {"on demand": "à la demande", "Spot": "avec Spot", "EMR Serverless": "EMR Serverless"}


@dataclass(frozen=True)
class Costs:
    """Estimates of what the mission costs, in US dollars before tax.

    Attributes:
        prices: By which they were made.
        whose: The region of these prices, in French words.
        are_old: Whether the prices are to be looked up again.
        n_images: Images of the mission.
        mission: The estimate for them, on the default cluster.
        plans: For them and for a million: the default cluster and the cheapest of each other market, by a
            French name.
        hour: An hour of the default cluster.
        month: A month without a cluster.
    """

    prices: PriceTable
    whose: str
    are_old: bool
    n_images: int
    mission: Estimate
    plans: list[tuple[str, Estimate]]
    hour: float
    month: float


def estimate_costs(region: str) -> Costs:
    """Return what the mission costs in a region, or in Paris if there are no prices of that region."""
    try:
        prices, whose = PriceTable.load(region), region
    except UnknownPriceError:
        prices, whose = PriceTable.load(_OTHER_REGION), f"{_OTHER_REGION}, faute de ceux de {region}"
    chosen = []
    for n_images in (_MISSION_IMAGES, _MANY_IMAGES):
        every = [estimate(plan, n_images, prices) for plan in plans()]
        chosen.append(("par défaut", estimate(DEFAULT_PLAN, n_images, prices)))
        for market in MARKETS[1:]:
            best = cheapest([one for one in every if one.plan.market == market])
            if best is not None:
                chosen.append((_MARKETS[market], best))
    return Costs(
        prices,
        whose,
        are_old=prices.warning(date.today()) is not None,
        n_images=_MISSION_IMAGES,
        mission=estimate(DEFAULT_PLAN, _MISSION_IMAGES, prices),
        plans=chosen,
        hour=sum(line.value for line in nodes(DEFAULT_PLAN.machine, DEFAULT_PLAN.machines, 0, 1.0, prices)),
        month=sum(line.value for line in keeping(_MISSION_IMAGES, prices)),
    )
