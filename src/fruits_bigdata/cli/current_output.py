"""Where log lines go in a notebook on EMR."""

import sys


class _CurrentOutput:
    """What is standard output at the moment, for a handler of log lines.

    Livy gives each cell of a notebook an output of its own and closes it after the cell, so a handler that
    keeps the first one fails from the second cell on.
    """

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


current_output = _CurrentOutput()
