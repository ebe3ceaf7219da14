"""Time a small run as it is shipped, without the class archive, and with Java's own compilers too.

    python -m benchmarks.startup --images fruits360/Test --weights weights.h5

Whole processes, `kedro run --pipelines loading,featurization`, taking turns, `--repeats` times after a first
round that is not counted.
"""

import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

import click
import yaml

from fruits_bigdata.spark.java import find_java
from fruits_bigdata.spark.session import archive_paths
from tests.support.runs import PROJECT, kedro_run, sample_images, write_results

_OPTIONS = "spark.driver.extraJavaOptions"
_OWN_COMPILER = " -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def configurations(folder: Path) -> dict[str, Path]:
    """Return a copy of conf/ for each variant."""
    said = subprocess.run(
        [find_java(), "-XshowSettings:properties", "-version"], capture_output=True, text=True
    )
    (home,) = [line.split("=")[1].strip() for line in said.stderr.splitlines() if "java.home =" in line]
    shipped = yaml.safe_load((PROJECT / "conf/base/spark.yml").read_text())[_OPTIONS].strip()
    without_archive = f"{shipped} -XX:SharedArchiveFile={home}/lib/server/classes.jsa"
    variants = {
        "as shipped": shipped,
        "without the class archive": without_archive,
        "and with Java's own compilers": without_archive.replace(_OWN_COMPILER, ""),
    }
    found = {}
    for i, (name, options) in enumerate(variants.items()):
        found[name] = folder / f"conf-{i}"
        shutil.copytree(PROJECT / "conf", found[name])
        (found[name] / "local" / "spark.yml").write_text(yaml.safe_dump({_OPTIONS: options}))
    return found


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--size", type=int, default=500, show_default=True, help="Images.")
@click.option("--repeats", type=int, default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/startup.json"))
def main(images: Path, weights: Path, size: int, repeats: int, output: Path) -> None:
    """Run the benchmark."""
    if not archive_paths()[1].exists():
        raise click.ClickException(
            "There is no archive: make it with python -m fruits_bigdata.warmup.class_archive"
        )
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        work = Path(folder)
        sample_images(images, size, work / "images")
        seconds: dict[str, list[float]] = {name: [] for name in configurations(work)}
        for repeat in range(repeats + 1):
            for i, name in enumerate(seconds):
                shutil.rmtree(work / "output", ignore_errors=True)
                params = {"images_path": work / "images", "output_path": work / "output"}
                started = perf_counter()
                kedro_run(
                    {**params, "weights_path": weights.absolute(), "models_path": work / "models"},
                    options=["--conf-source", str(work / f"conf-{i}")],
                )
                if repeat:
                    seconds[name].append(perf_counter() - started)
    write_results(output, seconds)
    for name, spent in seconds.items():
        click.echo(f"{name:30} {statistics.median(spent):6.2f} s ({min(spent):.2f} - {max(spent):.2f})")


if __name__ == "__main__":
    main()
