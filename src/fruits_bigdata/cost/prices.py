"""What AWS asks for what a run uses, and how much of it a run uses: each figure with its origin.

They are those of `prices.yml` and `work.yml` beside this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

# Older prices are still used, and said to be old.
_MAX_AGE_DAYS = 180


class UnknownPriceError(LookupError):
    """The table has no such price."""


@dataclass(frozen=True)
class Price:
    """A price, or a figure of the work.

    Attributes:
        name: What it is the price of.
        value: US dollars before tax, or what the unit and the name say.
        unit: Of what.
        status: "read" in the source, "measured" by a command of this project, or "assumed".
        source: Where it comes from.
    """

    name: str
    value: float
    unit: str
    status: Literal["read", "measured", "assumed"]
    source: str

    @property
    def mark(self) -> str:
        """A star for what is assumed, to be printed beside every figure that depends on it."""
        return "*" if self.status == "assumed" else ""

    def __str__(self) -> str:
        return f"{self.value:g}{self.mark} per {self.unit}"


@dataclass(frozen=True)
class PriceTable:
    """The prices of one region.

    Attributes:
        region: AWS' name of it.
        place: The place.
        dated: When the prices were gathered.
        prices: By name.
        spot_discount: The share of EC2's price that Spot spares.
    """

    region: str
    place: str
    dated: date
    prices: Mapping[str, Price]
    spot_discount: Price

    @classmethod
    def load(cls, region: str) -> "PriceTable":
        """Return the prices of a region.

        Raises:
            UnknownPriceError: The table has no prices of this region.
        """
        table = _read()
        if region not in table["regions"]:
            raise UnknownPriceError(
                f"prices.yml has no prices of {region}, it has {', '.join(table['regions'])}: add them"
            )
        entry = table["regions"][region]
        return cls(
            region,
            entry["name"],
            table["date"],
            {name: Price(name, **row) for name, row in entry["prices"].items()},
            Price("spot discount", **table["spot_discount"]),
        )

    def __getitem__(self, name: str) -> Price:
        """Return a price.

        Raises:
            UnknownPriceError: There is none of that name.
        """
        if name not in self.prices:
            raise UnknownPriceError(f"prices.yml has no price of {name!r} in {self.region}: add it")
        return self.prices[name]

    def warning(self, today: date) -> str | None:
        """Return what is to be said of the prices' age, None if they are young enough."""
        age = (today - self.dated).days
        if age <= _MAX_AGE_DAYS:
            return None
        return (
            f"The prices are {age} days old: look them up again, and renew src/fruits_bigdata/cost/prices.yml"
        )


@cache
def work_figures() -> Mapping[str, Price]:
    """Return the figures of work.yml by name."""
    return {name: Price(name, **row) for name, row in _load("work.yml").items()}


@cache
def _read() -> dict[str, Any]:
    return _load("prices.yml")


def _load(name: str) -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(files(__package__).joinpath(name).read_text())
    return table
