"""The command `cost`: what a run would take and cost, with the arithmetic."""

from collections.abc import Iterator
from datetime import date

import click

from fruits_bigdata.cost.cost import Estimate, Line, cheapest, estimate, keeping
from fruits_bigdata.cost.plans import DEFAULT_PLAN, DEFAULT_REGION, MARKETS, plans
from fruits_bigdata.cost.prices import Price, PriceTable, UnknownPriceError, work_figures

_NOTES = (
    "Not counted: tax, what leaves the region, logs, and the people. A new account may start few vCPUs.",
    "infra/ has no template for EMR Serverless.",
)


@click.command()
@click.option(
    "--images", type=click.IntRange(min=1), required=True, metavar="N", help="Images, all of them new."
)
@click.option("--region", default=DEFAULT_REGION, show_default=True, help="A region that prices.yml knows.")
@click.option(
    "--throughput",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Images a second of one vCPU of an m5, as measured on a cluster. Without it: the figure of "
    "docs/performance.md, times what is assumed of an m5's vCPU.",
)
@click.option(
    "--within",
    type=click.FloatRange(min=0, min_open=True),
    metavar="HOURS",
    help="Only plans that end in time.",
)
@click.option("--all", "show_all", is_flag=True, help="List every plan, not the cheapest of each kind.")
def cost(images: int, region: str, throughput: float | None, within: float | None, show_all: bool) -> None:
    """Say what a run of N new images takes and costs: on demand, on Spot, on EMR Serverless.

    Prints time, money and money per million images of the cheapest plan of each kind and of the default
    cluster, how each figure is computed, and the cheapest of all. Figures that depend on an assumption have a
    star. It asks nobody: prices are those of fruits_bigdata/cost/prices.yml, figures of the work those of
    work.yml beside it.

    Example: --images 1000000 --region eu-west-1 --within 2
    """
    try:
        prices = PriceTable.load(region)
    except UnknownPriceError as error:
        raise click.ClickException(str(error)) from error
    for text in report(images, prices, throughput, within, show_all, date.today()):
        click.echo(text)


def report(
    n_images: int,
    prices: PriceTable,
    throughput: float | None,
    within: float | None,
    show_all: bool,
    today: date,
) -> Iterator[str]:
    """Yield the lines that `cost` prints.

    Args:
        n_images: Images, all of them new.
        prices: Of the region.
        throughput: As in `cost.estimate`.
        within: Hours in which a plan has to end; None for any.
        show_all: Whether to list every plan.
        today: The date by which prices are old.
    """
    seconds = None if within is None else within * 3600
    every = [estimate(plan, n_images, prices, throughput) for plan in plans()]
    best = [
        one for market in MARKETS if (one := cheapest([e for e in every if e.plan.market == market], seconds))
    ]
    default = estimate(DEFAULT_PLAN, n_images, prices, throughput)
    shown = [default, *(one for one in best if one.plan != DEFAULT_PLAN)]
    yield (
        f"{n_images:,} images in {prices.region} ({prices.place}), US dollars before tax, prices of "
        f"{prices.dated}. A star marks what rests on an assumption."
    )
    if warning := prices.warning(today):
        yield f"WARNING: {warning}"
    yield from _speed(throughput)
    yield ""
    yield f"{'':15} {'':50} {'time':>11} {'dollars':>12} {'a million images':>17}"
    listed = every if show_all else shown
    for one in listed:
        name = f"{one.plan} (default)" if one.plan == DEFAULT_PLAN else str(one.plan)
        star = "*" if any(line.is_assumed for line in (*one.time, *one.money)) else ""
        money = f"{one.dollars:,.2f}{star}", f"{one.dollars_per_million:,.2f}{star}"
        yield f"{one.plan.market:15} {name:50} {duration(one.seconds):>10}* {money[0]:>12} {money[1]:>17}"
    yield ""
    yield from _verdict(every, seconds)
    for one in shown:
        yield from _arithmetic(one)
    yield ""
    yield "Kept afterwards:"
    yield from (_line(line, "dollars") for line in keeping(n_images, prices))
    yield ""
    yield "Assumed (*), and why:"
    yield from _assumed(prices)
    yield ""
    yield from _NOTES


def _verdict(every: list[Estimate], seconds: float | None) -> Iterator[str]:
    best = cheapest(every, seconds)
    in_time = "" if seconds is None else f" that ends within {duration(seconds)}"
    if best is None:
        yield f"There is no plan{in_time}; the quickest takes {duration(min(one.seconds for one in every))}."
        return
    yield f"Cheapest{in_time}: {_in_short(best)}."
    ours = cheapest([one for one in every if one.plan.market != "EMR Serverless"], seconds)
    if ours not in (None, best):
        assert ours is not None
        yield f"Cheapest{in_time}, of those that infra/ starts: {_in_short(ours)}."


def _in_short(one: Estimate) -> str:
    return f"{one.plan.market}, {one.plan}: {one.dollars:,.2f} dollars, {duration(one.seconds)}"


def duration(seconds: float) -> str:
    """Return hours and minutes, rounded up to the minute: 26 h 05 min."""
    minutes = -int(-seconds // 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _speed(throughput: float | None) -> Iterator[str]:
    if throughput is not None:
        yield f"Throughput: {throughput:g} images a second and vCPU of an m5, as given."
        return
    speed, thread = work_figures()["images per second"], work_figures()["share of a vcpu m5"]
    yield f"Throughput: {speed.value:g} images a second and vCPU, measured: {speed.source}."
    yield (
        f"That vCPU was a core of its own. A vCPU of an m5 or of EMR Serverless is one of a core's two "
        f"threads, and is taken for {thread.value:g}{thread.mark} of it. Measure it there, and "
        f"give it as --throughput."
    )


def _arithmetic(one: Estimate) -> Iterator[str]:
    yield ""
    yield f"{one.plan.market}, {one.plan}"
    yield from (_line(line, "s") for line in one.time)
    yield _line(Line("time", f"{one.seconds / 3600:.5f} h", one.seconds), "s")
    yield from (_line(line, "dollars") for line in one.money)
    yield _line(Line("money", "", one.dollars), "dollars")


def _line(line: Line, unit: str) -> str:
    value = f"{line.value:,.1f}" if unit == "s" else f"{line.value:,.4f}"
    return f"  {line.what:34} {line.arithmetic:78} = {value:>12} {unit}"


def _assumed(prices: PriceTable) -> Iterator[str]:
    figures: list[Price] = [*prices.prices.values(), prices.spot_discount, *work_figures().values()]
    for figure in figures:
        if figure.mark:
            yield f"  {figure.name}: {figure.value:g} per {figure.unit}; {figure.source}"
