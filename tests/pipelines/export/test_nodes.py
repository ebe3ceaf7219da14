from itertools import chain

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col, lit

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.pipelines.export.nodes import ExportError, ExportParameters, check_export, flatten_scores
from fruits_bigdata.pipelines.pca.nodes import project_features
from fruits_bigdata.table_source import source_of, with_source

PARAMETERS = ExportParameters(rows_per_csv_file=1_000)


@pytest.fixture(scope="module")
def pca_model(matrix: np.ndarray) -> PcaModel:
    return fit_pca(Moments.of(matrix), 12)


@pytest.fixture(scope="module")
def pca(features: DataFrame, images: DataFrame, pca_model: PcaModel, no_scores: DataFrame) -> DataFrame:
    return project_features(features, images, pca_model, no_scores).persist()


@pytest.fixture(scope="module")
def flat(pca: DataFrame, pca_model: PcaModel) -> DataFrame:
    return flatten_scores(pca, pca_model, PARAMETERS).persist()


def test_scores_become_columns_in_one_sorted_file(pca: DataFrame, flat: DataFrame) -> None:
    assert flat.columns == ["path", "label"] + [f"pca_{i:02d}" for i in range(12)]
    assert flat.rdd.getNumPartitions() == 1
    rows = flat.collect()
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    scores = {row["path"]: (row["label"], *row["pca"]) for row in pca.collect()}
    assert {row["path"]: tuple(row)[1:] for row in rows} == scores


def test_many_rows_are_spread_over_files_that_follow_each_other(pca: DataFrame, pca_model: PcaModel) -> None:
    flat = flatten_scores(pca, pca_model, ExportParameters(rows_per_csv_file=30))
    parts = flat.rdd.map(lambda row: row["path"]).glom().collect()
    assert len(parts) == 3
    paths = list(chain.from_iterable(parts))
    assert len(paths) == 80
    assert paths == sorted(paths)


def test_the_csv_is_known_by_what_it_is_made_from(
    pca: DataFrame, pca_model: PcaModel, flat: DataFrame
) -> None:
    assert source_of(flat) is None
    known = with_source(pca, "these rows")
    in_one, in_many = (
        source_of(flatten_scores(known, pca_model, ExportParameters(rows_per_csv_file=n)))
        for n in (1_000, 30)
    )
    assert in_one is not None
    assert in_one != in_many
    assert source_of(flatten_scores(known, pca_model, PARAMETERS)) == in_one
    assert source_of(flatten_scores(with_source(pca, "others"), pca_model, PARAMETERS)) != in_one


def test_tables_that_agree_pass(
    features: DataFrame, images: DataFrame, pca: DataFrame, flat: DataFrame
) -> None:
    assert check_export(features, images, pca, flat) == {"features": 80, "pca": 80, "pca_csv": 80}


def test_a_stale_row_of_the_features_is_not_missed_elsewhere(
    features: DataFrame, images: DataFrame, pca: DataFrame, flat: DataFrame
) -> None:
    listed = images.where("label != 'class 1'")
    some, some_flat = pca.where("label != 'class 1'"), flat.where("label != 'class 1'")
    assert check_export(features, listed, some, some_flat) == {"features": 60, "pca": 60, "pca_csv": 60}


def test_a_missing_row_fails_the_run(
    features: DataFrame, images: DataFrame, pca: DataFrame, flat: DataFrame
) -> None:
    with pytest.raises(ExportError, match=r"1 images are not .*'class 0/000.jpg': .*0 in pca_csv"):
        check_export(features, images, pca, flat.where(col("path") != "class 0/000.jpg"))
    with pytest.raises(ExportError, match=r"'class 0/000.jpg': .*0 in pca,"):
        check_export(features, images, pca.where(col("path") != "class 0/000.jpg"), flat)


def test_a_double_row_fails_the_run(
    features: DataFrame, images: DataFrame, pca: DataFrame, flat: DataFrame
) -> None:
    with pytest.raises(ExportError, match="2 in pca,"):
        check_export(features, images, pca.union(pca.where(col("path") == "class 0/000.jpg")), flat)


def test_another_name_fails_the_run_though_the_number_of_rows_is_right(
    features: DataFrame, images: DataFrame, pca: DataFrame, flat: DataFrame
) -> None:
    renamed = flat.replace("class 0/000.jpg", "class 0/other.jpg", "path")
    with pytest.raises(ExportError, match="2 images are not"):
        check_export(features, images, pca, renamed)


def test_nothing_at_all_agrees(
    features: DataFrame, images: DataFrame, pca: DataFrame, flat: DataFrame
) -> None:
    nothing = lit(False)
    counts = check_export(features, images.where(nothing), pca.where(nothing), flat.where(nothing))
    assert counts == {"features": 0, "pca": 0, "pca_csv": 0}


def test_the_check_leaves_nothing_in_memory(
    spark: SparkSession, features: DataFrame, images: DataFrame, pca: DataFrame, flat: DataFrame
) -> None:
    def n_persisted() -> int:
        return int(spark.sparkContext._jsc.getPersistentRDDs().size())

    # Rows that no other test checks: an equal plan would find what another has left.
    kept = "label != 'class 2'"
    tables = images.where(kept), pca.where(kept), flat.where(kept)
    assert [table.count() for table in tables] == [60, 60, 60]
    before = n_persisted()
    check_export(features, *tables)
    assert n_persisted() == before


@pytest.mark.parametrize("wrong", [{"rows_per_csv_file": 0}, {"rows_per_csv_file": 10, "rows_per_file": 10}])
def test_a_wrong_parameter_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=list(wrong)[-1]):
        ExportParameters(**wrong)
