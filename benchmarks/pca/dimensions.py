"""Measure what 50, 100 and 200 components keep of real features, plain and divided by their deviations.

    python -m benchmarks.pca.dimensions --features output/04_feature/features

Then let the same images arrive in ten days, at random and class by class, and say how far axes that are kept
fall behind the best, and when a run with the default tolerance fits anew.
"""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.pca.features import read_real
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, Scale, drift, fit_pca
from fruits_bigdata.linalg.quality import measure_quality
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from tests.support.runs import PROJECT, write_results

_SCALES: tuple[Scale, ...] = ("none", "std")
_N_COMPONENTS = (50, 100, 200)
_DAYS = 10


def quality_table(summary: FeatureSummary) -> list[str]:
    """Return a line for each number of components and scale."""
    lines = [
        "| scale | components | explained variance | reconstruction error | same among 10 nearest "
        "| nearest has the same label, 1,280 features | scores |",
        "| --- " * 7 + "|",
    ]
    for scale in _SCALES:
        for k in _N_COMPONENTS:
            model = replace(fit_pca(summary.moments, k, scale), summary=summary)
            found = measure_quality(model)
            accuracy = found["nearest_label_accuracy"]
            lines.append(
                f"| {scale} | {k} | {found['explained_variance_ratio_sum']:.2%} "
                f"| {found['reconstruction_error']:.2%} | {found['neighbour_overlap']:.1%} "
                f"| {accuracy['features']:.2%} | {accuracy['scores']:.2%} |"
            )
    return lines


def days(order: NDArray[np.intp], features: NDArray[np.float32], tolerance: float) -> list[str]:
    """Return, day by day, the drift of the first day's axes, and of those that are refitted when told to."""
    total = Moments.zero(features.shape[1])
    first: PcaModel | None = None
    kept: PcaModel | None = None
    said = []
    for part in np.array_split(order, _DAYS):
        total += Moments.of(features[part])
        if first is None or kept is None:
            first = kept = fit_pca(total, _N_COMPONENTS[0])
            continue
        since_first, since_fit = drift(first, total), drift(kept, total)
        anew = since_fit > tolerance
        said.append(f"{since_first:.2%} / {since_fit:.2%}{' (fitted anew)' if anew else ''}")
        if anew:
            kept = fit_pca(total, _N_COMPONENTS[0])
    return said


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--features", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/pca_dimensions.json")
)
def main(features: Path, output: Path) -> None:
    """Measure."""
    paths, labels, matrix = read_real(features)
    summary = FeatureSummary(Moments.of(matrix), FeatureSample.of(paths, labels, matrix))
    lines = [f"{len(paths):,} images of {len(set(labels))} classes", "", *quality_table(summary)]
    parameters = yaml.safe_load((PROJECT / "conf/base/parameters_pca.yml").read_text())["pca"]
    tolerance = parameters["refit_tolerance"]
    at_random = np.random.default_rng(0).permutation(len(paths))
    # The listing's order is that of the classes.
    for name, order in {"at random": at_random, "class by class": np.arange(len(paths))}.items():
        lines.append(f"\nDrift of the first day's axes / of those kept, tolerance {tolerance:.0%}, {name}:")
        lines += [f"  day {i}: {line}" for i, line in enumerate(days(order, matrix, tolerance), start=2)]
    click.echo("\n".join(lines))
    write_results(output, lines)


if __name__ == "__main__":
    main()
