"""The command: python -m tools.sample_images ROOT."""

from pathlib import Path

import click

from tools.sample_images import IMAGES_PER_TURN, SAMPLE_CLASSES, write_sample_images


@click.command(
    help=f"""Draw sample images of fruit into ROOT, one folder per class.

    {len(SAMPLE_CLASSES)} classes: {", ".join(SAMPLE_CLASSES)}.

    Images that are there already are kept, so an interrupted run can be started again.
    """
)
@click.argument("root", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--images-per-class",
    type=click.IntRange(min=1),
    default=IMAGES_PER_TURN,
    show_default=True,
    help="Pictures of each fruit; 20 make one turn of the turntable, more fall between them.",
)
def main(root: Path, images_per_class: int) -> None:
    """Draw what is missing, with a progress bar."""
    if n := write_sample_images(root, images_per_class):
        click.echo(f"Drew {n:,} images into {root}")


if __name__ == "__main__":
    main()
