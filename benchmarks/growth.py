"""What a day costs: a run over everything, with a few new images, without a few, and with nothing new.

    python -m benchmarks.growth --images fruits360 --weights weights.h5

Every run is a whole `kedro run` in a process of its own. Then the collection is built again in ten steps, and
in runs with a `limit`, and each time its features, its moments and, fitted anew (`pca.refit=always`), its PCA
are compared with those of one run over everything.
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

from fruits_bigdata.linalg.pca import PcaModel
from tests.support.runs import FEATURES, MODEL, TABLES, kedro_run, read_table, sample_images, write_results

_STEPS = 10
_LIMITED_RUNS = 3
_REMOVED_SHARE = 0.01


def show(paths: list[Path], source: Path, folder: Path) -> None:
    """Add images to a folder, with their dates."""
    for path in paths:
        link = folder / path.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, link)


def files(output: Path) -> dict[str, int]:
    """Return the size of every data file of the tables, by its place."""
    every = (path for folder, _ in TABLES.values() for path in (output / folder).glob("*.parquet"))
    return {str(path): path.stat().st_size for path in every}


def timed_run(params: dict[str, object], output: Path) -> dict[str, Any]:
    """Run everything and return the seconds of the process, of its stages and of the featurization itself."""
    before = files(output)
    began = time.perf_counter()
    kedro_run({**params, "output_path": output}, "__default__")
    seconds = time.perf_counter() - began
    metrics = json.loads((output / "08_reporting/metrics.json").read_text())
    written = sum(size for name, size in files(output).items() if name not in before)
    return {
        "seconds": seconds,
        "stages": metrics["run"]["seconds_by_stage"],
        "featurizing": metrics["featurization"]["seconds"],
        "images": metrics["featurization"]["images"],
        "written_mb": round(written / 1e6, 2),
    }


def differences(one: Path, other: Path) -> dict[str, float]:
    """Return the largest differences between two outputs: features, components, ratios, mean, Gram matrix."""
    tables = [read_table(output / FEATURES, ["path", "features"]) for output in (one, other)]
    if list(tables[0]["path"]) != list(tables[1]["path"]):
        raise click.ClickException("The two outputs do not hold the same images")
    features = [np.stack(table["features"]) for table in tables]
    models = [PcaModel.load(output / MODEL) for output in (one, other)]
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


def days(
    params: dict[str, object], source: Path, shown: Path, paths: list[Path], added: int, place: Path
) -> dict[str, dict[str, Any]]:
    """Run a round: everything, what is new since the day before, nothing new, and what is gone."""
    grown = place / "grown"
    shutil.copytree(place.parent / "before", grown)
    gone = paths[: max(1, int(_REMOVED_SHARE * len(paths)))]
    runs = {
        "everything": timed_run(params, place / "everything"),
        f"{added:,} new": timed_run(params, grown),
        "nothing new": timed_run(params, grown),
    }
    for path in gone:
        (shown / path.relative_to(source)).unlink()
    runs[f"{len(gone):,} gone"] = timed_run(params, grown)
    show(gone, source, shown)
    return runs


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
    before = timed_run(params, folder / "before")
    click.echo(f"The day before: {before['images']:,} images in {before['seconds']:.1f} s")
    show(paths[-added:], source, shown)
    rounds = []
    for i in range(repeats):
        rounds.append(days(params, source, shown, paths, added, folder / f"round-{i}"))
        click.echo(json.dumps(rounds[-1]))
    everything, anew = folder / "round-0/everything", {**params, "pca.refit": "always"}
    for i in range(_LIMITED_RUNS):
        limit = -(-len(paths) // _LIMITED_RUNS)
        limited = timed_run({**anew, "limit": limit}, folder / "limited")
        click.echo(f"limit={limit}, run {i}: {limited['images']:,} images in {limited['seconds']:.1f} s")
    shutil.rmtree(shown)
    for step in np.array_split(np.arange(len(paths)), _STEPS):
        show([paths[i] for i in step], source, shown)
        stepped = timed_run(anew, folder / "stepped")
        click.echo(f"{stepped['images']:,} more images: {stepped['seconds']:.1f} s")
    compared = {name: differences(everything, folder / name) for name in ("limited", "stepped")}
    click.echo("\n".join(["", table(rounds), "", "Largest differences from one run over everything:"]))
    click.echo("\n".join(f"{name}: {found}" for name, found in compared.items()))
    write_results(output, {"rounds": rounds, "differences": compared})
    different = [name for name, found in compared.items() if found["features"]]
    if different:
        raise click.ClickException(f"The features of {different} are not those of one run over everything")
    shutil.rmtree(folder)


def table(rounds: list[dict[str, dict[str, Any]]]) -> str:
    """Return the medians as a table."""
    lines = [
        "| run | images to do | featurizing, s | share | stage featurization, s | run, s | written, MB |",
        "| --- " * 7 + "|",
    ]
    full = median(runs["everything"]["featurizing"] for runs in rounds)
    for name in rounds[0]:
        measured = [runs[name] for runs in rounds]
        featurizing = median(run["featurizing"] for run in measured)
        stage = median(run["stages"]["featurization"] for run in measured)
        whole = median(run["seconds"] for run in measured)
        lines.append(
            f"| {name} | {measured[0]['images']:,} | {featurizing:.2f} | {featurizing / full:.1%} "
            f"| {stage:.1f} | {whole:.1f} | {measured[0]['written_mb']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
