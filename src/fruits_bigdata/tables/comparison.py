"""What a listing means to the tables: which images are new, and which rows are of images that are gone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fruits_bigdata.linalg.sample import path_hash
from fruits_bigdata.tables.data_files import DataFile
from fruits_bigdata.tables.delta import Table
from fruits_bigdata.tables.schemas import KEY, PATH

# Files and, of each, numbers of rows in it.
RowNumbers = Mapping[DataFile, NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Work:
    """What a run has to do, and the versions of the tables that it is to be done to.

    Attributes:
        new: The images to featurize, `schemas.IMAGES_SCHEMA`: those that replace a row come first.
        features: The table of features.
        rejected: The table of rejected images.
        stale_features: The rows of `features` whose image is gone or has changed, and repeated ones.
        stale_rejected: Likewise of `rejected`, and those of images that have features or are tried again.
    """

    new: pa.Table
    features: Table
    rejected: Table
    stale_features: RowNumbers
    stale_rejected: RowNumbers

    def first(self, n: int) -> "Work":
        """Return the work on the n new images whose paths have the smallest hashes."""
        hashes = [path_hash(path) for path in self.new.column(PATH).to_pylist()]
        order = np.sort(np.argsort(hashes, kind="stable")[:n])
        return replace(self, new=self.new.take(pa.array(order)))


class _Match:
    """A listing beside a table.

    Attributes:
        row: For each listed image the number of the first row with its path, -1 if there is none.
        is_same: For each listed image whether that row has its label, size and date.
        is_stale: For each row of the table whether it is not the row of a listed image as it is.
        gone: The paths of rows that are listed no more.
    """

    def __init__(self, images: pa.Table, table: Table) -> None:
        self._files = list(table.files.values())
        nothing = table.schema.empty_table().select(KEY)
        with table.reading():
            stored = pa.concat_tables([nothing, *table.folder.read(self._files, KEY)])
        rows = pc.index_in(images.column(PATH), value_set=_combined(stored.column(PATH)))
        self.row = rows.fill_null(-1).to_numpy()
        is_stored = self.row >= 0
        listed, beside = images.filter(pa.array(is_stored)), stored.take(pa.array(self.row[is_stored]))
        same = np.ones(len(beside), dtype=bool)
        for name in KEY:
            same &= pc.equal(listed.column(name), beside.column(name)).to_numpy()
        self.is_same = np.zeros(len(images), dtype=bool)
        self.is_same[is_stored] = same
        self.is_stale = np.ones(len(stored), dtype=bool)
        self.is_stale[self.row[self.is_same]] = False
        is_listed = pc.is_in(stored.column(PATH), value_set=_combined(images.column(PATH)))
        self.gone = stored.column(PATH).filter(pc.invert(is_listed))

    def stale(self) -> RowNumbers:
        """Return the stale rows by file."""
        return rows_by_file(self._files, self.is_stale)


def compare(
    images: pa.Table, features: Table, rejected: Table, retry_rejected: bool = False
) -> tuple[Work, dict[str, int]]:
    """Compare a listing with what is stored, by the keys of the rows.

    Args:
        images: The listing, `schemas.IMAGES_SCHEMA`, each path once.
        features: The table of features.
        rejected: The table of rejected images.
        retry_rejected: Try images again that were rejected before.

    Returns:
        The work, and the counts: `listed` = `known` (have features) + `rejected_before` + `retried` +
        `changed` (stored with another label, size or date) + `new`; `gone`, the images that are stored but
        listed no more; and `stored`, all of these that were stored.
    """
    by_features, by_rejected = _Match(images, features), _Match(images, rejected)
    is_known = by_features.is_same
    settled = by_rejected.is_same & ~is_known
    retried = settled & retry_rejected
    by_rejected.is_stale[by_rejected.row[by_rejected.is_same & (is_known | retried)]] = True
    kept = is_known | (settled & ~retried)
    is_stored = (by_features.row >= 0) | (by_rejected.row >= 0)
    changed = is_stored & ~kept & ~retried
    new = ~is_stored
    gone = len(pc.unique(pa.chunked_array([*by_features.gone.chunks, *by_rejected.gone.chunks], pa.string())))
    masks = {"known": is_known, "rejected_before": settled & ~retried, "retried": retried, "changed": changed}
    counts = {name: int(mask.sum()) for name, mask in (masks | {"new": new}).items()}
    to_do = pa.concat_tables([images.filter(pa.array(changed | retried)), images.filter(pa.array(new))])
    return (
        Work(to_do, features, rejected, by_features.stale(), by_rejected.stale()),
        {"listed": len(images), **counts, "gone": gone, "stored": int(is_stored.sum()) + gone},
    )


def describe_counts(counts: Mapping[str, int]) -> str:
    """Return the counts of a comparison as a sentence."""
    n = {name: f"{count:,}" for name, count in counts.items()}
    return (
        f"{n['listed']} images listed: {n['known']} featurized before, {n['rejected_before']} rejected "
        f"before, {n['retried']} rejected before and tried again, {n['new']} new, {n['changed']} changed; "
        f"{n['gone']} stored images are listed no more; {n['postponed']} left to a later run by limit"
    )


def rows_by_file(files: list[DataFile], mask: NDArray[np.bool_]) -> dict[DataFile, NDArray[np.int64]]:
    """Return the rows for which `mask` holds, which goes over the rows of all `files`, by file."""
    parts = np.split(mask, np.cumsum([file.rows for file in files])[:-1]) if files else []
    numbers = zip(files, map(np.flatnonzero, parts), strict=True)
    return {file: rows for file, rows in numbers if len(rows)}


def rows_with(table: Table, paths: pa.Array | pa.ChunkedArray) -> dict[DataFile, NDArray[np.int64]]:
    """Return the rows of a table whose path is one of `paths`, by file."""
    files = list(table.files.values())
    if not files:
        return {}
    with table.reading():
        stored = pa.concat_tables(table.folder.read(files, [PATH])).column(PATH)
    return rows_by_file(files, pc.is_in(stored, value_set=paths).to_numpy())


def _combined(paths: pa.ChunkedArray) -> pa.Array:
    """Return text as one array; more than 2 GB of it take 64-bit offsets."""
    chunks = paths.cast(pa.large_string()).chunks
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_string())
