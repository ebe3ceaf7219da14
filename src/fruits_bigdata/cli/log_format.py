"""Texts for a terminal, which must not obey what a file's name holds."""

import logging
import re
from copy import copy
from typing import Any

from fruits_bigdata.cli.current_output import current_output

# What moves the cursor or sets colours, begins a line, changes the direction of writing or is no UTF-8.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_OTHERS_THAN_LINES = re.compile(rf"(?![\n\t]){_CONTROLS.pattern}")


def escape_controls(text: str, keep_lines: bool = False) -> str:
    r"""Return `text` with control characters shown as `\x1b` and the like.

    Args:
        text: Anything.
        keep_lines: Leave line breaks and tabs as they are.
    """
    pattern = _OTHERS_THAN_LINES if keep_lines else _CONTROLS
    return pattern.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class EscapingFormatter(logging.Formatter):
    """Shows the control characters of a message, and those of a traceback but for its line breaks."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it."""
        # Other handlers have formatters of their own, and the first keeps its text of the exception.
        shown = copy(record)
        shown.msg, shown.args, shown.exc_text = escape_controls(record.getMessage()), (), None
        return super().format(shown)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return the traceback."""
        return escape_controls(super().formatException(ei), keep_lines=True)

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """Return the stack."""
        return escape_controls(super().formatStack(stack_info), keep_lines=True)


_FORMATTER = {
    "class": f"{__name__}.{EscapingFormatter.__name__}",
    "format": "%(asctime)s %(levelname)-7s %(message)s",
    "datefmt": "%H:%M:%S",
}

# Of a run; `settings` gives it to Kedro.
LOGGING_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    # By a reference: Kedro refuses the name of a class that is neither its own nor Python's.
    "formatters": {"plain": f"ext://{__name__}._FORMATTER"},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain", "stream": current_output}
    },
    "loggers": {
        "fruits_bigdata": {"level": "INFO"},
        "kedro": {"level": "INFO"},
        # A line for each dataset that is loaded or saved is more than a reader wants.
        "kedro.io": {"level": "WARNING"},
        "py4j": {"level": "WARNING"},
    },
    "root": {"level": "WARNING", "handlers": ["console"]},
}


def log_to_terminal(line_format: str) -> None:
    """Show log lines on standard error, for a command that Kedro does not start."""
    handler = logging.StreamHandler()
    handler.setFormatter(EscapingFormatter(line_format))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
