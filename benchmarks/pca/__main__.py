"""Time the PCA against Spark ML's, plain and with native BLAS, and scikit-learn's full solver.

    python -m benchmarks.pca --features output/04_feature/features --rows 5000,20000,100000,200000

The rows are real features and, beyond their number, points between two of one class. Every contender reads
them from Parquet, in a process of its own, in turns. Its components are compared with scikit-learn's.
"""

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks.pca.contender import OPENBLAS
from benchmarks.pca.features import between, open_features, read_real, write_features
from tests.support.runs import run_process, write_results

_REFERENCE = "scikit_learn"
_CONTENDERS = ("moments", "spark_ml", "spark_ml_native", _REFERENCE)

Runs = dict[str, list[dict[str, Any]]]


def make(real: Path, rows: int, folder: Path, added: int) -> None:
    """Write `rows` rows, and `added` more that come later."""
    _, labels, features = read_real(real)
    n_real = min(rows, len(labels))
    order = np.random.default_rng(0).permutation(len(labels))[:n_real]
    write_features(open_features(folder / "features"), [labels[i] for i in order], features[order], "real")
    for place, n in (("features", rows - n_real), ("added", added)):
        if n > 0:
            write_features(open_features(folder / place), *between(labels, features, n, seed=n), place)


def compare(results: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Return how far each contender's components and ratios are from the reference's."""
    with np.load(results[_REFERENCE]) as arrays:
        components, ratios = arrays["components"], arrays["ratios"]
    found = {}
    for name, path in results.items():
        with np.load(path) as arrays:
            cosines = np.abs((arrays["components"] * components).sum(axis=1))
            found[name] = {
                "one_minus_cosine": float(np.max(1 - cosines)),
                "ratios": float(np.abs(arrays["ratios"] - ratios).max()),
            }
    return found


def table(rows: int, runs: Runs, agreement: dict[str, dict[str, float]]) -> list[str]:
    """Return the lines of one size."""
    ours = median(run["seconds"][0] for run in runs["moments"])
    lines = []
    for name, measured in runs.items():
        first = [run["seconds"][0] for run in measured]
        later = [run["seconds"][-1] for run in measured]
        peaks = [
            f"{max(run[kind] for run in measured):,.0f}" for kind in ("driver_mb", "java_mb", "worker_mb")
        ]
        far = agreement.get(name, {})
        lines.append(
            f"| {rows:,} | {name} | {median(first):.2f} ({min(first):.2f} - {max(first):.2f}) "
            f"| {median(later):.2f} | {median(first) / ours:.2f} | {' | '.join(peaks)} "
            f"| {far.get('one_minus_cosine', float('nan')):.0e} | {far.get('ratios', float('nan')):.0e} |"
        )
    return lines


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--features", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--rows", default="5000,20000,100000,200000", show_default=True)
@click.option("--contenders", default=",".join(_CONTENDERS), show_default=True)
@click.option("--most-for-scikit-learn", default=100_000, show_default=True, help="Rows: it holds them all.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/pca.json"))
def main(
    features: Path, rows: str, contenders: str, most_for_scikit_learn: int, repeats: int, output: Path
) -> None:
    """Measure and compare."""
    names = contenders.split(",")
    if "spark_ml_native" in names and not OPENBLAS.exists():
        raise click.ClickException(f"{OPENBLAS} is not there: apt-get install libopenblas0-pthread")
    lines = [
        "| rows | contender | first fit, s: median (range) | second fit, s | times ours | driver, MB "
        "| Java, MB | a worker, MB | 1 - cosine | ratios |",
        "| --- " * 10 + "|",
    ]
    added = [
        "",
        "| rows | added | summing them, s: median | share of the first fit | finding them, too, s | share |",
        "| --- " * 6 + "|",
    ]
    everything = {}
    for size in map(int, rows.split(",")):
        with tempfile.TemporaryDirectory(prefix="pca-") as place:
            folder = Path(place)
            make(features, size, folder, size // 100)
            runs: Runs = {name: [] for name in names if name != _REFERENCE or size <= most_for_scikit_learn}
            results = {name: folder / f"{name}.npz" for name in runs}
            for _ in range(repeats):
                for name, measured in runs.items():
                    command = [sys.executable, "-m", "benchmarks.pca.contender", name, str(folder)]
                    said = run_process([*command, str(results[name])]).splitlines()[-1]
                    measured.append(json.loads(said))
                    click.echo(f"{size:,} {name}: {said}", err=True)
            agreement = compare(results) if _REFERENCE in runs else {}
        everything[size] = {"runs": runs, "agreement": agreement}
        lines += table(size, runs, agreement)
        if "moments" in runs:
            ours = runs["moments"]
            full = median(run["seconds"][0] for run in ours)
            parts = [median(run[name] for run in ours) for name in ("summing_seconds", "adding_seconds")]
            shares = " | ".join(f"{seconds:.2f} | {seconds / full:.1%}" for seconds in parts)
            added.append(f"| {size:,} | {size // 100:,} | {shares} |")
    click.echo("\n".join([*lines, *added]))
    write_results(output, everything)


if __name__ == "__main__":
    main()
