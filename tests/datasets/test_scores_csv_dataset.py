import io
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kedro.io import DatasetError

from fruits_bigdata.datasets.scores_csv_dataset import ScoresCsv, ScoresCsvDataset

SCHEMA = pa.schema({"path": pa.string(), "label": pa.string(), "pca_00": pa.float32()})


def scores(paths: list[str], source: str = "v1", seed: int = 0) -> ScoresCsv:
    values = np.random.default_rng(seed).normal(size=len(paths)).astype(np.float32)
    columns = [pa.array(paths), pa.array(['é, "1"'] * len(paths)), pa.array(values)]
    return ScoresCsv(source, SCHEMA, [pa.RecordBatch.from_arrays(columns, schema=SCHEMA)])


@pytest.fixture
def dataset(tmp_path) -> ScoresCsvDataset:
    return ScoresCsvDataset(filepath=str(tmp_path / "pca_csv"))


def test_the_csv_is_what_pandas_reads(dataset, tmp_path):
    data = scores(["a", "b,c", 'd"e'])
    dataset.save(data)
    assert set(os.listdir(tmp_path / "pca_csv")) == {"pca.csv", "_source.json"}
    (batch,) = data.batches
    rows = pd.read_csv(tmp_path / "pca_csv" / "pca.csv")
    assert list(rows["path"]) == ["a", "b,c", 'd"e']
    assert list(rows["label"]) == ['é, "1"'] * 3
    np.testing.assert_array_equal(rows["pca_00"].to_numpy(np.float32), batch.column(2).to_numpy())


def test_names_of_every_kind_come_back(dataset, odd_names):
    dataset.save(scores(odd_names))
    assert dataset.load().to_pylist() == odd_names


def test_no_text_is_a_formula_to_a_spreadsheet(dataset, tmp_path):
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'quoted", "a=b", "plain"]
    dataset.save(scores(names))
    text = (tmp_path / "pca_csv" / "pca.csv").read_bytes().decode()
    cells = pd.read_csv(io.StringIO(text, newline=""), dtype=str)["path"]
    assert not any(cell[0] in "=+-@\t\r" for cell in cells)
    assert list(cells[-2:]) == ["a=b", "plain"]
    assert dataset.load().to_pylist() == names


def test_what_was_made_from_the_same_is_left(dataset, tmp_path):
    file = tmp_path / "pca_csv" / "pca.csv"
    dataset.save(scores(["a"]))
    before = file.stat().st_ino
    dataset.save(scores(["b"]))
    assert (file.stat().st_ino, dataset.load().to_pylist()) == (before, ["a"])
    dataset.save(scores(["b"], source="v2"))
    assert dataset.load().to_pylist() == ["b"]
    # One that was cut, or lost its note, is written again.
    os.truncate(file, 3)
    dataset.save(scores(["b"], source="v2"))
    assert dataset.load().to_pylist() == ["b"]
    for damage in ("", "{", '{"source": 1}'):
        (file.parent / "_source.json").write_text(damage)
        file.write_text("else")
        dataset.save(scores(["b"], source="v2"))
        assert dataset.load().to_pylist() == ["b"]


def test_a_csv_that_is_not_there_is_named(dataset):
    assert not dataset.exists()
    with pytest.raises(DatasetError, match=r"pca\.csv: run `kedro run --pipelines export` first"):
        dataset.load()


def test_on_s3_too(bucket):
    dataset = ScoresCsvDataset(filepath=f"{bucket}/Results_CSV")
    dataset.save(scores(["a", "b"]))
    assert dataset.load().to_pylist() == ["a", "b"]
    assert dataset.exists()
