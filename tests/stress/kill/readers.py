"""Reads an output over and over, in one of three ways, and notes whatever should not be seen there.

    python -m tests.stress.kill.readers deltalake|table|files FOLDER

FOLDER holds `expected.json`, `params.json` and `output.txt`, the output to read; notes are lines of
`<reader>.jsonl`. The reader ends when `output.txt` is gone, and its last note says so.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from fruits_bigdata.storage.s3 import configure_s3, delta_options
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import FEATURES, PATH
from tests.support.runs import PROJECT, TABLES

KINDS = ("deltalake", "table", "files")
_FILES = ("pca_csv", "pca_model", "metrics")
_PAUSE_SECONDS = 0.05

Note = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """What may be seen of an output.

    Attributes:
        features: The hash of the features of each image that has them, before or after.
        rejected: The images that are rejected, before or after.
        listed: The images that the folder holds: before, and after.
        wholes: The images of which there are scores: before, and after.
    """

    features: dict[str, str]
    rejected: list[str]
    listed: list[list[str]]
    wholes: list[list[str]]


@dataclass(frozen=True)
class Seen:
    """A table as a reader has seen it.

    Attributes:
        version: Which version it was; None if there is no table yet.
        logged: How many rows its log says that it has.
        rows: Its rows.
        reopened: How often a file was gone in the middle of the reading, and a newer version was opened.
    """

    version: int | None
    logged: int
    rows: pa.Table
    reopened: int

    @property
    def paths(self) -> set[str]:
        """The paths of the rows."""
        return set(self.rows.column(PATH).to_pylist())


Read = Callable[[str, pa.Schema], Seen]


def by_deltalake(url: str, schema: pa.Schema) -> Seen:
    """Read as anybody does who has the library deltalake, and opens the table again if a file is gone."""
    try:
        table = DeltaTable(url, storage_options=delta_options(url))
    except TableNotFoundError:
        return Seen(None, 0, schema.empty_table(), 0)
    reopened = 0
    while True:
        logged = pc.sum(pa.table(table.get_add_actions(flatten=True)).column("num_records")).as_py() or 0
        try:
            return Seen(table.version(), logged, table.to_pyarrow_table(), reopened)
        except FileNotFoundError:
            newest = DeltaTable(url, storage_options=delta_options(url))
            # No commit has removed the file, so it is lost.
            if newest.version() == table.version():
                raise
            table, reopened = newest, reopened + 1


def by_table(url: str, schema: pa.Schema) -> Seen:
    """Read as the project does."""
    table = Table(url, schema)
    table.check()
    version = table.version
    rows = table.read()
    return Seen(table.version, table.rows, rows, int(table.version != version))


def hashes(features: pa.Table) -> dict[str, str]:
    """Return a hash of the features of each image."""
    rows = zip(features.column(PATH).to_pylist(), features.column(FEATURES), strict=True)
    return {path: hashlib.sha256(row.values.to_numpy().tobytes()).hexdigest() for path, row in rows}


class TablesWatch:
    """Looks at the four tables.

    Args:
        read: How.
        expected: What may be seen.
    """

    def __init__(self, read: Read, expected: Expected) -> None:
        self._read = read
        self._expected = expected
        self._not_done: dict[tuple[str, int | None], int] = {}

    def look(self, output: str) -> Iterator[Note]:
        """Yield a note for each table, and one for what the tables say together."""
        seen: dict[str, Seen] = {}
        # Once more in the end: a listing that was replaced meanwhile says nothing of the other tables.
        for name in [*TABLES, "images"]:
            folder, schema = TABLES[name]
            before = seen.get(name)
            began = time.perf_counter()
            try:
                seen[name] = self._read(f"{output}/{folder}", schema)
            except Exception as error:  # whatever a reader may meet
                yield _note(name, _described(error))
                return
            note = _note(name, self._complaint(name, seen[name]), seen[name].version is not None)
            yield note | {"reopened": seen[name].reopened, "seconds": time.perf_counter() - began}
        if before is not None and before.version == seen["images"].version is not None:
            yield _note("together", self._complaint_of_all(output, seen))

    def _complaint(self, name: str, seen: Seen) -> str | None:
        paths = seen.paths
        if seen.rows.num_rows != seen.logged:
            return f"{seen.rows.num_rows} rows, and the log says {seen.logged}"
        if len(paths) != seen.rows.num_rows:
            return f"{seen.rows.num_rows} rows of {len(paths)} images"
        if name == "features":
            stored = hashes(seen.rows).items()
            return _say((path for path, it in stored if self._expected.features.get(path) != it), "differ")
        if name == "rejected":
            return _say(paths - {*self._expected.rejected}, "are rejected")
        wholes = self._expected.listed if name == "images" else self._expected.wholes
        if not paths or sorted(paths) in wholes:
            return None
        return f"{len(paths)} rows, which are neither those of before nor those of after"

    def _complaint_of_all(self, output: str, seen: Mapping[str, Seen]) -> str | None:
        """Hold that listed = features + rejected + not yet done, and that the last never grows."""
        listed, features, rejected = (seen[name].paths for name in ("images", "features", "rejected"))
        both = _say(features & rejected, "have features and are rejected")
        not_done = len(listed) - len(listed & features) - len(listed & rejected)
        before = self._not_done.setdefault((output, seen["images"].version), not_done)
        self._not_done[output, seen["images"].version] = not_done
        if both is None and not_done > before:
            return f"{not_done} of {len(listed)} images are not done, and {before} were not done before"
        return both


class FilesWatch:
    """Looks at the CSV, the model and the report's figures, through the catalog."""

    def __init__(self, params: Mapping[str, object], expected: Expected) -> None:
        self._params = params
        self._expected = expected

    def look(self, output: str) -> Iterator[Note]:
        """Yield a note for each file."""
        catalog = load_catalog(output, self._params)
        for name in _FILES:
            began = time.perf_counter()
            try:
                if not catalog.exists(name):
                    yield _note(name, None, is_there=False)
                    continue
                complaint = self._complaint(name, catalog.load(name))
            except Exception as error:  # whatever a reader may meet
                complaint = _described(error)
            yield _note(name, complaint) | {"seconds": time.perf_counter() - began}

    def _complaint(self, name: str, content: Any) -> str | None:
        wholes = self._expected.wholes
        if name == "pca_csv":
            return None if sorted(content.to_pylist()) in wholes else f"{len(content)} rows of no whole"
        n = content.summary.moments.n if name == "pca_model" else content["counts"]["features"]
        return None if n in map(len, wholes) else f"{n} images instead of {list(map(len, wholes))}"


def load_catalog(output: str, params: Mapping[str, object]) -> Any:
    """Return the project's catalog for an output."""
    bootstrap_project(PROJECT)
    s3 = {name.removeprefix("s3."): value == "true" or value for name, value in params.items()}
    given = {"output_path": output, **({"s3": s3} if s3 else {})}
    with KedroSession.create(PROJECT, runtime_params=given) as session:
        return session.load_context().catalog


def _note(name: str, complaint: str | None, is_there: bool = True) -> Note:
    ended = "wrong" if complaint else "seen" if is_there else "nothing yet"
    return {"name": name, "ended": ended, "complaint": complaint}


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"


def _say(paths: Iterable[str], what: str) -> str | None:
    some = sorted(paths)
    return f"{len(some)} images {what}, such as {some[0]!r}" if some else None


@click.command(help=__doc__)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def main(kind: str, folder: Path) -> None:
    """Read until there is nothing to read any more."""
    params = json.loads((folder / "params.json").read_text())
    if params:
        configure_s3({name.removeprefix("s3."): value for name, value in params.items()})
    expected = Expected(**json.loads((folder / "expected.json").read_text()))
    watch: TablesWatch | FilesWatch = FilesWatch(params, expected)
    if kind != "files":
        watch = TablesWatch({"deltalake": by_deltalake, "table": by_table}[kind], expected)
    with (folder / f"{kind}.jsonl").open("a") as notes:
        while True:
            try:
                output = (folder / "output.txt").read_text()
            except FileNotFoundError:
                notes.write(json.dumps({"ended": "end"}) + "\n")
                return
            for note in watch.look(output):
                notes.write(json.dumps({"output": output, **note}) + "\n")
            notes.flush()
            time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
