"""What a day costs: a run over everything, one that finds a few new images, one that finds nothing.

    python -m benchmarks.growth --images fruits360 --weights weights.h5

Every run is a whole `kedro run` in a process of its own. Then the collection is built again in ten steps, and
its features, its moments and, fitted anew (`pca.refit=always`), its PCA are compared with those of one run
over everything.
"""

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import pandas as pd

from benchmarks.runs import FEATURES, kedro_run, sample_images, write_results
from fruits_bigdata.linalg.pca import PcaModel

_ALL = "__default__"
_STEPS = 10


def show(paths: list[Path], source: Path, folder: Path) -> None:
    """Add images to a folder, with their dates."""
    for path in paths:
        link = folder / path.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, link)


def timed_run(params: dict[str, object], output: Path) -> dict[str, Any]:
    """Run everything and return the seconds of the process, of its stages and of the featurization itself."""
    began = time.perf_counter()
    kedro_run({**params, "output_path": output}, _ALL)
    seconds = time.perf_counter() - began
    metrics = json.loads((output / "08_reporting/metrics.json").read_text())
    return {
        "seconds": seconds,
        "stages": metrics["run"]["seconds_by_stage"],
        "featurizing": metrics["featurization"]["seconds"],
        "images": metrics["featurization"]["images"],
        "found": metrics["found"],
    }


def differences(one: Path, other: Path) -> dict[str, float]:
    """Return the largest differences between two outputs: features, components, ratios, mean, Gram matrix."""
    tables = [pd.read_parquet(output / FEATURES).sort_values("path") for output in (one, other)]
    if list(tables[0]["path"]) != list(tables[1]["path"]):
        raise click.ClickException("The two outputs do not hold the same images")
    features = [np.stack(table["features"]) for table in tables]
    models = [PcaModel.load(output / "06_models/pca_model.npz") for output in (one, other)]
    pairs = {
        "features": features,
        "components": [model.components_ for model in models],
        "explained_variance_ratio": [model.explained_variance_ratio_ for model in models],
        "mean": [model.mean_ for model in models],
        "gram, per image": [
            model.summary.moments.gram / model.summary.moments.n for model in models if model.summary
        ],
    }
    return {name: float(np.abs(left - right).max()) for name, (left, right) in pairs.items()}


@click.command(help=__doc__)
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--models", type=click.Path(path_type=Path), help="Where a compiled model may be.")
@click.option("--size", default=11_992, show_default=True, help="Images.")
@click.option("--added", default=120, show_default=True, help="Images that a day brings.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/growth.json"))
def main(
    images: Path, weights: Path, models: Path | None, size: int, added: int, repeats: int, output: Path
) -> None:
    """Measure and compare."""
    folder = Path(tempfile.mkdtemp(prefix="growth-"))
    source, shown = folder / "all", folder / "images"
    sample_images(images, size, source)
    paths = sorted(source.rglob("*.jpg"))
    paths = [paths[i] for i in np.random.default_rng(0).permutation(len(paths))]
    params: dict[str, object] = {
        "images_path": shown,
        "weights_path": weights.absolute(),
        "models_path": (models or folder / "models").absolute(),
    }
    show(paths[:-added], source, shown)
    # Compiles the model, if need be, before anything is timed.
    runs: dict[str, list[dict[str, Any]]] = {"everything": [], "some new": [], "nothing new": []}
    before = timed_run(params, folder / "before")
    click.echo(f"The day before: {before['images']:,} images in {before['seconds']:.1f} s")
    show(paths[-added:], source, shown)
    for i in range(repeats):
        place = folder / f"grown {i}"
        shutil.copytree(folder / "before", place)
        runs["everything"].append(timed_run(params, folder / f"everything {i}"))
        runs["some new"].append(timed_run(params, place))
        runs["nothing new"].append(timed_run(params, place))
        for name, measured in runs.items():
            click.echo(f"{name}: {measured[-1]}")
    shutil.rmtree(shown)
    for step in np.array_split(np.arange(len(paths)), _STEPS):
        show([paths[i] for i in step], source, shown)
        stepped = timed_run({**params, "pca.refit": "always"}, folder / "stepped")
        click.echo(f"{stepped['found']['listed']:,} images: {stepped['seconds']:.1f} s")
    compared = differences(folder / "everything 0", folder / "stepped")
    click.echo(
        "\n".join(["", table(runs), "", f"{_STEPS} steps against one run, largest differences: {compared}"])
    )
    write_results(output, {"runs": runs, "differences": compared})
    shutil.rmtree(folder)


def table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Return the medians as a table."""
    lines = [
        "| run | images to do | featurizing, s | share | stage featurization, s | whole run, s |",
        "| --- " * 6 + "|",
    ]
    full = median(run["featurizing"] for run in runs["everything"])
    for name, measured in runs.items():
        featurizing = median(run["featurizing"] for run in measured)
        stage = median(run["stages"]["featurization"] for run in measured)
        whole = median(run["seconds"] for run in measured)
        lines.append(
            f"| {name} | {measured[0]['images']:,} | {featurizing:.2f} | {featurizing / full:.1%} "
            f"| {stage:.1f} | {whole:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
