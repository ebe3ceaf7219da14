from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from fruits_bigdata.tables.comparison import RowNumbers, Work, compare, describe_counts, rows_with
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import IMAGES_SCHEMA, PATH, REJECTED_SCHEMA
from tests.tables.conftest import DATE, listing, rejections


@pytest.fixture
def features(tmp_path) -> Table:
    """Its rows have no features here: a comparison reads keys alone."""
    return Table(str(tmp_path / "features"), REJECTED_SCHEMA)


def store(table: Table, *parts: pa.Table) -> None:
    for part in parts:
        table.commit(Change(table, [table.folder.write(part)]))


def stale(table: Table, rows: RowNumbers) -> list[str]:
    return sorted(
        path
        for file, numbers in rows.items()
        for path in next(table.folder.read([file], [PATH])).column(PATH).take(pa.array(numbers)).to_pylist()
    )


def new(work: Work) -> list[str]:
    return list(work.new.column(PATH).to_pylist())


def test_before_the_first_run_every_image_is_new(features, rejected):
    work, counts = compare(listing("a", "b"), features, rejected)
    assert new(work) == ["a", "b"]
    assert work.new.schema == IMAGES_SCHEMA
    expected = {"listed": 2, "known": 0, "rejected_before": 0, "retried": 0, "changed": 0, "new": 2}
    assert counts == expected | {"gone": 0, "stored": 0}
    assert (work.stale_features, work.stale_rejected) == ({}, {})


def test_each_image_is_one_thing(features, rejected):
    store(features, rejections("known", "changed", "gone"), rejections("other known"))
    store(rejected, rejections("bad", "bad and gone", "bad and changed"))
    images = pa.concat_tables(
        [listing("known", "bad", "new", "other known"), listing("changed", "bad and changed", length=2)]
    )
    work, counts = compare(images, features, rejected)
    # Images that replace a row come first.
    assert new(work) == ["changed", "bad and changed", "new"]
    expected = {"listed": 6, "known": 2, "rejected_before": 1, "retried": 0, "changed": 2, "new": 1}
    assert counts == expected | {"gone": 2, "stored": 7}
    assert stale(features, work.stale_features) == ["changed", "gone"]
    assert stale(rejected, work.stale_rejected) == ["bad and changed", "bad and gone"]
    assert counts["listed"] == sum(counts[name] for name in expected if name != "listed")
    assert describe_counts(counts | {"postponed": 0}).startswith(
        "6 images listed: 2 featurized before, 1 rej"
    )


@pytest.mark.parametrize(
    "change", [{"length": 2}, {"modified": DATE + timedelta(microseconds=1)}, {"label": "Pear"}]
)
def test_an_image_of_another_size_date_or_class_has_changed(features, rejected, change):
    store(features, rejections("a", "b"))
    images = pa.concat_tables([listing("a"), listing("b", **change)])  # type: ignore[arg-type]
    work, counts = compare(images, features, rejected)
    assert (new(work), counts["changed"], counts["gone"]) == (["b"], 1, 0)
    assert stale(features, work.stale_features) == ["b"]


def test_rejected_images_are_tried_again_when_told_to(features, rejected):
    store(features, rejections("a"))
    store(rejected, rejections("b", "c"))
    images = pa.concat_tables([listing("a", "b"), listing("c", length=2)])
    work, counts = compare(images, features, rejected, retry_rejected=True)
    assert sorted(new(work)) == ["b", "c"]
    assert (counts["retried"], counts["changed"], counts["rejected_before"]) == (1, 1, 0)
    assert stale(rejected, work.stale_rejected) == ["b", "c"]


def test_repeated_rows_leave_but_for_one(features, rejected):
    store(features, rejections("a", "b"), rejections("b", "c"))
    store(rejected, rejections("c", "d", "d"))
    work, counts = compare(listing("a", "b", "c", "d"), features, rejected)
    assert (new(work), counts["known"], counts["rejected_before"], counts["gone"]) == ([], 3, 1, 0)
    assert stale(features, work.stale_features) == ["b"]
    # An image that has features is not rejected.
    assert stale(rejected, work.stale_rejected) == ["c", "d"]


def test_a_limit_takes_some_of_all_classes_and_the_same_ones(features, rejected):
    images = pa.concat_tables(
        [listing(*(f"{label}/{i}.jpg" for i in range(100)), label=label) for label in "abcd"]
    )
    work, _ = compare(images, features, rejected)
    few = work.first(40)
    assert few.new.num_rows == 40
    assert set(few.new.column("label").to_pylist()) == set("abcd")
    assert set(new(few)) < set(new(work.first(60)))


def test_rows_are_named_by_file(rejected):
    store(rejected, rejections("a", "b"), rejections("c", "b"), rejections("d"))
    found = rows_with(rejected, pa.array(["b", "nobody"]))
    assert sorted((file.rows, numbers.tolist()) for file, numbers in found.items()) == [(2, [1]), (2, [1])]
    assert rows_with(Table(f"{rejected.url}-none", REJECTED_SCHEMA), pa.array(["b"])) == {}


def test_names_of_every_kind_are_told_apart(features, rejected, odd_names):
    rng = np.random.default_rng(0)
    store(features, rejections(*rng.permutation(odd_names)))
    work, counts = compare(listing(*odd_names, "one more"), features, rejected)
    assert (new(work), counts["known"]) == (["one more"], len(odd_names))
