"""What Kedro imports before it reads the command line; the project has no commands of its own."""

import sys

import click

from fruits_bigdata.command_line import ReferenceInParameterError, items_of, refuse_references

cli = click.Group()

# While it reads, OmegaConf already chokes on a reference without an end, and tells of grammar.
try:
    refuse_references(dict(item.partition("=")[::2] for item in items_of(sys.argv)))
except ReferenceInParameterError as error:
    raise SystemExit(f"Error: {error}") from error
