"""How paths come through `kedro run --params`, which splits at commas and reads each value as YAML.

Run as a module, it prints the parameters of `make run`, whatever characters IMAGES, OUTPUT and WEIGHTS hold.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

_OPTION = "--params"
_VARIABLES = {"IMAGES": "images_path", "OUTPUT": "output_path", "WEIGHTS": "weights_path"}


def quote_parameter(value: str) -> str:
    """Return `value` as `--params` must be given it to arrive unharmed: YAML in double quotes, no comma."""
    # A comma in quotes would be split at all the same.
    return json.dumps(value, ensure_ascii=False).replace(",", r"\x2C")


def make_parameters(variables: Mapping[str, str]) -> str:
    """Return the `--params` of `make run`.

    Args:
        variables: IMAGES, OUTPUT and WEIGHTS are paths, as they are; PARAMS is written as for `--params`.
            Each may be missing or empty.
    """
    paths = [
        f"{name}={quote_parameter(variables[variable])}"
        for variable, name in _VARIABLES.items()
        if variables.get(variable)
    ]
    return ",".join([*paths, *filter(None, [variables.get("PARAMS")])])


class ReferenceInParameterError(ValueError):
    """A value of the command line would be taken for a reference to another value."""


def refuse_references(parameters: Mapping[str, Any], prefix: str = "") -> None:
    """Refuse values that OmegaConf would look up, before it does.

    Args:
        parameters: As the command line gives them.
        prefix: Of their names.

    Raises:
        ReferenceInParameterError: One holds `${`.
    """
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            refuse_references(value, f"{prefix}{key}.")
        elif "${" in str(value):
            raise ReferenceInParameterError(
                f"{prefix}{key}={value}: what follows ${{ is taken for the name of another value: give a "
                f"value without it; if a folder's name holds it, give the path of a symbolic link to it"
            )


def items_of(arguments: Sequence[str]) -> list[str]:
    """Return the items of `--params`, each `name=value`.

    Args:
        arguments: The command line.
    """
    options = [text for option, text in pairwise(arguments) if option == _OPTION]
    options += [a.removeprefix(f"{_OPTION}=") for a in arguments if a.startswith(f"{_OPTION}=")]
    return ",".join(options).split(",")


def find_comment(arguments: Sequence[str]) -> str | None:
    """Return the first item of `--params` that YAML would silently cut off at a `#`; None if there is none.

    Args:
        arguments: The command line.
    """
    for item in items_of(arguments):
        value = item.partition("=")[2].strip()
        if not value.startswith(("'", '"')) and re.search(r"(^|\s)#", value):
            return item
    return None


if __name__ == "__main__":
    print(make_parameters(os.environ))
