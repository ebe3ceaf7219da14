"""The short form of `tests/stress/readers`: what other programs read of each table, without the network."""

import pyarrow as pa
import pytest

from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import REJECTED_SCHEMA
from tests.conftest import run_stress, write_images
from tests.stress.readers import READERS, compare
from tests.support.runs import REJECTED, TABLES


def test_every_program_reads_the_same_rows_after_every_step(tmp_path, model_params):
    options = {
        "images": write_images(tmp_path / "images", [f"class {i % 3}/{i}.jpg" for i in range(60)]),
        "weights": model_params["weights_path"],
        "weights_digest": model_params["weights_digest"],
    }
    results, _ = run_stress(tmp_path, "readers", **options)
    assert len(results) == 4
    assert {len(programs) for programs in results.values()} == {len(READERS) + 1}
    rows = dict.fromkeys(TABLES, "40") | {"features": "38", "rejected": "2", "pca": "38"}
    assert results["first run"]["polars"] == rows | {"features": "39", "rejected": "1", "pca": "39"}
    assert results["PCA fitted anew"]["Spark, the folder"] == rows


@pytest.fixture
def rejected(tmp_path) -> Table:
    """A table of two rows."""
    table = Table(f"{tmp_path}/{REJECTED}", REJECTED_SCHEMA)
    facts = {"label": "a", "length": 1, "featurizer": "f", "reason": "empty file"}
    rows = [{"path": f"a/{i}.jpg", **facts} for i in range(2)]
    table.commit(Change(table, [table.folder.write(pa.Table.from_pylist(rows, REJECTED_SCHEMA))]))
    return table


def test_a_file_that_the_log_does_not_name_is_told_by_who_reads_the_folder(rejected, tmp_path):
    rejected.folder.write(rejected.read())
    found = {name: tables["rejected"] for name, tables in compare(str(tmp_path), READERS).items()}
    assert found == dict.fromkeys(READERS, "2") | dict.fromkeys(
        ("pandas, the folder", "DuckDB, the files"), "OTHER: 4 rows"
    )
