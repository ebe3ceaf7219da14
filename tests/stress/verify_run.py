"""Hold the results of a run against the references: counts, Keras' features, other PCAs, another run.

    python -m tests.stress.verify_run data --reference reference_features.npz --against other_output

Prints a line for each check, with its figure, and ends with 1 if one fails.
"""

import json
import sys
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.spark.session import create_session
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import FEATURES_SCHEMA
from tests.support.runs import CSV, FEATURES, IMAGES, MODEL, REJECTED, read_table
from tests.support.runs import PCA as SCORES


class Checks:
    """Prints each check and remembers whether all hold."""

    def __init__(self) -> None:
        self.all_hold = True

    def note(self, holds: bool, what: str) -> None:
        """Print one check."""
        self.all_hold &= holds
        print("ok    " if holds else "FAILED", what)

    def below(self, figure: float, limit: float, what: str) -> None:
        """Check that a figure stays within its limit."""
        self.note(bool(figure <= limit), f"{what}: {figure:.2e} (at most {limit:.0e})")


def read_csv(output: Path) -> pd.DataFrame:
    """Return the CSV of a run, sorted by path, its texts without the apostrophe that keeps formulas out."""
    table = pd.read_csv(output / CSV, keep_default_na=False, dtype={"path": str, "label": str})
    for name in ("path", "label"):
        table[name] = table[name].str.replace(r"^'(?=['=+\-@\t\r])", "", regex=True)
    return table.sort_values("path", ignore_index=True)


def check_pca(
    checks: Checks, model: PcaModel, matrix: NDArray[np.float32], scores: NDArray[np.float32]
) -> None:
    """Hold the model and the scores against scikit-learn's."""
    theirs = PCA(model.n_components_, svd_solver="full").fit(matrix.astype(np.float64))
    checks.below(
        np.abs(model.explained_variance_ratio_ - theirs.explained_variance_ratio_).max(),
        1e-6,
        "ratios against scikit-learn's full solver",
    )
    cosines = np.abs((model.components_ * theirs.components_).sum(axis=1))
    checks.below(float((1 - cosines).max()), 1e-9, "1 - cosine of components against scikit-learn's")
    checks.below(np.abs(scores - theirs.transform(matrix)).max(), 1e-4, "scores against scikit-learn's")


def check_spark_ml(checks: Checks, model: PcaModel, features: Table) -> None:
    """Hold the ratios against Spark ML's, if its solver is up to the covariance of so many images."""
    if features.rows <= model.n_features_in_:
        print(
            f"       Spark ML is not compared: the covariance of {features.rows:,} images with "
            f"{model.n_features_in_:,} features is singular, and its solver fails on such"
        )
        return
    from pyspark.ml.feature import PCA as SparkMlPca  # noqa: N811
    from pyspark.ml.functions import array_to_vector

    spark = create_session(
        {"spark.master": "local[*,4]", "spark.ui.enabled": False, "spark.driver.memory": "4g"}
    )
    vectors = spark.read.parquet(features.url).select(array_to_vector("features").alias("x"))
    fitted = SparkMlPca(k=model.n_components_, inputCol="x", outputCol="y").fit(vectors)
    difference = np.abs(model.explained_variance_ratio_ - fitted.explainedVariance.toArray()).max()
    checks.below(difference, 1e-6, "ratios against pyspark.ml.feature.PCA")
    spark.stop()


@click.command(help=__doc__)
@click.argument("output", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--reference", type=click.Path(exists=True, path_type=Path), help="npz with `paths` and `features`."
)
@click.option(
    "--against", type=click.Path(exists=True, path_type=Path), help="The output of a run on the same images."
)
def main(output: Path, reference: Path | None, against: Path | None) -> None:
    """Run the checks."""
    checks = Checks()
    images, features, rejected, pca = (
        read_table(output / name) for name in (IMAGES, FEATURES, REJECTED, SCORES)
    )
    csv, model, n = read_csv(output), PcaModel.load(output / MODEL), len(features)
    report = output / "08_reporting"
    postponed = json.loads((report / "comparison.json").read_text())["postponed"]
    done = pd.concat([features["path"], rejected["path"]])
    checks.note(
        done.is_unique and done.isin(images["path"]).all() and len(images) == len(done) + postponed,
        f"{len(images):,} listed = {n:,} features + {len(rejected):,} rejected + {postponed:,} left by limit",
    )
    checks.note(
        csv.shape == (n, 2 + model.n_components_),
        f"pca_csv has {csv.shape[0]:,} rows, {csv.shape[1]} columns",
    )
    scores = np.stack(pca["pca"])
    same = csv[["path", "label"]].equals(pca[["path", "label"]])
    checks.note(
        same and (csv.filter(like="pca_").to_numpy(np.float32) == scores).all(), "pca_csv holds pca's values"
    )
    checks.note(set(pca["model"]) == {model.name}, f"pca is of the model {model.name}")

    matrix = np.stack(features["features"])
    if reference is not None:
        with np.load(reference) as arrays:
            expected = dict(zip(map(str, arrays["paths"]), arrays["features"], strict=True))
        ours = dict(zip(features["path"], matrix, strict=True))
        # The reference's paths begin with the folder of the split.
        pairs = [(ours[path], row) for p, row in expected.items() if (path := p.split("/", 1)[1]) in ours]
        checks.note(bool(pairs), f"{len(pairs)} images have a reference")
        checks.below(max((np.abs(a - b).max() for a, b in pairs), default=np.inf), 1e-4, "their features")

    check_pca(checks, model, matrix, scores)
    check_spark_ml(checks, model, Table(str(output / FEATURES), FEATURES_SCHEMA))

    if against is not None:
        other = read_table(against / FEATURES)
        checks.note(
            features.drop(columns="features").equals(other.drop(columns="features")), "another run: same rows"
        )
        checks.below(np.abs(matrix - np.stack(other["features"])).max(), 0, "another run: features")
        other_scores = np.stack(read_table(against / SCORES)["pca"])
        checks.below(np.abs(scores - other_scores).max(), 1e-5, "another run: scores")
        print(f"       {100 * (scores == other_scores).mean():.3f} % of the scores are equal to the last bit")
        checks.note(
            csv[["path", "label"]].equals(read_csv(against)[["path", "label"]]), "another run: CSV rows"
        )

    figures = json.loads((report / "metrics.json").read_text())["featurization"]
    if figures["workers"]:
        made, workers = figures["interpreters_made"], len(figures["workers"])
        checks.note(
            made == workers,
            f"{figures['broadcast_bytes']:,} bytes broadcast; {made} interpreters, {workers} workers",
        )
        checks.below(
            max(w["peak_memory_mb"] for w in figures["workers"]), 300, "peak memory of a Python worker, MB"
        )
    sys.exit(0 if checks.all_hold else 1)


if __name__ == "__main__":
    main()
