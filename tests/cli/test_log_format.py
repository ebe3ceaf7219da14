"""No file's name can move a terminal's cursor or forge a line of the log."""

import logging
import sys

from fruits_bigdata.cli.log_format import EscapingFormatter, escape_controls
from fruits_bigdata.emr import on_aws
from tests.support.commands import PROJECT, run_python

NAME = "a\x1b[2J\r\x9b1m\n12:00:00 INFO done\u202e\udce9 é 🍎.jpg"
SHOWN = r"a\x1b[2J\r\x9b1m\n12:00:00 INFO done\u202e\udce9 é 🍎.jpg"


def test_control_characters_are_shown_and_other_names_stay():
    assert escape_controls(NAME) == SHOWN
    assert escape_controls("a\n\tb\x1b", keep_lines=True) == "a\n\tb\\x1b"
    assert escape_controls("Café/\\é 🍎🏽 תפוח.jpg") == "Café/\\é 🍎🏽 תפוח.jpg"


def test_the_projects_log_escapes_messages_and_tracebacks():
    program = (
        "import logging\nfrom kedro.framework.startup import bootstrap_project\n"
        f"bootstrap_project({str(PROJECT)!r})\n"
        "log = logging.getLogger('fruits_bigdata')\n"
        f"name = {NAME!r}\n"
        "log.warning('Not read: %s', name)\n"
        "try:\n    raise OSError(name)\nexcept OSError:\n    log.exception('failed')\n"
    )
    done = run_python(program)
    first, *others = done.stdout.splitlines()
    assert first.endswith(f"WARNING Not read: {SHOWN}")
    assert others[0].endswith("ERROR   failed")
    assert others[1].startswith("Traceback")
    assert others[-2].startswith(r"OSError: a\x1b[2J\r\x9b1m")
    assert not set(done.stdout) & set("\x1b\x9b\r\u202e")


def test_what_another_handler_has_made_of_an_exception_is_not_taken():
    try:
        raise ValueError(NAME)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", ("x",), sys.exc_info())
    logging.Formatter().format(record)
    before = record.exc_text
    assert "\x1b" not in EscapingFormatter().format(record)
    assert (record.exc_text, record.args) == (before, ("x",))


def test_what_a_command_says_is_escaped(capsys):
    on_aws._say("a\x1b[2J")
    assert capsys.readouterr().out == "a\\x1b[2J\n"
