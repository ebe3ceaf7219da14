"""The terminal: parameters as they are typed, log lines as they are shown. Imports no other room.

Kedro imports this package before it reads the command line, for a project's own commands; this one has none.
"""

import sys

import click

from fruits_bigdata.cli.command_line import ReferenceInParameterError, items_of, refuse_references

cli = click.Group()

# While it reads, OmegaConf already chokes on a reference without an end, and tells of grammar.
try:
    refuse_references(dict(item.partition("=")[::2] for item in items_of(sys.argv)))
except ReferenceInParameterError as error:
    raise SystemExit(f"Error: {error}") from error
