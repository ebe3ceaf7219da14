from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fruits_bigdata.datasets.scores_csv_dataset import ScoresCsvDataset
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.pipelines.export import nodes
from fruits_bigdata.pipelines.export.nodes import ExportError, check_export, flatten_scores
from fruits_bigdata.pipelines.pca.nodes import project_features
from fruits_bigdata.tables.comparison import rows_with
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.rewriting import rewrite
from tests.pipelines.conftest import reject

FIRST = "class 0/000.jpg"


@pytest.fixture(scope="module")
def pca_model(matrix) -> PcaModel:
    return fit_pca(Moments.of(matrix), 12)


@pytest.fixture
def pca(features, pca_model, no_scores) -> Table:
    no_scores.commit(project_features(features, pca_model, no_scores))
    return no_scores


def as_csv(pca: Table, pca_model: PcaModel, folder: Path) -> pd.DataFrame:
    ScoresCsvDataset(filepath=str(folder)).save(flatten_scores(pca, pca_model))
    return pd.read_csv(folder / "pca.csv")


@pytest.mark.parametrize("max_sorted", [80, 79])
def test_scores_become_columns_sorted_unless_they_are_too_many(
    pca, pca_model, tmp_path, monkeypatch, max_sorted
):
    monkeypatch.setattr(nodes, "_MAX_SORTED_ROWS", max_sorted)
    csv = as_csv(pca, pca_model, tmp_path / "csv")
    assert list(csv.columns) == ["path", "label"] + [f"pca_{i:02d}" for i in range(12)]
    assert list(csv["path"]) == sorted(csv["path"]) or max_sorted < 80
    rows = pca.to_pandas().set_index("path").loc[csv["path"]]
    assert list(csv["label"]) == list(rows["label"])
    np.testing.assert_array_equal(csv.filter(like="pca_").to_numpy(np.float32), np.stack(rows["pca"]))


def test_the_csv_is_known_by_the_version_that_it_is_made_from(pca, pca_model):
    source = flatten_scores(pca, pca_model).source
    assert flatten_scores(Table(pca.url, pca.schema), pca_model).source == source
    pca.commit(Change(pca, metadata={"something": "else"}))
    assert flatten_scores(pca, pca_model).source != source


def check(images: Table, features: Table, rejected: Table, pca: Table, **changes: Any) -> dict[str, int]:
    csv = changes.get("csv", pca.read(["path"]).column("path"))
    return check_export(images, features, rejected, pca, csv, {"postponed": changes.get("postponed", 0)})


def test_tables_that_agree_pass(images, features, rejected, pca):
    assert check(images, features, rejected, pca) == {"features": 80, "pca": 80, "pca_csv": 80}


def without(table: Table, path: str) -> Table:
    """Take the row of an image out."""
    stale = rows_with(table, pa.array([path]))
    table.commit(Change(table, *rewrite(table, stale, lambda f, parts, _: [*map(f, parts)])))
    return table


def test_what_is_missing_is_counted_and_named(images, features, rejected, pca):
    csv = pca.read(["path"]).column("path")
    with pytest.raises(ExportError, match=r"1 images are in features and not in pca_csv.*'class 0/000"):
        check(images, features, rejected, pca, csv=csv.filter(pa.compute.not_equal(csv, FIRST)))
    without(pca, FIRST)
    with pytest.raises(ExportError, match=r"1 images are in features and not in pca,.*start `kedro run`"):
        check(images, features, rejected, pca)


def test_what_is_foreign_or_double_is_named(images, features, rejected, pca):
    csv = pca.read(["path"]).column("path")
    foreign = pa.chunked_array([*csv.chunks, pa.array(["foreign.jpg"])])
    with pytest.raises(ExportError, match=r"1 images are in pca_csv and not in features, such as 'foreign"):
        check(images, features, rejected, pca, csv=foreign)
    double = pa.chunked_array([*csv.chunks, pa.array([FIRST])])
    with pytest.raises(ExportError, match=r"1 images have several rows in pca_csv, such as 'class 0/000"):
        check(images, features, rejected, pca, csv=double)


def test_every_listed_image_has_features_or_a_reason(images, features, rejected, pca):
    with pytest.raises(ExportError, match="features and rejected and not in images, such as 'class 0/000"):
        check(without(images, FIRST), features, rejected, pca)


def test_what_is_neither_is_noticed_unless_limit_left_it(images, store, rejected, no_scores, pca_model):
    features = store(range(1, 79))
    no_scores.commit(project_features(features, pca_model, no_scores))
    with pytest.raises(ExportError, match="2 images are in images and not in features and rejected, and 0"):
        check(images, features, rejected, no_scores)
    assert check(images, features, rejected, no_scores, postponed=2)["pca"] == 78
    reject(rejected, [0], "empty file")
    assert check(images, features, rejected, no_scores, postponed=1)["features"] == 78
    # One that is both is neither.
    reject(rejected, [1], "empty file")
    with pytest.raises(ExportError, match="1 images have several rows in features and rejected"):
        check(images, features, rejected, no_scores, postponed=1)
