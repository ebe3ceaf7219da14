import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fruits_bigdata.tables import delta
from fruits_bigdata.tables.comparison import compare, rows_with
from fruits_bigdata.tables.delta import (
    Change,
    ConcurrentRunError,
    DamagedTableError,
    Run,
    Table,
    TableError,
    begin_run,
)
from fruits_bigdata.tables.rewriting import rewrite
from fruits_bigdata.tables.schemas import PATH, REJECTED_SCHEMA
from tests.tables.conftest import rejections


def paths(table: Table) -> list[str]:
    return sorted(table.read([PATH]).column(PATH).to_pylist())


def append(table: Table, *names: str, **options: Any) -> None:
    table.commit(Change(table, [table.folder.write(rejections(*names))], **options))


def named(table: Table) -> set[str]:
    return set(table.files)


def in_folder(table: Table) -> set[str]:
    return {name for name in os.listdir(table.url) if name != "_delta_log"}


@pytest.fixture
def another_run(monkeypatch) -> Callable[[Callable[[], None]], None]:
    """Do something as another run does it, which began a minute ago on another machine."""

    def do(action: Callable[[], None]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(
                delta, "_this_run", Run("the other run", "another-host", "2026-01-01T00:00:00+00:00")
            )
            action()

    return do


def test_what_is_committed_is_read_by_everybody(anywhere):
    table = anywhere("rejected")
    assert (table.version, table.rows, paths(table)) == (None, 0, [])
    table.commit(Change(table))
    assert (table.version, table.rows, paths(table), anywhere("rejected").version) == (0, 0, [], 0)
    append(table, "a", "b", metadata={"model": "m"})
    append(table, "c")
    assert paths(table) == paths(anywhere("rejected")) == ["a", "b", "c"]
    assert (table.version, table.rows, table.metadata["model"]) == (2, 3, "m")
    assert table.read().schema == REJECTED_SCHEMA
    assert table.head(2).num_rows == 2
    assert table.head(9).num_rows == 3


def test_other_readers_of_delta_and_of_parquet_read_the_same(rejected):
    append(rejected, "a", "b")
    append(rejected, "c")
    for frame in (deltalake.DeltaTable(rejected.url).to_pandas(), pd.read_parquet(rejected.url)):
        assert sorted(frame["path"]) == ["a", "b", "c"]
    protocol = deltalake.DeltaTable(rejected.url).protocol()
    # Every reader of Delta reads these.
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_the_second_of_two_runs_stops_at_its_first_commit(anywhere, another_run):
    append(anywhere("rejected"), "a")
    mine, theirs = anywhere("rejected"), anywhere("rejected")
    another_run(lambda: append(theirs, "b"))
    with pytest.raises(
        ConcurrentRunError, match=r"the other run on another-host, started 2026-01-01T00:00:00\+00:00"
    ):
        append(mine, "c")
    assert paths(anywhere("rejected")) == ["a", "b"]
    # Nor can it, when it tries once more: the version that it knows is the old one.
    with pytest.raises(ConcurrentRunError):
        append(mine, "c")


def test_a_run_whose_files_another_has_replaced_says_so(rejected, another_run):
    append(rejected, "a", "b")
    mine, theirs = (Table(rejected.url, REJECTED_SCHEMA) for _ in range(2))
    (old,) = theirs.files.values()
    new = theirs.folder.rewrite({old: np.array([0])})
    assert new is not None
    another_run(lambda: theirs.commit(Change(theirs, [new], [old.name])))
    stale = {old: np.array([1])}
    for attempt in (
        lambda: rewrite(mine, stale, lambda function, parts, n_bytes: [*map(function, parts)]),
        lambda: compare(mine.schema.empty_table(), mine, mine),
        lambda: rows_with(mine, pa.array(["a"])),
    ):
        with pytest.raises(ConcurrentRunError, match="the other run on another-host"):
            attempt()
    Path(rejected.url, new.name).unlink()
    damaged = Table(rejected.url, REJECTED_SCHEMA)
    with pytest.raises(DamagedTableError, match=f"{new.name}.*repair=true"):
        rows_with(damaged, pa.array(["a"]))


def test_of_two_runs_that_make_a_table_one_does(anywhere, another_run):
    mine, theirs = anywhere("rejected"), anywhere("rejected")
    another_run(lambda: append(theirs, "b"))
    with pytest.raises(ConcurrentRunError, match="the other run on another-host"):
        append(mine, "c")
    assert paths(anywhere("rejected")) == ["b"]


def test_an_own_commit_does_not_hide_that_of_another(rejected, another_run):
    append(rejected, "a")
    append(rejected, "b")
    version = rejected.version
    another_run(lambda: append(Table(rejected.url, REJECTED_SCHEMA), "c"))
    # It is at its own commit still, not at the newest.
    assert rejected.version == version
    with pytest.raises(ConcurrentRunError):
        append(rejected, "d")


@pytest.mark.parametrize("n_before", [None, 0, 1])
def test_a_commit_whose_answer_is_lost_is_recognised(rejected, n_before, monkeypatch):
    """The storage repeats a request whose answer is lost, and the second one is refused."""
    if n_before is not None:
        rejected.commit(Change(rejected))
        for _ in range(n_before):
            append(rejected, "before")
    send = Table._send

    def lose_the_answer(self: Table, request: Callable[[Any], None], *rest: Any) -> None:
        def twice(properties: Any) -> None:
            request(properties)
            request(properties)

        send(self, twice, *rest)

    monkeypatch.setattr(Table, "_send", lose_the_answer)
    append(rejected, "a")
    assert paths(rejected)[0] == "a"
    assert rejected.rows == 1 + (n_before or 0)


def test_the_log_says_who_committed_and_holds_no_text_of_a_row(rejected):
    begin_run("2026-11-27T00.00.00.000Z")
    append(rejected, "Erika Mustermann/secret.jpg")
    log = [file.read_text() for file in Path(rejected.url, "_delta_log").glob("*")]
    assert not any("secret" in text or "Apple" in text for text in log)
    (commit,) = [json.loads(line) for line in log[-1].splitlines() if "commitInfo" in line] or [{}]
    assert commit["commitInfo"]["run"] == "2026-11-27T00.00.00.000Z"
    for line in log[-1].splitlines():
        if "add" in json.loads(line):
            assert json.loads(json.loads(line)["add"]["stats"]) == {"numRecords": 1}
    deltalake.DeltaTable(rejected.url).create_checkpoint()
    (checkpoint,) = Path(rejected.url, "_delta_log").glob("*.checkpoint.parquet")
    assert "secret" not in str(pq.read_table(checkpoint).to_pylist())


def test_rows_leave_with_their_files(anywhere):
    table = anywhere("rejected")
    append(table, "a", "b")
    append(table, "c")
    (first, second) = sorted(table.files.values(), key=lambda file: -file.rows)
    nothing = np.zeros(0, dtype=np.int64)
    new = table.folder.rewrite({first: np.array([0]), second: nothing})
    assert new is not None
    table.commit(Change(table, [new], [first.name, second.name]))
    assert paths(table) == ["b", "c"]
    # At once, so that those who read every file of the folder read each row once.
    assert set(table.folder.sizes()) == named(table) == {new.name}
    assert table.folder.rewrite({new: np.array([0, 1])}) is None


def test_what_came_and_went_since_a_version(rejected):
    append(rejected, "a")
    before = rejected.state
    assert rejected.since(before) == ([], [])
    (old,) = named(rejected)
    append(rejected, "b")
    added, removed = rejected.since(before) or ([], ["?"])
    assert ([file.rows for file in added], removed) == ([1], [])
    # Files that are only merged have neither come nor gone.
    two = list(rejected.files.values())
    merged = rejected.folder.rewrite(dict.fromkeys(two, np.zeros(0, dtype=np.int64)))
    assert merged is not None
    state = rejected.state
    names = [file.name for file in two]
    rejected.commit(Change(rejected, [merged], names, {merged.name: names}))
    assert rejected.since(state) == ([], [])
    # Of a file that merges old rows and new, nobody can tell which are new.
    assert rejected.since(before) == ([merged], [old])
    for state in ("", None, f"{rejected.id}@99", "another-table@0"):
        assert rejected.since(state) is None or state == f"{rejected.id}@99"


def test_files_that_no_run_will_commit_are_deleted(rejected):
    append(rejected, "a")
    dead = rejected.folder.write(rejections("b")).name
    unfinished = f".{dead}.tmp"
    Path(rejected.url, unfinished).write_bytes(b"half")
    a_minute_ago = time.time() - 60
    for name in (dead, unfinished):
        os.utime(Path(rejected.url, name), (a_minute_ago, a_minute_ago))
    begin_run("the next run")
    # Without a commit of its own, a run does not know whether the other one lives.
    reader = Table(rejected.url, REJECTED_SCHEMA)
    reader.commit(Change(reader))
    assert {dead, unfinished} < in_folder(reader)
    # Whoever read the version before cannot commit it any more.
    late = Table(rejected.url, REJECTED_SCHEMA).folder.write(rejections("b")).name
    living = Table(rejected.url, REJECTED_SCHEMA).folder.write(rejections("c")).name
    soon = time.time() + 60
    os.utime(Path(rejected.url, living), (soon, soon))
    append(reader, "d", last=False)
    assert {dead, unfinished, late} < in_folder(reader)
    append(reader, "e")
    # What comes after that commit may be of a run that has read it.
    assert in_folder(reader) == named(reader) | {living}
    # After hours, no run needs them.
    long_ago = time.time() - 7_200
    os.utime(Path(rejected.url, living), (long_ago, long_ago))
    later = Table(rejected.url, REJECTED_SCHEMA)
    later.commit(Change(later))
    assert in_folder(later) == named(later)


def test_a_task_that_was_run_twice_leaves_one_file(rejected):
    append(rejected, "a", last=False)
    twice = [rejected.folder.write(rejections("b")) for _ in range(2)]
    rejected.commit(Change(rejected, twice[:1]))
    assert in_folder(rejected) == named(rejected)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_damaged_file_is_noticed_and_repaired(rejected, damage, caplog):
    append(rejected, "a", "b")
    append(rejected, "c")
    rejected.check()
    name = next(file.name for file in rejected.files.values() if file.rows == 1)
    file = Path(rejected.url, name)
    if damage == "missing":
        file.unlink()
    else:
        os.truncate(file, 0 if damage == "empty" else file.stat().st_size - 1)
    with pytest.raises(DamagedTableError, match=f"{name}.*repair=true"):
        rejected.check()
    with pytest.raises(DamagedTableError, match=f"{name}.*repair=true"):
        rejected.read()
    with caplog.at_level(logging.WARNING):
        rejected.check(repair=True)
    assert "1 damaged files with 1 rows leave the table" in caplog.text
    assert paths(rejected) == ["a", "b"]


def test_one_flipped_bit_is_noticed_wherever_it_is(rejected):
    append(rejected, *(f"Apple/{i}.jpg" for i in range(20)))
    (name,) = named(rejected)
    file = Path(rejected.url, name)
    content = file.read_bytes()
    before = rejected.read()
    n_silent = 0
    for position in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[position] ^= 4
        file.write_bytes(flipped)
        try:
            # The metadata's free texts, such as the writer's name, have no checksum and change no row.
            assert rejected.read() == before
            n_silent += 1
        except DamagedTableError:
            pass
    file.write_bytes(content)
    assert n_silent < len(content) / 7
    flipped = bytearray(content)
    flipped[len(content) // 8] ^= 4
    file.write_bytes(flipped)
    rejected.check(repair=True)
    assert rejected.rows == 0


def test_a_reader_goes_on_with_the_newest_version(rejected):
    append(rejected, "a", "b")
    reader = Table(rejected.url, REJECTED_SCHEMA)
    (old,) = rejected.files.values()
    new = rejected.folder.rewrite({old: np.array([0])})
    assert new is not None
    rejected.commit(Change(rejected, [new], [old.name]))
    reader.check()
    assert paths(reader) == ["b"]


def test_an_output_of_the_first_version_is_refused(tmp_path):
    for data in (
        "features/part-00000-7a.c000.snappy.parquet",
        "images/version=20260101T000000/part-0.parquet",
    ):
        (tmp_path / data).parent.mkdir(parents=True)
        (tmp_path / data).write_bytes(b"PAR1")
        with pytest.raises(TableError, match=r"version 1 of this project.*output_path="):
            Table(str(tmp_path / data.split("/")[0]), REJECTED_SCHEMA)
    # What a run has left that died before its first commit is none.
    dead = Table(str(tmp_path / "dead"), REJECTED_SCHEMA)
    dead.folder.write(rejections("a"))
    assert Table(str(tmp_path / "dead"), REJECTED_SCHEMA).version is None


@pytest.mark.parametrize("damage", ["truncated", "gone", "no JSON"])
def test_a_damaged_log_is_named(rejected, damage):
    append(rejected, "a")
    first = Path(rejected.url, "_delta_log", f"{0:020d}.json")
    if damage == "gone":
        first.unlink()
    else:
        first.write_text("{" if damage == "no JSON" else first.read_text()[:-30])
    with pytest.raises(TableError, match=r"The log of the table .*rejected is damaged .*restore"):
        Table(rejected.url, REJECTED_SCHEMA).read()


def test_folders_may_have_names_that_people_use(tmp_path):
    for name in ("a b", "Café", "50%", "#1", "it's", "~", "a,b", "é" * 100):
        for _ in range(2):
            table = Table(str(tmp_path / name), REJECTED_SCHEMA)
            append(table, "a", metadata={"model": "m"})
        assert Table(str(tmp_path / name), REJECTED_SCHEMA).metadata["model"] == "m"
        assert (tmp_path / name / "_delta_log").is_dir()
        assert table.rows == 2
        assert len(table.since(f"{table.id}@1") or []) == 2


def test_what_the_workers_import_does_not_load_the_library():
    code = (
        "import sys, fruits_bigdata.tables.data_files, fruits_bigdata.pipelines.featurization.tasks; "
        "assert 'deltalake' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
