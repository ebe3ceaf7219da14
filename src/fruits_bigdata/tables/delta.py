"""Delta tables: what each version holds, and the commits by which one version follows another.

The log is written by delta-rs (`deltalake`); the data files lie there already when it names them. A commit is
made to the version that was read, and to no other: if anybody else has committed since, it is refused.
"""

import json
import logging
import socket
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pyarrow as pa

from fruits_bigdata.storage.errors import StorageError, in_short
from fruits_bigdata.storage.locations import is_s3, url_to_fs
from fruits_bigdata.storage.s3 import delta_options
from fruits_bigdata.tables.data_files import DamagedFileError, DataFile, DataFolder

if TYPE_CHECKING:
    from deltalake import DeltaTable

APP_ID = "fruits_bigdata"
_LOG = "_delta_log"
# A file that a living run has written is named by its log sooner than that.
_UNCOMMITTED_SECONDS = 3_600.0
# No text and no bound of any column goes into the log: an erased path would stay there.
_CONFIGURATION = {
    "delta.dataSkippingNumIndexedCols": "0",
    # Each commit opens the version that it has made, and reads the log from the last checkpoint on.
    "delta.checkpointInterval": "20",
}
# Seconds before a commit is sent again that did not arrive; then it is given up.
_PAUSES = (0.5, 2.0, None)
# Times that a reader looks again because the table is rewritten meanwhile.
_ATTEMPTS = 10

logger = logging.getLogger(__name__)


class TableError(RuntimeError):
    """A table cannot be used as it is."""


class ConcurrentRunError(TableError):
    """Another run has committed to a table since this one read it."""


class DamagedTableError(TableError):
    """Data files that the log names are missing, or have another size than when they were written."""


@dataclass(frozen=True)
class Run:
    """Who commits.

    Attributes:
        run: Kedro's id of the run, or what else tells it from others.
        host: The driver's machine.
        started: When it began, ISO 8601, UTC.
    """

    run: str
    host: str = field(default_factory=socket.gethostname)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


_this_run = Run(f"process {uuid.uuid4().hex[:8]}")


def begin_run(run_id: str) -> None:
    """Let every commit of this process from now on carry the id of a run that begins now."""
    global _this_run
    _this_run = Run(run_id)


@dataclass(frozen=True, eq=False)
class Change:
    """What a commit does to the version of a table that it is based on.

    Attributes:
        table: The table at that version; committing moves it on to the next one.
        added: Files that the log names from now on.
        removed: Names of files that it names no more. They are deleted when it is committed.
        merged: For each added file that only merges others, the names of these: no row comes or goes.
        metadata: What the commit says of the table, beside what the commits before have said.
        last: No further change of this run follows, so files of the run that no commit named are deleted.
    """

    table: "Table"
    added: Collection[DataFile] = ()
    removed: Collection[str] = ()
    merged: Mapping[str, list[str]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    last: bool = True


class Table:
    """One version of a Delta table.

    Args:
        url: The table's folder: a local path or an `s3://` address.
        schema: Of the table; a folder without a log is an empty table of it.
        version: A version; None for the newest.

    Attributes:
        url: As given.
        schema: As given.
        version: The version; None as long as there is no table.
        id: Of the table, whatever its versions.
        files: Its data files by name.
        metadata: What its commits say of it.

    Raises:
        TableError: The folder holds other data, or its log cannot be read.
    """

    def __init__(self, url: str, schema: pa.Schema, version: int | None = None) -> None:
        self.url = url.rstrip("/")
        self.schema = schema
        self.folder = DataFolder(self.url, schema)
        self._open(version)

    def _open(self, version: int | None) -> None:
        from deltalake.exceptions import TableNotFoundError

        self.version: int | None = None
        self.id = ""
        self.files: dict[str, DataFile] = {}
        self.metadata: dict[str, Any] = {}
        try:
            delta = self._handle = self._delta(version)
        except TableNotFoundError:
            if self.folder.holds_other_data():
                raise TableError(
                    f"{self.url} holds data and no Delta log, as the output of version 1 of this project "
                    f"does: give a new folder with --params output_path=..., or remove it"
                ) from None
            return
        except Exception as error:
            raise self._failure("reading the log of", error) from error
        actions = pa.table(delta.get_add_actions(flatten=True))
        columns = (actions.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
        self.version = delta.version()
        self.id = str(delta.metadata().id)
        self.files = {name: DataFile(name, size, rows) for name, size, rows in zip(*columns, strict=True)}
        self.metadata = _metadata_of(self._commit_info(self.version))

    def _delta(self, version: int | None) -> "DeltaTable":
        # Imported here, so that only what opens a table waits for it.
        from deltalake import DeltaTable

        return DeltaTable(self._uri, version=version, storage_options=delta_options(self.url))

    def _failure(self, doing: str, error: Exception) -> Exception:
        """Return what is to be raised when delta-rs has failed."""
        if is_s3(self.url) and "S3 error" in str(error):
            return StorageError.of_s3(f"{doing} {self.url}", error, fsspec.config.conf.get("s3", {}))
        if isinstance(error, OSError):
            return error
        return TableError(
            f"The log of the table {self.url} is damaged ({in_short(error)}): restore {self.url}/{_LOG} or, "
            f"since everything in an output is computed from the images, remove the folder {self.url}"
        )

    @property
    def _uri(self) -> str:
        return f"s3://{self.folder.path}" if is_s3(self.url) else Path(self.folder.path).as_uri()

    @property
    def state(self) -> str:
        """What tells this version from all others of all tables."""
        return f"{self.id}@{self.version}"

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(file.rows for file in self.files.values())

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """Return some columns, or all, of every row; of the newest version if this one is being replaced."""
        names = columns or self.schema.names
        nothing = self.schema.empty_table().select(names)
        for attempt in range(_ATTEMPTS):
            try:
                return pa.concat_tables([nothing, *self.folder.read(self.files.values(), names)])
            except DamagedFileError as error:
                version = self.version
                self._open(None)
                if self.version == version or attempt == _ATTEMPTS - 1:
                    raise self._damage(str(error)) from error
        raise AssertionError("unreachable")

    def head(self, n: int) -> pa.Table:
        """Return the first n rows, or all if there are fewer."""
        batches: list[pa.RecordBatch] = []
        for file in self.files.values():
            for batch in self.folder.batches(file):
                batches.append(batch.slice(0, n))
                n -= batches[-1].num_rows
                if n <= 0:
                    return pa.Table.from_batches(batches, self.schema)
        return pa.Table.from_batches(batches, self.schema)

    def to_pandas(self, columns: list[str] | None = None) -> Any:
        """Return some columns, or all, of every row as a `pandas.DataFrame`."""
        return self.read(columns).to_pandas()

    def check(self, repair: bool = False) -> None:
        """Compare the size of each file with the log's.

        Args:
            repair: Take damaged files out of the table, after looking into every file, instead of raising.

        Raises:
            DamagedTableError: A file is missing, or has another size.
        """
        for attempt in range(_ATTEMPTS):
            sizes = self.folder.sizes()
            damaged = [file for file in self.files.values() if sizes.get(file.name) != file.size]
            version = self.version
            if not damaged or attempt == _ATTEMPTS - 1:
                break
            # Another run may have replaced them since.
            self._open(None)
            if self.version == version:
                break
        if repair:
            damaged = [file for file in self.files.values() if file in damaged or not self._is_whole(file)]
            if damaged:
                logger.warning(
                    "repair=true: %d damaged files with %s rows leave the table %s, such as %s",
                    len(damaged),
                    f"{sum(file.rows for file in damaged):,}",
                    self.url,
                    damaged[0].name,
                )
                self.commit(Change(self, removed=[file.name for file in damaged]))
        elif damaged:
            file = damaged[0]
            size = sizes.get(file.name)
            state = "is missing" if size is None else f"has {size:,} bytes instead of {file.size:,}"
            raise self._damage(f"{self.url}/{file.name} {state} ({len(damaged):,} files are damaged)")

    def _is_whole(self, file: DataFile) -> bool:
        try:
            n = sum(batch.num_rows for batch in self.folder.batches(file))
            return bool(n == file.rows)
        except DamagedFileError:
            return False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Say of a file of this version that cannot be read in the block whether another run has replaced it.

        Raises:
            ConcurrentRunError: Another run has committed since this version was read.
            DamagedTableError: The file is damaged.
        """
        try:
            yield
        except DamagedFileError as error:
            assert self.version is not None
            if commit := self._commit_info(self.version + 1):
                raise self._refusal(commit) from error
            raise self._damage(str(error)) from error

    def _refusal(self, commit: Mapping[str, Any]) -> ConcurrentRunError:
        return ConcurrentRunError(
            f"Another run has written to {self.url} since this one began: {commit.get('run')} on "
            f"{commit.get('host')}, started {commit.get('started')}. This run stops, and nothing is lost: "
            f"wait until the other has ended and start it again, or give another output_path"
        )

    def _damage(self, what: str) -> DamagedTableError:
        return DamagedTableError(
            f"{what}: restore it, or start the run again with --params repair=true, which takes damaged "
            f"files out of the table and computes their rows anew"
        )

    def since(self, state: str | None) -> tuple[list[DataFile], list[str]] | None:
        """Return the files that came after an earlier `state`, and the names of those that went.

        A file that merges others counts as those: if all of them were there, it was.

        Returns:
            None if nobody can tell: it is of another table, or the log of it is gone.
        """
        id, _, number = (state or "").partition("@")
        if id != self.id or not number.isdecimal() or self.version is None:
            return None
        version = int(number)
        if version == self.version:
            return [], []
        try:
            names = set(Table(self.url, self.schema, version).files)
            commits = [self._commit_info(number) for number in range(version + 1, self.version + 1)]
        except Exception:
            logger.debug("The log of version %d of %s cannot be read", version, self.url, exc_info=True)
            return None
        for commit in commits:
            for name, parts in commit.get("merged", {}).items():
                if names.issuperset(parts):
                    names = names - set(parts) | {name}
        added = [file for name, file in self.files.items() if name not in names]
        return added, sorted(names - self.files.keys())

    def commit(self, change: Change) -> None:
        """Make a change the next version, which this object then is. An empty change only makes the table.

        Raises:
            ConcurrentRunError: Another run has committed since this version was read. Nothing is changed.
        """
        from deltalake.transaction import AddAction, RemoveAction

        if self.version is None:
            self._create(change.metadata)
        if change.added or change.removed or _adds_to(self.metadata, change.metadata):
            assert self.version is not None
            now = int(time.time() * 1000)
            is_change = not change.merged
            added = [
                AddAction(file.name, file.size, {}, now, is_change, json.dumps({"numRecords": file.rows}))
                for file in change.added
            ]
            removed = [
                RemoveAction(name, is_change, now, self.files[name].size, {}) for name in change.removed
            ]

            def send(properties: Any) -> None:
                self._handle.create_write_transaction(
                    [*added, *removed], "append", self.schema, commit_properties=properties
                )

            self._send(send, self.version + 1, change.metadata, change.merged)
            self.folder.remove(change.removed)
        if change.last:
            self._sweep()

    def _sweep(self) -> None:
        """Delete data files that the log does not name and nobody will commit: those of tasks that were run
        twice, and of dead runs. After a commit of this run, no other can commit what it has written before.
        """
        if self.metadata.get("run") == _this_run.run and self.metadata.get("host") == _this_run.host:
            assert self.version is not None
            fs, path = url_to_fs(self._log_entry(self.version))
            # By the clock of the storage, which the files' times are of, too.
            before = fs.modified(path).timestamp()
        else:
            before = time.time() - _UNCOMMITTED_SECONDS
        surplus = self.folder.surplus(self.files.keys(), before)
        if surplus:
            logger.info("Deleted %d files that no run has committed to %s", len(surplus), self.url)
            self.folder.remove(surplus)

    def _create(self, metadata: Mapping[str, Any]) -> None:
        from deltalake import DeltaTable, Schema

        def send(properties: Any) -> None:
            DeltaTable.create(
                self._uri,
                Schema.from_arrow(self.schema),
                mode="error",
                configuration=_CONFIGURATION,
                storage_options=delta_options(self.url),
                commit_properties=properties,
            )

        self._send(send, 0, metadata, {})

    def _send(
        self, send: Any, version: int, metadata: Mapping[str, Any], merged: Mapping[str, list[str]]
    ) -> None:
        """Send a commit, and open the version that it makes."""
        from deltalake.transaction import CommitProperties, Transaction

        commit = uuid.uuid4().hex
        facts = {**self.metadata, **metadata, **asdict(_this_run), "commit": commit}
        properties = CommitProperties(
            custom_metadata=facts | ({"merged": dict(merged)} if merged else {}),
            # Never to another version than the next: this change knows no other.
            max_commit_retries=0,
            app_transactions=[Transaction(APP_ID, version)],
        )
        for pause in _PAUSES:
            try:
                send(properties)
                break
            except Exception as error:
                # If only the answer was lost, the commit is there. Data files are left in any case.
                there = self._commit_info(version)
                if there and there.get("commit") != commit:
                    raise self._refusal(there) from error
                if there:
                    break
                if pause is None or not is_s3(self.url):
                    raise self._failure("committing to", error) from error
                # delta-rs gives up at the first broken connection. A commit that is sent again is made once.
                time.sleep(pause)
        self._open(version)

    def _log_entry(self, version: int) -> str:
        # "Delta Transaction Log Protocol", section "Delta Log Entries".
        return f"{self.url}/{_LOG}/{version:020d}.json"

    def _commit_info(self, version: int) -> dict[str, Any]:
        """Return what the commit of a version says of itself; nothing if there is no such version.

        `DeltaTable.history` would, but finds nothing in a folder with a space in its name.
        """
        fs, path = url_to_fs(self._log_entry(version))
        try:
            actions = [json.loads(line) for line in fs.cat_file(path).splitlines()]
        except FileNotFoundError:
            return {}
        return next((dict(action["commitInfo"]) for action in actions if "commitInfo" in action), {})


def _adds_to(known: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    return any(known.get(name) != value for name, value in metadata.items())


def _metadata_of(commit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a commit says, without what delta-rs says itself and what concerns that commit alone."""
    own = (
        "timestamp",
        "operation",
        "operationParameters",
        "engineInfo",
        "clientVersion",
        "version",
        "commit",
        "merged",
    )
    return {name: value for name, value in commit.items() if name not in own}
