"""The short form of `benchmarks/readers`: what other programs read of each table, without the network."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from benchmarks.readers import READERS, compare
from benchmarks.runs import REJECTED, TABLES
from fruits_bigdata.schemas import REJECTED_SCHEMA
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.vision.weights import Weights, write_weights

PROJECT = Path(__file__).parents[1]


def test_every_program_reads_the_same_rows_after_every_step(tmp_path: Path, weights: Weights) -> None:
    rng = np.random.default_rng(0)
    for i in range(60):
        path = tmp_path / "images" / f"class {i % 3}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((100, 100)).save(path)
    with (tmp_path / "seeded.h5").open("w+b") as file:
        write_weights(weights, file)
    options = {
        "images": tmp_path / "images",
        "weights": tmp_path / "seeded.h5",
        "weights-digest": weights.digest,
        "output": tmp_path / "results.json",
    }
    command = [sys.executable, "-m", "benchmarks.readers"]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    assert len(results) == 4
    assert {len(programs) for programs in results.values()} == {len(READERS) + 1}
    rows = dict.fromkeys(TABLES, "40") | {"features": "38", "rejected": "2", "pca": "38"}
    assert results["first run"]["polars"] == rows | {"features": "39", "rejected": "1", "pca": "39"}
    assert results["PCA fitted anew"]["Spark, the folder"] == rows


@pytest.fixture
def rejected(tmp_path: Path) -> Table:
    """A table of two rows."""
    table = Table(f"{tmp_path}/{REJECTED}", REJECTED_SCHEMA)
    facts = {"label": "a", "length": 1, "featurizer": "f", "reason": "empty file"}
    rows = [{"path": f"a/{i}.jpg", **facts} for i in range(2)]
    table.commit(Change(table, [table.folder.write(pa.Table.from_pylist(rows, REJECTED_SCHEMA))]))
    return table


def test_a_file_that_the_log_does_not_name_is_told_by_who_reads_the_folder(
    rejected: Table, tmp_path: Path
) -> None:
    rejected.folder.write(rejected.read())
    found = {name: tables["rejected"] for name, tables in compare(str(tmp_path), READERS).items()}
    assert found == dict.fromkeys(READERS, "2") | dict.fromkeys(
        ("pandas, the folder", "DuckDB, the files"), "OTHER: 4 rows"
    )
