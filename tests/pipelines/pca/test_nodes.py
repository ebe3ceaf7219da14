from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.decomposition import PCA

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaError, PcaModel, fit_pca
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.pipelines.parameters import PcaParameters
from fruits_bigdata.pipelines.pca import nodes
from fruits_bigdata.pipelines.pca.nodes import fit_pca_model, project_features, summarize_features
from fruits_bigdata.tables.comparison import rows_with
from fruits_bigdata.tables.data_files import DataFile
from fruits_bigdata.tables.delta import Change, DamagedTableError, Table
from fruits_bigdata.tables.rewriting import merge_small_files, rewrite
from fruits_bigdata.tables.schemas import REJECTED_SCHEMA
from tests.pipelines.conftest import open_store, reject

PARAMETERS = PcaParameters(n_components=20, solver="moments", scale="none")


@pytest.fixture(scope="module")
def summary(features) -> FeatureSummary:
    return summarize_features(features, None)


@pytest.fixture(scope="module")
def pca_model(summary, features) -> PcaModel:
    return fit(summary, features)


def fit(
    summary: FeatureSummary, features: Table, before: PcaModel | None = None, **changes: object
) -> PcaModel:
    """Fit with other parameters."""
    return fit_with_report(summary, features, before, **changes)[0]


def fit_with_report(
    summary: FeatureSummary, features: Table, before: PcaModel | None, **changes: object
) -> tuple[PcaModel, dict[str, object]]:
    parameters = PARAMETERS.model_copy(update=changes)
    nobody = Table(f"{features.url}-rejected", REJECTED_SCHEMA)
    return fit_pca_model(summary, features, nobody, before, parameters)


@pytest.fixture(scope="module")
def scikit_learn(matrix) -> PCA:
    return PCA(20, svd_solver="full").fit(matrix.astype(np.float64))


def scores(pca: Table) -> np.ndarray:
    """Return the scores in the order of the images' numbers."""
    rows = pca.to_pandas()
    rows["number"] = [int(path.rsplit("/")[-1].split(".")[0]) for path in rows["path"]]
    return np.stack(rows.sort_values("number")["pca"])


def remove(features: Table, *paths: str) -> None:
    stale = rows_with(features, pa.array(paths))
    features.commit(Change(features, *rewrite(features, stale, lambda f, parts, _: [*map(f, parts)])))


def test_moments_are_those_of_all_files(anywhere, features, matrix):
    summary = summarize_features(features, None)
    moments = summary.moments
    assert moments.n == len(matrix)
    np.testing.assert_allclose(moments.sum, matrix.astype(np.float64).sum(axis=0), rtol=1e-12)
    expected = matrix.T.astype(np.float64) @ matrix.astype(np.float64)
    np.testing.assert_allclose(moments.gram, expected, rtol=1e-11)
    assert summary.state == features.state


def test_no_features_have_no_moments(store, rejected):
    none = store([])
    nothing = summarize_features(none, None)
    assert nothing.moments.n == 0
    with pytest.raises(PcaError, match=r"^No image has features$"):
        fit_pca_model(nothing, none, rejected, None, PARAMETERS)
    reject(rejected, list(range(80)), "damaged: why")
    with pytest.raises(
        PcaError, match=r"No image has features\. Rejected: 80 damaged \(such as 'class 0/000"
    ):
        fit_pca_model(nothing, none, rejected, None, PARAMETERS)


def test_rows_that_the_log_does_not_count_are_noticed(store):
    table = store()
    (file,) = table.files.values()
    table.files[file.name] = replace(file, rows=81)
    with pytest.raises(DamagedTableError, match=r"hold 80 rows, and its log says 81.*repair=true"):
        summarize_features(table, None)


def test_the_model_equals_scikit_learns(pca_model, scikit_learn):
    assert pca_model.featurizer == "f1"
    np.testing.assert_allclose(pca_model.components_, scikit_learn.components_, atol=1e-9)
    np.testing.assert_allclose(
        pca_model.explained_variance_ratio_, scikit_learn.explained_variance_ratio_, atol=1e-9
    )


def test_a_share_of_the_variance(summary, features, matrix):
    model = fit(summary, features, n_components=0.9)
    assert model.n_components_ == PCA(0.9, svd_solver="full").fit(matrix.astype(np.float64)).n_components_


@pytest.mark.parametrize("scale", ["none", "std"])
def test_scores_are_centred_and_equal_the_models_own(
    anywhere, features, summary, no_scores, scikit_learn, matrix, scale
):
    model = fit(summary, features, scale=scale)
    assert (model.scale_ == 1).all() == (scale == "none")
    no_scores.commit(project_features(features, model, no_scores))
    rows = no_scores.read()
    assert rows.schema.names == ["path", "label", "model", "pca"]
    assert set(rows.column("model").to_pylist()) == {model.name} == {no_scores.metadata["model"]}
    values = scores(no_scores)
    np.testing.assert_allclose(values, model.transform(matrix), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    if scale == "none":
        np.testing.assert_allclose(values, scikit_learn.transform(matrix.astype(np.float64)), atol=1e-4)


def rows_summed(monkeypatch: pytest.MonkeyPatch, name: str = "_summarize") -> list[int]:
    """Note how many rows each call of a function takes."""
    calls: list[int] = []
    original = getattr(nodes, name)

    def count(table: Table, files: Collection[DataFile], *rest: object) -> object:
        calls.append(sum(file.rows for file in files))
        return original(table, files, *rest)

    monkeypatch.setattr(nodes, name, count)
    return calls


def summarized(features: Table, before: FeatureSummary | None) -> FeatureSummary:
    """Summarize with the model of a run before whose summary was `before`."""
    model = None if before is None else replace(fit_pca(before.moments, 5, featurizer="f1"), summary=before)
    return summarize_features(features, model)


def test_only_the_rows_that_came_are_added_to_the_moments_before(store, matrix, monkeypatch):
    summed = rows_summed(monkeypatch)
    before = summarized(store(range(40)), None)
    assert before.moments.n == 40
    store(range(40, 60))
    after = summarized(store(range(60, 80)), before)
    assert summed == [40, 40]
    np.testing.assert_allclose(after.moments.gram, Moments.of(matrix).gram, rtol=1e-12)
    paths = [f"class {i % 4}/{i:03d}.jpg" for i in range(80)]
    assert after.sample.paths == FeatureSample.of(paths, paths, matrix).paths


def test_after_a_removal_all_rows_are_summed_anew_and_after_a_merge_none(store, matrix, monkeypatch):
    for i in range(70):
        table = store([i])
    before = summarized(table, None)
    summed = rows_summed(monkeypatch)
    merge = merge_small_files(table, lambda f, parts, _: [*map(f, parts)])
    assert merge is not None
    table.commit(merge)
    before = summarized(store(range(70, 80)), before)
    assert summed == [10]
    remove(table := store([]), "class 0/000.jpg")
    after = summarized(table, before)
    assert summed == [10, 79]
    np.testing.assert_allclose(after.moments.sum, matrix[1:].astype(np.float64).sum(axis=0), rtol=1e-12)


def test_moments_that_cannot_be_right_are_summed_anew(store):
    table = store()
    summary = summarized(table, None)
    doubled = replace(summary, moments=summary.moments + summary.moments)
    assert summarized(table, doubled).moments.n == 80
    # So are those of a table that was made anew: its versions have the same numbers.
    assert summarized(table, replace(summary, state=f"another@{table.version}")).moments.n == 80


@pytest.fixture
def shifted(tmp_path_factory, matrix) -> Table:
    """The features of other fruit: the order of the values is another, and so are the best axes."""
    return open_store(tmp_path_factory.mktemp("shifted"), matrix[:, ::-1])()


@pytest.fixture
def some(store) -> FeatureSummary:
    return summarize_features(store([i for i in range(80) if i % 4 != 3]), None)


def test_axes_are_kept_while_they_are_nearly_the_best(summary, features, some, shifted):
    before = fit(some, features)
    grown, report = fit_with_report(summary, features, before, refit_tolerance=1.0)
    assert grown.name == before.name == report["model"]
    assert report["refitted"] is False
    assert 0 < float(str(report["drift"])) < 1
    assert grown.summary is summary
    assert grown.n_samples_ == 60
    # What drifts further than the tolerance is fitted anew.
    anew, report = fit_with_report(summary, features, before, refit_tolerance=0.0)
    assert report["refitted"] is True
    assert (report["model"], report["model_before"]) == (anew.name, before.name)
    np.testing.assert_array_equal(anew.components_, fit(summary, features).components_)
    other = summarize_features(shifted, None)
    assert fit(other, shifted, before).name != before.name
    # Unless it is never to be.
    kept, report = fit_with_report(other, shifted, before, refit="never")
    assert kept.name == before.name
    assert float(str(report["drift"])) > 0.1


def test_refit_always_fits_anew(summary, features, some):
    anew = fit(summary, features, fit(some, features), refit="always", refit_tolerance=1.0)
    np.testing.assert_array_equal(anew.components_, fit(summary, features).components_)


@pytest.mark.parametrize("changes", [{"n_components": 5}, {"scale": "std"}])
def test_axes_that_were_not_asked_for_are_not_kept(pca_model, summary, features, changes):
    assert fit(summary, features, pca_model, **changes).name != pca_model.name
    with pytest.raises(
        PcaError, match=r"refit=never keeps the axes of the model .*give the same, or pca.refit"
    ):
        fit(summary, features, pca_model, refit="never", **changes)


def test_axes_of_other_features_are_not_kept(pca_model, summary, store):
    others = store(featurizer="f2")
    assert fit(summary, others, pca_model).featurizer == "f2"
    with pytest.raises(PcaError, match=r"to features of f1, and this run asks for .* has features of f2"):
        fit(summary, others, pca_model, refit="never")


def test_scores_of_the_same_model_stay_and_only_rows_that_came_are_projected(store, no_scores, monkeypatch):
    projected = rows_summed(monkeypatch, "_project")
    pca, table = no_scores, store(range(40))
    model = fit(summarize_features(table, None), table)
    pca.commit(project_features(table, model, pca))
    version = pca.version
    pca.commit(project_features(table, model, pca))
    assert pca.version == version
    table = store(range(40, 80))
    model = fit(summarize_features(table, model), table, model, refit="never")
    pca.commit(project_features(table, model, pca))
    assert projected == [40, 0, 40]
    assert (pca.rows, len(pca.files)) == (80, 2)
    values = scores(pca)
    whole = Table(f"{pca.url}-whole", pca.schema)
    whole.commit(project_features(table, model, whole))
    np.testing.assert_allclose(values, scores(whole), rtol=1e-6, atol=1e-6)


def test_scores_of_another_model_or_of_rows_that_went_are_made_anew_in_one_commit(store, no_scores):
    pca, table = no_scores, store(range(60))
    model = fit(summarize_features(table, None), table)
    pca.commit(project_features(table, model, pca))
    version = pca.version
    other = fit(summarize_features(table, model), table, n_components=5)
    pca.commit(project_features(table, other, pca))
    assert (pca.version, pca.rows, scores(pca).shape) == ((version or 0) + 1, 60, (60, 5))
    remove(table, "class 0/000.jpg")
    pca.commit(project_features(table, other, pca))
    assert pca.rows == 59
    assert "class 0/000.jpg" not in pca.read(["path"]).column("path").to_pylist()
    # Somebody has taken rows out of the scores.
    lost = next(iter(pca.files))
    pca.commit(Change(pca, removed=[lost]))
    pca.commit(project_features(table, other, pca))
    assert pca.rows == 59


def test_many_files_of_scores_become_one(store, no_scores, monkeypatch):
    monkeypatch.setattr(nodes, "_MAX_SCORES_FILES", 3)
    table = store(range(40))
    model = fit(summarize_features(table, None), table)
    for i in range(40, 46):
        no_scores.commit(project_features(store([i]), model, no_scores))
    assert len(no_scores.files) <= 4
    assert no_scores.rows == 46


def test_solver_spark_ml_is_spark_mls_own(spark, tmp_path_factory):
    # More images than features: the covariance is regular.
    matrix = np.random.default_rng(1).normal(size=(1_400, 1280)).astype(np.float32)
    table = open_store(tmp_path_factory.mktemp("regular"), matrix)(range(1_400))
    summary = summarize_features(table, None)
    for scale in ("none", "std"):
        ours = fit(summary, table, scale=scale, n_components=5)
        theirs = fit(summary, table, scale=scale, n_components=5, solver="spark_ml")
        np.testing.assert_allclose(
            ours.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-12
        )
        np.testing.assert_allclose(ours.components_, theirs.components_, atol=1e-8)
        # They are Spark ML's own, not a copy.
        assert not np.array_equal(ours.components_, theirs.components_)


def test_spark_mls_wrong_answer_is_refused(spark, summary, features, matrix):
    # As if its ratios were those of other rows.
    other = replace(summary, moments=Moments.of(matrix[:40]))
    with pytest.raises(PcaError, match=r"Spark ML's 20 components explain .* is right: .*pca.solver=moments"):
        fit(other, features, solver="spark_ml")
