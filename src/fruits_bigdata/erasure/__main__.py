"""The command: python -m fruits_bigdata.erasure --path ... --params output_path=..."""

from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import _split_params
from kedro.framework.startup import bootstrap_project

from fruits_bigdata.erasure.erase import erase, preview
from fruits_bigdata.erasure.request import ErasureError, Request

_SHOWN = 20


@click.command()
@click.option(
    "--path", "paths", multiple=True, help="An image, as the column path names it. May be repeated."
)
@click.option("--prefix", "prefixes", multiple=True, help="What paths begin with: a folder and its slash.")
@click.option(
    "--paths-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Paths, one on each line.",
)
@click.option("--env", help="Kedro's environment, such as emr.")
@click.option("--params", default="", callback=_split_params, help="As for `kedro run --params`.")
@click.option("--dry-run", is_flag=True, help="Say what there is, and remove nothing.")
def main(
    paths: tuple[str, ...],
    prefixes: tuple[str, ...],
    paths_file: Path | None,
    env: str | None,
    params: dict[str, Any],
    dry_run: bool,
) -> None:
    """Erase images and everything that was made of them, and prove it.

    Removes the photographs (on S3 every version), their rows in features, rejected, images, pca and pca_csv,
    the reports with their pictures and the PCA models, which are fitted anew to what is left; then searches
    every file of the outputs. Start it in the project's folder, with the same --env and --params as the runs.

    Example: --path 'Apple Braeburn/321_100.jpg' --params images_path=/data/Test,output_path=/data/out
    """
    project = Path.cwd()
    listed = [] if paths_file is None else paths_file.read_text().splitlines()
    try:
        request = Request.of([*paths, *filter(None, listed)], prefixes)
        bootstrap_project(project)
        if dry_run:
            images, traces = preview(project, request, env, params)
            click.echo(f"{len(images):,} images would be erased, and {len(traces):,} files tell of them:")
            for line in [*map(str, images[:_SHOWN]), *map(str, traces[:_SHOWN])]:
                click.echo(f"  {line}")
            return
        done = erase(project, request, env, params)
    except ErasureError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"Erased: {len(done.images):,} images, {done.rows:,} rows of tables, {done.versions:,} old versions "
        f"of outputs. Every file of the outputs was searched, and none tells of these images."
    )


if __name__ == "__main__":
    main()
