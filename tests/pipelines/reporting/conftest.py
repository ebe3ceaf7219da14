"""What the nodes of the report hand to each other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fruits_bigdata.linalg.classes import choose_neighbours, measure_classes
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.pipelines.pca.nodes import project_features
from fruits_bigdata.pipelines.reporting.nodes import measure_pca_quality
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import PCA_SCHEMA

LABELS = ("class 0", "class 1", "class 2", "class 3")


def fit(matrix: np.ndarray, n_components: int, labels: Sequence[str] = LABELS) -> PcaModel:
    """Fit a model to images of some classes in turn."""
    names = [labels[i % len(labels)] for i in range(len(matrix))]
    paths = [f"{name}/{i:03d}.jpg" for i, name in enumerate(names)]
    summary = FeatureSummary(Moments.of(matrix), FeatureSample.of(paths, names, matrix.astype(np.float32)))
    return replace(fit_pca(summary.moments, n_components, featurizer="f1"), summary=summary)


def points_of(model: PcaModel) -> pd.DataFrame:
    """Return what `sample_points` makes of the model's own sample."""
    assert model.summary is not None
    sample = model.summary.sample
    scores = np.pad(model.transform(sample.features), ((0, 0), (0, 2)))[:, :3]
    return pd.DataFrame(scores, columns=["pc1", "pc2", "pc3"]).assign(path=sample.paths, label=sample.labels)


@pytest.fixture(scope="session")
def pca_model(matrix) -> PcaModel:
    return fit(matrix, 12)


@pytest.fixture(scope="session")
def pca_quality(pca_model) -> dict[str, Any]:
    return measure_pca_quality(pca_model)


@pytest.fixture(scope="session")
def class_quality(pca_model) -> dict[str, Any]:
    return measure_classes(pca_model)


@pytest.fixture(scope="session")
def neighbour_examples(pca_model) -> dict[str, Any]:
    return choose_neighbours(pca_model)


@pytest.fixture(scope="session")
def pca(features, pca_model, tmp_path_factory) -> Table:
    table = Table(str(tmp_path_factory.mktemp("scores") / "pca"), PCA_SCHEMA)
    table.commit(project_features(features, pca_model, table))
    return table
