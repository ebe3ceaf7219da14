"""Command line: `python -m fruits_bigdata.sample_images ROOT`."""

import logging
import time
from pathlib import Path

import click
from tqdm import tqdm

from fruits_bigdata.log_format import log_to_terminal
from fruits_bigdata.sample_images import SAMPLE_CLASSES, write_sample_images

logger = logging.getLogger("fruits_bigdata.sample_images")


@click.command(
    help=f"""Draw sample images of fruit into ROOT, one folder per class.

    {len(SAMPLE_CLASSES)} classes: {", ".join(SAMPLE_CLASSES)}.

    Images that are there already are kept, so an interrupted run can be started again; when nothing is
    missing, the command says nothing.
    """
)
@click.argument("root", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--images-per-class",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Pictures of each fruit; 20 make one turn of the turntable, more fill the gaps between them.",
)
def main(root: Path, images_per_class: int) -> None:
    """Draw what is missing, with a progress bar, and log how much it was."""
    log_to_terminal("%(levelname)s %(name)s: %(message)s")
    start = time.perf_counter()
    # The delay keeps the bar from flashing up when there is nothing to draw.
    with tqdm(unit="image", delay=0.01) as bar:

        def advance(drawn: int, total: int) -> None:
            bar.total = total
            bar.update(drawn - bar.n)

        drawn = write_sample_images(root, images_per_class, advance)
    if drawn:
        seconds = time.perf_counter() - start
        total = images_per_class * len(SAMPLE_CLASSES)
        logger.info(
            "drew %s of %s images in %.1f s (%.1f images/s) into %s",
            f"{drawn:,}", f"{total:,}", seconds, drawn / seconds, root,
        )  # fmt: skip


if __name__ == "__main__":
    main()
