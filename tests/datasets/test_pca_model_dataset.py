from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from fruits_bigdata.datasets.pca_model_dataset import PcaModelDataset
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import Coverage, fit_pca


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_the_model_comes_back_as_it_was_saved(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = str(tmp_path) if where == "disk" else request.getfixturevalue("bucket")
    dataset = PcaModelDataset(filepath=f"{root}/models/pca_model.npz")
    with pytest.raises(DatasetError, match=r"no PCA model at .*kedro run --pipelines pca"):
        dataset.load()
    assert not dataset.exists()
    rows = np.random.default_rng(0).normal(size=(20, 8))
    for n_components in (5, 3):
        coverage = Coverage(frozenset({"é.parquet", "b.parquet"}), "3 -7")
        model = replace(fit_pca(Moments.of(rows), n_components, featurizer="abc"), coverage=coverage)
        dataset.save(model)
        loaded = dataset.load()
        assert loaded is not None
        np.testing.assert_array_equal(loaded.components_, model.components_)
        assert loaded.coverage == coverage
    assert dataset.exists()


def test_a_model_may_be_missing_where_one_is_looked_for(tmp_path: Path) -> None:
    assert PcaModelDataset(filepath=f"{tmp_path}/pca_model.npz", may_be_missing=True).load() is None
