"""How paths come through `kedro run --params`, which splits at commas and reads each value as YAML.

Run as a module, it prints the parameters of `make run`, whatever characters IMAGES, OUTPUT and WEIGHTS hold.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

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


def find_comment(arguments: Sequence[str]) -> str | None:
    """Return the first item of `--params` that YAML would silently cut off at a `#`; None if there is none.

    Args:
        arguments: The command line.
    """
    given = [text for option, text in pairwise(arguments) if option == _OPTION]
    given += [a.removeprefix(f"{_OPTION}=") for a in arguments if a.startswith(f"{_OPTION}=")]
    for item in ",".join(given).split(","):
        value = item.partition("=")[2].strip()
        if not value.startswith(("'", '"')) and re.search(r"(^|\s)#", value):
            return item
    return None


if __name__ == "__main__":
    print(make_parameters(os.environ))
