"""Time the featurisation side by side with what people do today, on the same real images.

    python -m benchmarks.featurization --images fruits360/Test --weights weights.h5 --size 500 --size 2000

Contenders, each a process of its own from image files to a Parquet file:

    a  the usual notebook (usual_notebook.py)
    b  the usual script (usual_script.py)
    c  this project: kedro run --pipelines loading,featurization
    d  a bare loop of the engine over decoded pixels, one process per core, its own time only
    e  fetch, decode and engine without Spark, one process per core

The contenders take turns, `--repeats` times after a first round, which is reported as "cold": c then compiles
the weights. A contender's features must equal a's within 1e-4 before its time counts.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import click
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
TOLERANCE = 1e-4


def sample_images(images: Path, size: int, folder: Path) -> int:
    """Copy `size` images, spread evenly over the sorted listing, with their class folders."""
    paths = sorted(images.rglob("*.jpg"))
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(size, len(paths))).astype(int)]
    for path in chosen:
        target = folder / path.relative_to(images)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return len(chosen)


def read_features(folder: Path) -> pd.DataFrame:
    """Return the features by the image's class and name, whichever way a contender writes its path."""
    table = pd.read_parquet(folder)
    names = ["/".join(path.replace("%20", " ").split("/")[-2:]) for path in table["path"]]
    return pd.Series(list(table["features"]), index=names).sort_index()


def command(contender: str, images: Path, weights: Path, models: Path, output: Path) -> list[str]:
    """Return the command line of a contender."""
    if contender in "ab":
        script = {"a": "usual_notebook.py", "b": "usual_script.py"}[contender]
        return [sys.executable, str(HERE / script), str(images), str(weights), str(output)]
    if contender == "c":
        params = f"images_path={images},output_path={output},weights_path={weights},models_path={models}"
        return [
            sys.executable,
            "-m",
            "kedro",
            "run",
            "--pipelines",
            "loading,featurization",
            "--params",
            params,
        ]
    (model,) = models.glob("*.tflite")
    what = {"d": "engine", "e": "files"}[contender]
    return [sys.executable, str(HERE / "bare.py"), what, str(images), str(model), str(output)]


def run(contender: str, images: Path, weights: Path, models: Path, output: Path) -> float:
    """Run a contender once; return its seconds: the whole process's, or for d those that it prints."""
    shutil.rmtree(output, ignore_errors=True)
    started = perf_counter()
    done = subprocess.run(
        command(contender, images, weights, models, output), cwd=PROJECT, capture_output=True, text=True
    )
    seconds = perf_counter() - started
    if done.returncode:
        raise click.ClickException(f"{contender} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return float(done.stdout) if contender == "d" else seconds


def check(contender: str, output: Path, reference: pd.Series) -> float:
    """Return the largest difference of a contender's features from a's, or end the benchmark."""
    features = read_features(output / "04_feature/features" if contender == "c" else output)
    if list(features.index) != list(reference.index):
        raise click.ClickException(f"{contender} has other images than a")
    difference = float(np.abs(np.stack(features) - np.stack(reference)).max())
    if difference > TOLERANCE:
        raise click.ClickException(f"{contender} differs from a by {difference:.1e}")
    return difference


def measure(
    size: int, contenders: str, images: Path, weights: Path, repeats: int, work: Path
) -> dict[str, dict[str, object]]:
    """Return the seconds of each contender for `size` images."""
    folder, models = work / f"images-{size}", work / f"models-{size}"
    n = sample_images(images, size, folder)
    found: dict[str, dict[str, object]] = {c: {"images": n, "warm": []} for c in contenders}
    reference = None
    for repeat in range(repeats + 1):
        for contender in contenders:
            output = work / f"output-{contender}"
            seconds = run(contender, folder, weights, models, output)
            if repeat == 0:
                found[contender]["cold"] = seconds
            else:
                found[contender]["warm"].append(seconds)  # type: ignore[attr-defined]
            if contender == "a":
                reference = read_features(output)
            if contender != "d" and reference is not None:
                found[contender]["difference"] = check(contender, output, reference)
            click.echo(f"{n:6,} images, round {repeat}: {contender} {seconds:8.2f} s", err=True)
    return found


def table(results: dict[int, dict[str, dict[str, object]]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| images | contender | cold, s | warm, s: median (range) | images/s | times a | difference from a |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for by_contender in results.values():
        medians = {c: statistics.median(found["warm"]) for c, found in by_contender.items()}  # type: ignore[arg-type]
        for c, found in by_contender.items():
            warm: list[float] = found["warm"]  # type: ignore[assignment]
            times = f"{medians['a'] / medians[c]:.2f}" if "a" in medians else ""
            difference = f"{found['difference']:.1e}" if "difference" in found else ""
            lines.append(
                f"| {found['images']:,} | {c} | {found['cold']:.1f} | {medians[c]:.1f} ({min(warm):.1f} - "
                f"{max(warm):.1f}) | {found['images'] / medians[c]:.0f} | {times} | {difference} |"  # type: ignore[operator]
            )
    return "\n".join(lines)


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option(
    "--size", "sizes", type=int, multiple=True, default=[500, 2000], help="Images; may be repeated."
)
@click.option("--repeats", type=int, default=3, show_default=True)
@click.option(
    "--contenders", default="acde", show_default=True, help="c before d and e, which use its model."
)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/featurization.json")
)
def main(
    images: Path, weights: Path, sizes: tuple[int, ...], repeats: int, contenders: str, output: Path
) -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="featurization-") as work:
        results = {
            size: measure(size, contenders, images.absolute(), weights.absolute(), repeats, Path(work))
            for size in sizes
        }
    output.parent.mkdir(parents=True, exist_ok=True)
    machine = {"platform": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    output.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")
    click.echo(table(results))


if __name__ == "__main__":
    main()
