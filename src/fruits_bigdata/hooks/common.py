"""What several hooks ask: where a dataset lies, and whether a switch is on."""

import os
from typing import Any

from kedro.framework.context import KedroContext
from kedro.io import AbstractDataset

from fruits_bigdata.storage.locations import is_s3, url_to_fs


def flag(context: KedroContext, name: str) -> bool:
    """Return a parameter that is a switch.

    Raises:
        ValueError: It is neither true nor false.
    """
    value = context.params[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name}={value}: give true or false")
    return value


def place_of(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Return where a dataset lies: an absolute path or `s3://bucket/...`, None if in memory."""
    path = filepath_of(dataset)
    if path is None:
        return None
    _, place = url_to_fs(path)
    return f"s3://{place}" if is_s3(path) else os.path.realpath(place)


def filepath_of(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Return the path that a dataset was given; None if it is in memory."""
    description = dataset._describe()
    if "filepath" not in description:
        return None
    path = str(description["filepath"])
    return f"s3://{path}" if description.get("protocol") == "s3" else path
