from dataclasses import replace

import numpy as np
import pytest
from kedro.io import DatasetError

from fruits_bigdata.datasets.pca_model_dataset import PcaModelDataset
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_the_model_comes_back_as_it_was_saved(where, tmp_path, request):
    root = str(tmp_path) if where == "disk" else request.getfixturevalue("bucket")
    dataset = PcaModelDataset(filepath=f"{root}/models/pca_model.npz")
    with pytest.raises(DatasetError, match=r"no PCA model at .*kedro run --pipelines pca"):
        dataset.load()
    assert not dataset.exists()
    rows = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    names = [f"é {i}\n.jpg" for i in range(20)]
    summary = FeatureSummary(Moments.of(rows), FeatureSample.of(names, names, rows), "a table@3")
    for n_components in (5, 3):
        fitted = fit_pca(summary.moments, n_components, featurizer="abc")
        model = replace(fitted, summary=summary, fitted_with="{}")
        dataset.save(model)
        loaded = dataset.load()
        assert loaded is not None
        np.testing.assert_array_equal(loaded.components_, model.components_)
        assert (loaded.name, loaded.n_samples_, loaded.fitted_with) == (model.name, 20, "{}")
        assert loaded.summary is not None
        assert loaded.summary.state == "a table@3"
        assert loaded.summary.sample.paths == summary.sample.paths
        np.testing.assert_array_equal(loaded.summary.sample.features, summary.sample.features)
        np.testing.assert_array_equal(loaded.summary.moments.gram, summary.moments.gram)
    assert dataset.exists()


def test_each_model_stays_on_record_without_what_it_knew_of_the_features(tmp_path):
    dataset = PcaModelDataset(filepath=f"{tmp_path}/pca_model.npz", record=f"{tmp_path}/pca_models")
    rows = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    summary = FeatureSummary(Moments.of(rows), FeatureSample.of(["1"] * 20, ["a"] * 20, rows))
    models = [replace(fit_pca(summary.moments, k), summary=summary) for k in (5, 3)]
    for model in (*models, models[1]):
        dataset.save(model)
    assert sorted(path.stem for path in (tmp_path / "pca_models").iterdir()) == sorted(m.name for m in models)
    first = PcaModel.load(tmp_path / f"pca_models/{models[0].name}.npz")
    np.testing.assert_array_equal(first.transform(rows), models[0].transform(rows))
    assert (first.name, first.summary) == (models[0].name, None)


def test_a_model_may_be_missing_where_one_is_looked_for(tmp_path):
    assert PcaModelDataset(filepath=f"{tmp_path}/pca_model.npz", may_be_missing=True).load() is None
