"""Hold the results of a run against the references: counts, Keras' features, other PCAs, another run.

    python benchmarks/verify_run.py data --reference reference_features.npz --against other_output

Prints a line for each check, with its figure, and ends with 1 if one fails.
"""

import json
import sys
from pathlib import Path

import click
import numpy as np
import pandas as pd
from pyspark.ml.feature import PCA as SparkMlPca  # noqa: N811
from pyspark.ml.functions import array_to_vector
from sklearn.decomposition import PCA

from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.spark_session import create_session


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


def read(output: Path, table: str) -> pd.DataFrame:
    """Return a table of a run, sorted by path; a store without a row has no folder."""
    folder = output / table
    if not folder.exists():
        return pd.DataFrame({"path": []})
    return pd.read_parquet(folder).sort_values("path", ignore_index=True)


def read_csv(output: Path) -> pd.DataFrame:
    """Return the CSV of a run, sorted by path."""
    files = (output / "07_model_output/pca_csv").glob("version=*/*.csv")
    return pd.concat(map(pd.read_csv, files)).sort_values("path", ignore_index=True)


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
    images, features = read(output, "02_intermediate/images"), read(output, "04_feature/features")
    rejected, pca, csv = (
        read(output, "04_feature/rejected"),
        read(output, "07_model_output/pca"),
        read_csv(output),
    )
    model = PcaModel.load(output / "06_models/pca_model.npz")
    n = len(features)

    checks.note(
        sorted([*features["path"], *rejected["path"]]) == list(images["path"]),
        f"{len(images):,} listed = {n:,} features + {len(rejected):,} rejected, path by path",
    )
    checks.note(
        csv.shape == (n, 2 + model.n_components_),
        f"pca_csv has {csv.shape[0]:,} rows, {csv.shape[1]} columns",
    )
    scores = np.stack(pca["pca"])
    same = list(csv["path"]) == list(pca["path"]) and list(csv["label"]) == list(pca["label"])
    checks.note(
        same and (csv.filter(like="pca_").to_numpy(np.float32) == scores).all(), "pca_csv holds pca's values"
    )

    matrix = np.stack(features["features"])
    if reference is not None:
        with np.load(reference) as arrays:
            expected = dict(zip(map(str, arrays["paths"]), arrays["features"], strict=True))
        ours = dict(zip(features["path"], matrix, strict=True))
        # The reference's paths begin with the folder of the split.
        found = [
            (ours[path], row)
            for path, row in ((p.split("/", 1)[1], r) for p, r in expected.items())
            if path in ours
        ]
        checks.below(
            max(np.abs(a - b).max() for a, b in found), 1e-4, f"{len(found)} reference images, features"
        )

    theirs = PCA(model.n_components_, svd_solver="full").fit(matrix.astype(np.float64))
    ratios = model.explained_variance_ratio_
    checks.below(
        np.abs(ratios - theirs.explained_variance_ratio_).max(),
        1e-6,
        "ratios against scikit-learn's full solver",
    )
    cosines = np.abs((model.components_ * theirs.components_).sum(axis=1))
    checks.below(float((1 - cosines).max()), 1e-9, "1 - cosine of components against scikit-learn's")
    checks.below(np.abs(scores - theirs.transform(matrix)).max(), 1e-4, "scores against scikit-learn's")
    spark = create_session(
        {"spark.master": "local[*,4]", "spark.ui.enabled": False, "spark.driver.memory": "4g"}
    )
    vectors = spark.read.parquet(str(output / "04_feature/features")).select(
        array_to_vector("features").alias("x")
    )
    spark_ml = SparkMlPca(k=model.n_components_, inputCol="x", outputCol="y").fit(vectors)
    checks.below(
        np.abs(ratios - spark_ml.explainedVariance.toArray()).max(),
        1e-6,
        "ratios against pyspark.ml.feature.PCA",
    )
    spark.stop()

    if against is not None:
        other = read(against, "04_feature/features")
        checks.note(
            features.drop(columns="features").equals(other.drop(columns="features")), "another run: same rows"
        )
        checks.below(np.abs(matrix - np.stack(other["features"])).max(), 0, "another run: features")
        other_scores = np.stack(read(against, "07_model_output/pca")["pca"])
        checks.below(np.abs(scores - other_scores).max(), 1e-5, "another run: scores")
        print(f"       {100 * (scores == other_scores).mean():.3f} % of the scores are equal to the last bit")
        checks.note(
            csv.drop(columns=list(csv.filter(like="pca_"))).equals(read_csv(against)[["path", "label"]]),
            "another run: CSV rows",
        )

    said = json.loads((output / "08_reporting/metrics.json").read_text())["featurization"]
    if said["workers"]:
        made, workers = said["interpreters_made"], len(said["workers"])
        checks.note(
            made == workers,
            f"{said['broadcast_bytes']:,} bytes broadcast; {made} interpreters, {workers} workers",
        )
        checks.below(
            max(w["peak_memory_mb"] for w in said["workers"]), 300, "peak memory of a Python worker, MB"
        )
    sys.exit(0 if checks.all_hold else 1)


if __name__ == "__main__":
    main()
