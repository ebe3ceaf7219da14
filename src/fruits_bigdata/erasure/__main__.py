"""The command: python -m fruits_bigdata.erasure --path ... --params output_path=..."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import _split_params
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError

from fruits_bigdata.cli.log_format import escape_controls
from fruits_bigdata.erasure.erase import Findings, erase, preview
from fruits_bigdata.erasure.request import Request, read_names


@click.command()
@click.option(
    "--path", "paths", multiple=True, help="An image, as the column path names it. May be repeated."
)
@click.option("--prefix", "prefixes", multiple=True, help="What paths begin with: a folder and its slash.")
@click.option(
    "--paths-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A UTF-8 file of paths, one on each line.",
)
@click.option("--env", help="Kedro's environment, such as emr.")
@click.option("--params", default="", callback=_split_params, help="As for `kedro run --params`.")
@click.option("--dry-run", is_flag=True, help="Say what there is of each path, and remove nothing.")
def main(
    paths: tuple[str, ...],
    prefixes: tuple[str, ...],
    paths_file: Path | None,
    env: str | None,
    params: dict[str, Any],
    dry_run: bool,
) -> None:
    """Erase images and everything that was made of them, and prove it.

    Removes the photographs (on S3 every version) and their rows in the tables, makes PCA, scores, CSV and
    report anew from what is left, then searches every file of the outputs. Start it in the project's folder,
    with the --env and the places (images_path, output_path, ...) of the runs; what else is set for runs, such
    as limit or dry_run, does not matter. It can be started again at any time.

    \b
    Example:
      python -m fruits_bigdata.erasure --path 'Apple Braeburn/321_100.jpg' \\
          --params images_path=/data/Test,output_path=/data/out

    For each path it answers: erased, not found, or still in which files.

    \b
    Exit codes:
      0  every path named was there and is erased; nothing is left of it
      1  a path was not found, something is left, or the outputs cannot be made anew
      2  the command was not understood
    """
    try:
        request = Request.of([*paths, *(read_names(paths_file) if paths_file else [])], prefixes)
        project = Path.cwd()
        bootstrap_project(project)
        if dry_run:
            _show_findings(preview(project, request, env, params))
            return
        done = erase(project, request, env, params)
    except (RuntimeError, ValueError, OSError, DatasetError) as error:
        raise click.ClickException(escape_controls(str(error))) from error
    _show(done.answers)
    for sentence in done.failures:
        click.echo(escape_controls(sentence))
    if done.is_empty:
        click.echo("No image is left in the tables: there is no PCA model, no CSV and no report any more.")
    if not done.is_complete:
        raise SystemExit(1)
    rows = sum(trace.rows for trace in done.before.traces)
    click.echo(
        f"Removed photographs: {len(done.before.photographs):,}; rows of tables: {rows:,}. Every file of the "
        f"outputs was searched, and none tells of these images."
    )


def _show_findings(findings: Findings) -> None:
    names = findings.request.names
    _show({name: f"in {', '.join(findings.places[name])}" for name in names if name in findings.places})
    _show(missing := {name: "not found" for name in names if name not in findings.places})
    if missing:
        raise SystemExit(1)


def _show(answers: Mapping[str, str]) -> None:
    for name, answer in answers.items():
        click.echo(escape_controls(f"{name}: {answer}"))


if __name__ == "__main__":
    main()
