"""What the documents name is there, and their samples run."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fruits_bigdata.datasets.scores_csv_dataset import ScoresCsv, ScoresCsvDataset
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import FEATURES_SCHEMA, LABEL, PATH, PCA_SCHEMA, pca_column_names
from tests.support.commands import PROJECT

PATHS = ["Apple Braeburn/1.jpg", "'=1+1.jpg", "007/-2.jpg"]


@pytest.mark.parametrize("document", ["gdpr.md"])
def test_every_test_that_a_document_names_exists(document):
    text = (PROJECT / "docs" / document).read_text()
    citations = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(citations) > 20
    for path, test in citations:
        assert f"def {test}(" in (PROJECT / path).read_text() or not test, f"{path}::{test}"


@pytest.fixture
def output(tmp_path) -> Path:
    """An output with some features and their scores, which need not fit."""
    labels = ["Apple Braeburn", "Apple Braeburn", "007"]
    now = [datetime(2026, 1, 2, tzinfo=UTC)] * 3
    features = list(np.ones((3, 1280), np.float32))
    columns: list[Any] = [PATHS, labels, [1, 2, 3], now, ["f"] * 3, features]
    _commit(tmp_path / "04_feature/features", FEATURES_SCHEMA, columns)
    scores = np.arange(150, dtype=np.float32).reshape(3, 50)
    _commit(tmp_path / "07_model_output/pca", PCA_SCHEMA, [PATHS, labels, ["m"] * 3, list(scores)])
    names = [PATH, LABEL, *pca_column_names(50)]
    flat = pa.table([PATHS, labels, *scores.T], names)
    csv = ScoresCsvDataset(filepath=str(tmp_path / "07_model_output/pca_csv"))
    csv.save(ScoresCsv("m@1", flat.schema, flat.to_batches()))
    return tmp_path


def _commit(folder: Path, schema: pa.Schema, columns: list[Any]) -> None:
    table = Table(str(folder), schema)
    table.commit(Change(table, [table.folder.write(pa.table(columns, schema=schema))]))


def test_the_samples_for_readers_of_the_tables_run(output):
    names: dict[str, Any] = {"O": str(output)}
    samples = re.findall(r"```python\n(.*?)```", (PROJECT / "docs/tables.md").read_text(), re.DOTALL)
    samples = [sample for sample in samples if "spark" not in sample]
    assert len(samples) >= 7
    for sample in samples:
        exec(sample, names)
    assert len(names["features"]) == 2
    assert len(names["scores"]) == 3
    assert sorted(names["csv"]["path"]) == sorted(PATHS)
    assert sorted(names["csv"]["label"].unique()) == ["007", "Apple Braeburn"]
    assert names["table"].schema.field("vector").type == pa.list_(pa.float32(), 50)


def test_every_test_that_a_promise_names_exists():
    text = (PROJECT / "docs/guarantees.md").read_text()
    citations = []
    for path, test in re.findall(r"`((?:[\w/]+\.py)|\.\.\.)(?:::(\w+))?`", text):
        # "..." is the file of the citation before.
        file = citations[-1][0] if path == "..." else path
        citations.append((file, test))
    # docs/gdpr.md names those, too.
    citations = [(path, test) for path, test in citations if not path.startswith("erasure/")]
    assert len(citations) > 100
    for path, test in citations:
        text = next(
            (folder / path).read_text()
            for folder in (PROJECT / "tests", PROJECT, PROJECT / "src/fruits_bigdata")
            if (folder / path).exists()
        )
        assert not test or f"def {test}(" in text, f"{path}::{test}"
