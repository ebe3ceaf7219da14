"""Slide: what a run costs."""

from datetime import date

from fruits_bigdata.cloud.cost import cheapest, estimate, keeping, nodes
from fruits_bigdata.cloud.plans import DEFAULT_PLAN, MARKETS, plans
from fruits_bigdata.cloud.prices import PriceTable, UnknownPriceError
from fruits_bigdata.pipelines.reporting.slides.french import number, seconds
from fruits_bigdata.pipelines.reporting.slides.layout import BOTTOM, INSIDE, MARGIN, TOP, Box, Deck
from fruits_bigdata.pipelines.reporting.slides.run import Run

# The data set of the mission, and what it may grow to.
MISSION_IMAGES, MANY_IMAGES = 22_688, 1_000_000
# Whose prices there are.
_OTHER_REGION = "eu-west-3"
_MARKETS = {"on demand": "à la demande", "Spot": "avec Spot", "EMR Serverless": "EMR Serverless"}


def add_costs(deck: Deck, run: Run) -> None:
    """Say what the cluster costs, and what keeps it low."""
    try:
        prices, whose = PriceTable.load(run.region), run.region
    except UnknownPriceError:
        prices = PriceTable.load(_OTHER_REGION)
        whose = f"{_OTHER_REGION}, faute de ceux de {run.region}"
    started = nodes(DEFAULT_PLAN.machine, DEFAULT_PLAN.machines, 0, 1.0, prices)
    hour = sum(line.value for line in started)
    month = sum(line.value for line in keeping(MISSION_IMAGES, prices))
    mission = estimate(DEFAULT_PLAN, MISSION_IMAGES, prices)
    deck.begin(
        f"Coûts : environ {number(mission.dollars, 2)} $ pour {number(MISSION_IMAGES)} images, estimés",
        f"""Rien n'a été facturé : ce sont des estimations, ligne à ligne, par
        fruits-emr cost --images {MISSION_IMAGES} --region {prices.region}. Le cluster par
        défaut, un maître et deux travailleurs m5.xlarge, coûte environ {number(hour, 2)} dollar par
        heure, disques et adresses compris. Plusieurs prix sont supposés, et l'on suppose qu'un vCPU d'AWS
        fait la moitié du travail d'un cœur de la machine mesurée. Pour {number(MISSION_IMAGES)} images,
        l'essentiel est le démarrage. Hors cluster, il reste le stockage et une clé, environ
        {number(month, 2)} dollar par mois. Le vrai risque est un cluster oublié : trois mécanismes
        l'arrêtent ou préviennent.""",
    )
    rows = ["Pour la mission, et pour un million | Machines | Durée | Coût | Par million"]
    for n_images in (MISSION_IMAGES, MANY_IMAGES):
        of_all = [estimate(plan, n_images, prices) for plan in plans()]
        chosen = [("par défaut", estimate(DEFAULT_PLAN, n_images, prices))]
        for market in MARKETS[1:]:
            best = cheapest([one for one in of_all if one.plan.market == market])
            if best is not None:
                chosen.append((_MARKETS[market], best))
        rows += [
            f"{number(n_images)} images, {name} | "
            f"1 + {one.plan.machines - 1} x {one.plan.machine.replace(' with ', ', ')} | "
            f"{seconds(one.seconds)} | {number(one.dollars, 2)} $ | {number(one.dollars_per_million, 2)} $"
            for name, one in chosen
        ]
    end = deck.table("\n".join(rows), Box(MARGIN, TOP, INSIDE, 2.9), (4.5, 3.2, 1.6, 1.3, 1.533))
    points = [
        f"Une heure de cluster par défaut : {number(hour, 2)} $, disques et adresses compris",
        "Arrêt : après 30 minutes d'inactivité, et à une heure fixée d'avance quoi qu'il arrive",
        f"Sans cluster : {number(month, 2)} $ par mois de stockage et de clé, rien d'autre",
        "Alerte : un budget de 10 $ par mois, un courriel à 50 % et à 100 %",
    ]
    deck.bullets(points, Box(MARGIN, end + 0.15, INSIDE, BOTTOM - end - 0.6), 17)
    old = prices.warning(date.today())
    deck.note(
        f"Estimation, rien de facturé ; prix de {whose} du {prices.dated:%d/%m/%Y}, en partie supposés, "
        f"hors taxes{', à relire' if old else ''}.",
        Box(MARGIN, 6.5, INSIDE, 0.4),
    )
