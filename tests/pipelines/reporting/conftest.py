"""What the nodes of the report hand to each other."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fruits_bigdata.linalg.classes import choose_neighbours, measure_classes
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.pipelines.pca.nodes import project_features
from fruits_bigdata.pipelines.reporting.nodes import measure_pca_quality
from fruits_bigdata.schemas import PCA_SCHEMA
from fruits_bigdata.tables.delta import Table

Fit = Callable[[np.ndarray, int], PcaModel]


@pytest.fixture(scope="session")
def fit() -> Fit:
    """Fit a model to images of four classes in turn."""

    def fitted(matrix: np.ndarray, n_components: int) -> PcaModel:
        names = [f"class {i % 4}" for i in range(len(matrix))]
        sample = FeatureSample.of(
            [f"{name}/{i:03d}.jpg" for i, name in enumerate(names)], names, matrix.astype(np.float32)
        )
        summary = FeatureSummary(Moments.of(matrix), sample)
        return replace(fit_pca(summary.moments, n_components, featurizer="f1"), summary=summary)

    return fitted


@pytest.fixture(scope="session")
def pca_model(fit: Fit, matrix: np.ndarray) -> PcaModel:
    return fit(matrix, 12)


@pytest.fixture(scope="session")
def pca_quality(pca_model: PcaModel) -> dict[str, Any]:
    return measure_pca_quality(pca_model)


@pytest.fixture(scope="session")
def class_quality(pca_model: PcaModel) -> dict[str, Any]:
    return measure_classes(pca_model)


@pytest.fixture(scope="session")
def neighbour_examples(pca_model: PcaModel) -> dict[str, Any]:
    return choose_neighbours(pca_model)


@pytest.fixture(scope="session")
def pca(features: Table, pca_model: PcaModel, tmp_path_factory: pytest.TempPathFactory) -> Table:
    table = Table(str(tmp_path_factory.mktemp("scores") / "pca"), PCA_SCHEMA)
    table.commit(project_features(features, pca_model, table))
    return table
