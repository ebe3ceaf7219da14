from pathlib import Path

import pytest

from fruits_bigdata.datasets.store_rewrite import FILE_NAME, StoreRewrite


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    place = str(tmp_path) if request.param == "disk" else request.getfixturevalue("bucket")
    return f"{place}/a store"


def test_a_store_that_was_never_rewritten_counts_whole(store: str) -> None:
    assert StoreRewrite.load(store).counts("any.parquet")
    assert StoreRewrite.load(store) == StoreRewrite.load(store)


def test_what_counts_changes_with_the_phase(store: str) -> None:
    for phase, old, new in (("writing", True, False), ("removing", False, True), ("done", True, True)):
        StoreRewrite(phase, ["old.parquet"]).save(store)  # type: ignore[arg-type]
        rewrite = StoreRewrite.load(store)
        assert (rewrite.counts("old.parquet"), rewrite.counts("new.parquet")) == (old, new)


def test_no_two_rewritings_are_the_same(store: str) -> None:
    StoreRewrite("done").save(store)
    before = StoreRewrite.load(store)
    assert StoreRewrite.load(store) == before
    StoreRewrite("done").save(store)
    assert StoreRewrite.load(store) != before


def test_other_readers_take_it_for_no_data() -> None:
    assert FILE_NAME.startswith("_")
