from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from fruits_bigdata.datasets.pca_model_dataset import PcaModelDataset
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import fit_pca


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
        model = fit_pca(Moments.of(rows), n_components, featurizer="abc")
        dataset.save(model)
        np.testing.assert_array_equal(dataset.load().components_, model.components_)
    assert dataset.exists()
