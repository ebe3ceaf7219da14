"""Time the featurisation side by side with what people do today, on the same real images.

    python -m benchmarks.featurization --images fruits360/Test --weights weights.h5 --size 500 --size 2000

Contenders, each a process of its own from image files to a Parquet file:

\b
    a  the usual notebook (usual_notebook.py)
    b  the usual script (usual_script.py)
    c  this project: kedro run --pipelines loading,featurization
    d  a bare loop of the engine over decoded pixels, one process per core, its own time only
    e  fetch, decode and engine without Spark, one process per core
    i  this project with featurization.precision=int8

The contenders take turns, `--repeats` times after a first round, which is reported as "cold": c and i then
compile the weights. A contender's features must equal a's within 1e-4 before its time counts; i's must have a
median cosine of 0.98. Sizes that the output file holds from before are kept and shown too.
"""

import json
import shutil
import statistics
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
import pandas as pd

from tests.support.runs import (
    FEATURES,
    STATISTICS,
    cosines,
    kedro_run,
    read_features,
    run_process,
    sample_images,
    write_results,
)

HERE = Path(__file__).parent
TOLERANCE = 1e-4
LEAST_COSINE = 0.98


def run(contender: str, images: Path, weights: Path, models: Path, output: Path) -> float:
    """Run a contender once; return its seconds: the whole process's, or for d those that it prints."""
    shutil.rmtree(output, ignore_errors=True)
    started = perf_counter()
    if contender in "ci":
        paths = {"images_path": images, "output_path": output, "weights_path": weights, "models_path": models}
        precision = {"c": "float32", "i": "int8"}[contender]
        kedro_run({**paths, "featurization.precision": precision})
    elif contender in "ab":
        script = {"a": "usual_notebook.py", "b": "usual_script.py"}[contender]
        run_process([sys.executable, str(HERE / script), str(images), str(weights), str(output)])
    else:
        what = {"d": "engine", "e": "files"}[contender]
        model = max(models.glob("*.tflite"), key=lambda path: path.stat().st_size)
        said = run_process(
            [sys.executable, str(HERE / "bare.py"), what, str(images), str(model), str(output)]
        )
        if contender == "d":
            return float(said)
    return perf_counter() - started


def check(contender: str, output: Path, reference: pd.Series) -> dict[str, float]:
    """Hold a contender's features against a's; end the benchmark if they are not what they should be."""
    features = read_features(output / FEATURES if contender in "ci" else output)
    if list(features.index) != list(reference.index):
        raise click.ClickException(f"{contender} has other images than a")
    actual, expected = np.stack(features), np.stack(reference)
    found = {
        "difference": float(np.abs(actual - expected).max()),
        "cosine": float(np.median(cosines(actual, expected))),
    }
    if found["cosine"] < LEAST_COSINE or (contender != "i" and found["difference"] > TOLERANCE):
        raise click.ClickException(f"{contender} differs from a: {found}")
    return found


def measure(
    size: int, contenders: str, images: Path, weights: Path, repeats: int, cold: bool, work: Path
) -> dict[str, dict[str, Any]]:
    """Return the seconds of each contender for `size` images."""
    folder, models = work / f"images-{size}", work / f"models-{size}"
    n = sample_images(images, size, folder)
    found: dict[str, dict[str, Any]] = {c: {"images": n, "warm": []} for c in contenders}
    reference = None
    if not cold:
        few = work / "few-images"
        sample_images(images, 20, few)
        for contender in sorted(set(contenders) & set("ci")):
            run(contender, few, weights, models, work / "output-few")
    for repeat in range(0 if cold else 1, repeats + 1):
        for contender in contenders:
            output = work / f"output-{contender}"
            seconds = run(contender, folder, weights, models, output)
            if repeat == 0:
                found[contender]["cold"] = seconds
            else:
                found[contender]["warm"].append(seconds)
            if contender == "a":
                reference = read_features(output)
            elif contender != "d" and reference is not None:
                found[contender] |= check(contender, output, reference)
            if contender in "ci":
                said = json.loads((output / STATISTICS).read_text())
                found[contender]["statistics"] = said
            click.echo(f"{n:6,} images, round {repeat}: {contender} {seconds:8.2f} s", err=True)
    return found


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the results as Markdown tables."""
    lines = [
        "| images | contender | cold, s | warm, s: median (range) | images/s | times as fast as a | as b | "
        "difference from a | peak memory of a worker, MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for by_contender in results.values():
        medians = {c: statistics.median(found["warm"]) for c, found in by_contender.items()}
        for c, found in by_contender.items():
            times = [f"{medians[other] / medians[c]:.2f}" if other in medians else "" for other in "ab"]
            difference = f"{found['difference']:.1e}" if "difference" in found else ""
            if c == "i" and difference:
                difference = f"cosine {found['cosine']:.4f}"
            peak = max(
                (w["peak_memory_mb"] for w in found.get("statistics", {}).get("workers", [])), default=0
            )
            cold = f"{found['cold']:.1f}" if "cold" in found else ""
            lowest, highest = min(found["warm"]), max(found["warm"])
            lines.append(
                f"| {found['images']:,} | {c} | {cold} | {medians[c]:.1f} ({lowest:.1f} - "
                f"{highest:.1f}) | {found['images'] / medians[c]:.0f} | {' | '.join(times)} | "
                f"{difference} | {f'{peak:.0f}' if peak else ''} |"
            )
    lines += ["", "Images per second between two sizes, start-up excluded:", ""]
    for (_, small), (_, large) in combinations(results.items(), 2):
        slopes = {}
        for c in sorted(small.keys() & large.keys()):
            seconds = statistics.median(large[c]["warm"]) - statistics.median(small[c]["warm"])
            slopes[c] = (large[c]["images"] - small[c]["images"]) / seconds
        sizes = [next(iter(found.values()))["images"] for found in (small, large)]
        said = ", ".join(f"{c} {speed:.0f}" for c, speed in slopes.items())
        lines.append(f"- from {sizes[0]:,} to {sizes[1]:,}: {said}")
        for c, other in (("c", "e"), ("i", "c")):
            if {c, other} <= slopes.keys():
                lines[-1] += f"; {c} is {slopes[c] / slopes[other]:.2f} of {other}"
    return "\n".join(lines)


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option(
    "--size", "sizes", type=int, multiple=True, default=[500, 2000], help="Images; may be repeated."
)
@click.option("--repeats", type=int, default=3, show_default=True)
@click.option("--cold/--no-cold", default=True, help="A first round with nothing compiled; it takes time.")
@click.option(
    "--contenders", default="acdei", show_default=True, help="c before d and e, which use its model."
)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/featurization.json")
)
def main(
    images: Path,
    weights: Path,
    sizes: tuple[int, ...],
    repeats: int,
    cold: bool,
    contenders: str,
    output: Path,
) -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="featurization-") as work:
        results = {
            str(size): measure(
                size, contenders, images.absolute(), weights.absolute(), repeats, cold, Path(work)
            )
            for size in sizes
        }
    if output.exists():
        results = json.loads(output.read_text())["results"] | results
    results = {size: results[size] for size in sorted(results, key=int)}
    write_results(output, results)
    click.echo(table(results))


if __name__ == "__main__":
    main()
