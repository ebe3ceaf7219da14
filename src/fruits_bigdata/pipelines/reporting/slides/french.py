"""Figures and words as French readers write them."""

import re

NBSP = "\N{NO-BREAK SPACE}"


def number(value: float, digits: int = 0) -> str:
    """Return a number: 11 992, or 0,85 with two digits."""
    return f"{value:,.{digits}f}".replace(",", NBSP).replace(".", ",")


def percent(share: float) -> str:
    """Return a share, from 0 to 1, as a percentage: 82,6 %. Never 100 % of what is not all."""
    rounded = round(100 * share, 1)
    if rounded == 100 and share < 1:
        rounded = 99.9
    return f"{number(rounded, 0 if rounded.is_integer() else 1)}{NBSP}%"


def count(n: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun; French counts 0 and 1 in the singular."""
    return f"{number(n)}{NBSP}{one if n < 2 else many or one + 's'}"


def seconds(value: float) -> str:
    """Return a time: 0,4 s, 27 s, 3 min 45 s or 2 h 05 min."""
    if value < 10:
        return f"{number(value, 1)}{NBSP}s"
    whole = round(value)
    if whole < 60:
        return f"{whole}{NBSP}s"
    if whole < 3600:
        return f"{whole // 60}{NBSP}min" + (f"{NBSP}{whole % 60:02d}{NBSP}s" if whole % 60 else "")
    return f"{whole // 3600}{NBSP}h{NBSP}{whole % 3600 // 60:02d}{NBSP}min"


def megabytes(n_bytes: float) -> str:
    """Return bytes as MB: 8,9 Mo."""
    value = n_bytes / 1e6
    return f"{number(value, 1 if value < 100 else 0)}{NBSP}Mo"


def typeset(text: str) -> str:
    """Return a text whose signs of two parts never begin a line, and whose numbers stay whole."""
    return re.sub(r" (?=[:;?!%»])|(?<=«) |(?<=\d) (?=\d{3}\b)", NBSP, text)
