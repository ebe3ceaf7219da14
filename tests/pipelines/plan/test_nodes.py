import logging
import os
from pathlib import Path

import pyarrow as pa
import pytest

from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.pipelines.plan.nodes import plan_run
from fruits_bigdata.schemas import IMAGES_SCHEMA, REJECTED_SCHEMA
from fruits_bigdata.tables.delta import Change, Table


def test_a_plan_says_what_a_run_would_do_and_writes_nothing(
    image_folder: ImageFolder,
    images_path: Path,
    listing: pa.Table,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    images = Table(str(tmp_path / "images"), IMAGES_SCHEMA)
    tables = []
    for name, rows in (("features", listing.slice(0, 3)), ("rejected", listing.slice(3, 1))):
        table = Table(str(tmp_path / name), REJECTED_SCHEMA)
        texts = [pa.array([text] * len(rows), pa.string()) for text in ("f", "why")]
        stored = pa.table([*rows.columns, *texts], schema=REJECTED_SCHEMA)
        table.commit(Change(table, [table.folder.write(stored)]))
        tables.append(table)
    (images_path / "Apple Red" / "0_100.jpg").unlink()
    (images_path / "Apple Red" / "1_100.jpg").write_bytes(b"another")
    with caplog.at_level(logging.INFO):
        plan = plan_run(image_folder, images, *tables, None, False, 0.5)
    assert plan == {
        "listed": 5,
        "known": 1,
        "rejected_before": 1,
        "retried": 0,
        "changed": 1,
        "new": 2,
        "gone": 1,
        "stored": 4,
        "postponed": 0,
        "to_featurize": 3,
    }
    assert "would featurize 3 images and remove 2 rows" in caplog.text
    assert plan_run(image_folder, images, *tables, None, True, 0.5)["to_featurize"] == 4
    assert plan_run(image_folder, images, *tables, 2, True, 0.5)["to_featurize"] == 2
    assert not os.path.exists(images.url)
    assert [table.version for table in tables] == [1, 1]
