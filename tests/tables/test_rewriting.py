from collections.abc import Callable
from typing import Any

import numpy as np

from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.rewriting import merge_small_files, rewrite
from fruits_bigdata.tables.schemas import PATH
from tests.tables.conftest import rejections


def here(function: Callable[[Any], Any], parts: list[Any], n_bytes: int) -> list[Any]:
    assert n_bytes > 0 or not parts
    return [function(part) for part in parts]


def store(table: Table, *sizes: int) -> None:
    files = [
        table.folder.write(rejections(*(f"{i}/{j}" for j in range(size)))) for i, size in enumerate(sizes)
    ]
    table.commit(Change(table, files))


def paths(table: Table) -> list[str]:
    return sorted(table.read([PATH]).column(PATH).to_pylist())


def test_files_without_stale_rows_stay_and_the_others_become_few(rejected):
    store(rejected, 3, 4, 5, 6)
    before = paths(rejected)
    files = {file.rows: file for file in rejected.files.values()}
    stale = {files[3]: np.array([0, 1, 2]), files[5]: np.array([4]), files[6]: np.array([0])}
    first_paths = {
        n: next(rejected.folder.read([files[n]], [PATH])).column(PATH).to_pylist() for n in (3, 5, 6)
    }
    gone = [*first_paths[3], first_paths[5][4], first_paths[6][0]]
    added, removed = rewrite(rejected, stale, here)
    assert [file.rows for file in added] == [9]
    assert sorted(removed) == sorted(files[n].name for n in (3, 5, 6))
    rejected.commit(Change(rejected, added, removed))
    assert files[4].name in rejected.files
    assert paths(rejected) == sorted(set(before) - set(gone))


def test_a_table_whose_rows_all_go_keeps_no_file(rejected):
    store(rejected, 2, 2)
    stale = {file: np.array([0, 1]) for file in rejected.files.values()}
    added, removed = rewrite(rejected, stale, here)
    assert (added, len(removed)) == ([], 2)
    rejected.commit(Change(rejected, added, removed))
    assert (rejected.rows, rejected.files) == (0, {})


def test_rewritten_files_are_no_larger_than_a_whole_one(rejected):
    store(rejected, 2_000, 2_000, 2_000, 6_000)
    stale = {file: np.array([1]) for file in rejected.files.values()}
    added, _ = rewrite(rejected, stale, here)
    assert sorted(file.rows for file in added) == [1_999, 3_998, 5_999]


def test_many_small_files_become_few_and_no_row_counts_as_new(rejected):
    store(rejected, *[2] * 64)
    assert merge_small_files(rejected, here) is None
    store(rejected, 3)
    before, state = paths(rejected), rejected.state
    change = merge_small_files(rejected, here)
    assert change is not None
    rejected.commit(change)
    assert len(rejected.files) == 1
    assert paths(rejected) == before
    assert rejected.since(state) == ([], [])
