from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.io.core import Version
from pyspark.sql import SparkSession

from fruits_bigdata.datasets.published_table_dataset import PublishedTableDataset
from fruits_bigdata.table_source import source_of, with_source

FIRST = "2026-11-23T01.02.03.004Z"
SECOND = "2026-11-24T01.02.03.004Z"


def table(path: Path, run_id: str | None = None, **options: object) -> PublishedTableDataset:
    return PublishedTableDataset(filepath=str(path), version=Version(None, run_id), **options)  # type: ignore[arg-type]


def batches(*values: int) -> pa.RecordBatchReader:
    schema = pa.schema({"i": pa.int64()})
    return pa.RecordBatchReader.from_batches(
        schema, [pa.RecordBatch.from_pydict({"i": [value]}, schema=schema) for value in values]
    )


def test_each_run_publishes_a_version_that_replaces_the_last(tmp_path: Path, spark: SparkSession) -> None:
    root = tmp_path / "a table"
    table(root, FIRST).save(spark.range(3))
    table(root, SECOND).save(spark.range(5))
    assert [path.name for path in root.iterdir()] == ["version=20261124T010203004Z"]
    assert table(root).load().columns == ["id"]
    assert table(root).load().count() == 5


@pytest.mark.usefixtures("spark")
def test_arrow_batches_are_published_the_same_way(tmp_path: Path) -> None:
    table(tmp_path / "t", FIRST).save(batches(1, 2, 3))
    assert sorted(row["i"] for row in table(tmp_path / "t").load().collect()) == [1, 2, 3]


def test_other_readers_find_one_table_with_a_version_column(tmp_path: Path, spark: SparkSession) -> None:
    table(tmp_path / "t", FIRST).save(spark.range(3))
    read = pd.read_parquet(tmp_path / "t")
    assert list(read["version"].unique()) == ["20261123T010203004Z"]
    by_spark = spark.read.parquet(str(tmp_path / "t"))
    assert {row["version"] for row in by_spark.collect()} == {"20261123T010203004Z"}


def test_a_version_that_is_not_whole_is_not_read_and_goes_with_the_next(
    tmp_path: Path, spark: SparkSession
) -> None:
    root = tmp_path / "t"
    table(root, FIRST).save(spark.range(3))
    unfinished = root / "version=20991231T000000000Z"
    spark.range(9).write.parquet(str(unfinished))
    (unfinished / "_SUCCESS").unlink()
    assert table(root).load().count() == 3
    table(root, SECOND).save(spark.range(4))
    assert [path.name for path in root.iterdir()] == ["version=20261124T010203004Z"]


def test_the_old_version_stays_when_the_new_one_fails(tmp_path: Path, spark: SparkSession) -> None:
    root = tmp_path / "t"
    table(root, FIRST).save(spark.range(3))

    def torn():  # type: ignore[no-untyped-def]
        yield pa.RecordBatch.from_pydict({"i": [1]})
        raise RuntimeError("torn")

    with pytest.raises(DatasetError, match="torn"):
        table(root, SECOND).save(pa.RecordBatchReader.from_batches(pa.schema({"i": pa.int64()}), torn()))
    assert table(root).load().count() == 3


def test_the_newest_of_several_whole_versions_is_read(tmp_path: Path, spark: SparkSession) -> None:
    root = tmp_path / "t"
    # What a run leaves that dies before it has removed what it replaced.
    for day in (25, 28, 23, 27, 24, 26):
        spark.range(day).write.parquet(str(root / f"version=202611{day}T010203004Z"))
    assert table(root).load().count() == 28


def test_only_versions_are_removed(tmp_path: Path, spark: SparkSession) -> None:
    root = tmp_path / "t"
    root.mkdir()
    (root / "README.md").touch()
    table(root, FIRST).save(spark.range(3))
    table(root, SECOND).save(spark.range(5))
    assert sorted(path.name for path in root.iterdir()) == ["README.md", "version=20261124T010203004Z"]


def test_a_run_that_publishes_again_replaces_its_own_version(tmp_path: Path, spark: SparkSession) -> None:
    root = tmp_path / "t"
    for n in (3, 5):
        table(root, FIRST).save(spark.range(n))
    assert table(root).load().count() == 5


def test_the_catalog_hands_over_the_run_id(tmp_path: Path, spark: SparkSession) -> None:
    kind = "fruits_bigdata.datasets.published_table_dataset.PublishedTableDataset"
    entry = {"type": kind, "filepath": f"{tmp_path}/t"}
    DataCatalog.from_config({"t": entry}, save_version=FIRST).save("t", spark.range(3))
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["version=20261123T010203004Z"]


def test_a_table_made_from_the_same_is_not_published_again(tmp_path: Path, spark: SparkSession) -> None:
    root = tmp_path / "t"
    rows = with_source(spark.range(3), "made from é")
    table(root, FIRST).save(rows)
    assert source_of(table(root).load()) == "made from é"
    # What a run leaves that dies while it writes goes all the same.
    (root / "version=20991231T000000000Z").mkdir()
    table(root, SECOND).save(table(root).load())
    assert [path.name for path in root.iterdir()] == ["version=20261123T010203004Z"]
    table(root, SECOND).save(with_source(spark.range(5), "made from more"))
    assert [path.name for path in root.iterdir()] == ["version=20261124T010203004Z"]
    assert source_of(table(root).load()) == "made from more"
    assert pd.read_parquet(root)["id"].nunique() == 5
    # A table that says nothing of itself is published each time.
    table(root, "2026-11-25T01.02.03.004Z").save(spark.range(4))
    assert source_of(table(root).load()) is None
    assert table(root).load().count() == 4


@pytest.mark.parametrize("damage", ["removed", "cut off", "added"])
def test_a_table_whose_files_have_changed_is_published_again(
    tmp_path: Path, spark: SparkSession, damage: str
) -> None:
    root = tmp_path / "t"
    rows = with_source(spark.range(100).repartition(2), "the same")
    table(root, FIRST).save(rows)
    file = next(root.glob("version=*/*.parquet"))
    match damage:
        case "removed":
            file.unlink()
        case "cut off":
            file.write_bytes(file.read_bytes()[:-1])
        case "added":
            file.with_name("part-9.parquet").write_bytes(file.read_bytes())
    table(root, SECOND).save(rows)
    assert [path.name for path in root.iterdir()] == ["version=20261124T010203004Z"]
    assert table(root).load().count() == 100
    assert source_of(table(root).load()) == "the same"


def test_before_anything_is_published_a_table_may_be_empty(tmp_path: Path, spark: SparkSession) -> None:
    seen = table(tmp_path / "t", schema="PCA_SCHEMA", may_be_missing=True).load()
    assert (seen.columns, seen.count(), source_of(seen)) == (["path", "label", "pca"], 0, None)


def test_nothing_published_says_what_to_run(tmp_path: Path) -> None:
    assert not table(tmp_path / "t").exists()
    with pytest.raises(DatasetError, match=r"Nothing has been published in .*/t yet"):
        table(tmp_path / "t").load()


def test_labels_come_unharmed_through_csv(tmp_path: Path, spark: SparkSession) -> None:
    import yaml

    text = (Path(__file__).parents[2] / "conf/base/catalog.yml").read_text()
    entry = yaml.safe_load(text)["pca_csv"]
    labels = [
        'a "b" c',
        "x,y",
        " spaces ",
        "new\nline",
        "\\",
        'ends with \\"',
        "",
        "é",
        "'",
        "#",
        "007",
        "NaN",
        "\t",
    ]
    csv = table(
        tmp_path / "t", FIRST, file_format="csv", load_args=entry["load_args"], save_args=entry["save_args"]
    )
    csv.save(
        spark.createDataFrame([(label, 0.1) for label in labels], "label string, pca_00 float").coalesce(1)
    )
    assert sorted(row["label"] or "" for row in csv.load().collect()) == sorted(labels)
    (file,) = (tmp_path / "t").glob("version=*/*.csv")
    read = pd.read_csv(file, keep_default_na=False, dtype={"label": str})
    assert sorted(read["label"]) == sorted(labels)
    assert set(read["pca_00"]) == {0.1}
