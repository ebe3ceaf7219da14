"""Copy on write: rows leave a table, and small files become few, by files that are written anew."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fruits_bigdata.tables.comparison import RowNumbers
from fruits_bigdata.tables.data_files import MAX_ROWS, DataFile
from fruits_bigdata.tables.delta import Change, Table

# A reader opens so many small files without noticing.
_MAX_SMALL_FILES = 64
_SMALL_ROWS = MAX_ROWS // 5

# Applies a function to each part of some bytes, in this process or in Spark's workers.
MapParts = Callable[[Callable[[Any], Any], list[Any], int], list[Any]]


def rewrite(table: Table, stale: RowNumbers, map_parts: MapParts) -> tuple[list[DataFile], list[str]]:
    """Write the files that hold stale rows anew without these, several small ones as one.

    Args:
        table: The table, whose log is not touched.
        stale: Its stale rows.
        map_parts: Where the files are written.

    Returns:
        The new files, and the names of those that they replace.
    """
    groups = _groups(stale)
    parts = [{file: stale[file] for file in group} for group in groups]
    with table.reading():
        added = map_parts(table.folder.rewrite, parts, sum(file.size for file in stale))
    return [file for file in added if file is not None], [file.name for file in stale]


def merge_small_files(table: Table, map_parts: MapParts) -> Change | None:
    """Write small files anew as few, if there are many.

    Returns:
        The change, which changes no row; None if there are few.
    """
    small = [file for file in table.files.values() if file.rows < _SMALL_ROWS]
    if len(small) <= _MAX_SMALL_FILES:
        return None
    groups = [group for group in _groups(small) if len(group) > 1]
    nothing: NDArray[Any] = np.zeros(0, dtype=np.int64)
    parts = [dict.fromkeys(group, nothing) for group in groups]
    with table.reading():
        added = map_parts(table.folder.rewrite, parts, sum(file.size for file in small))
    merged = {file.name: [part.name for part in group] for file, group in zip(added, groups, strict=True)}
    return Change(table, added, [file.name for group in groups for file in group], merged, last=False)


def _groups(files: Iterable[DataFile]) -> list[list[DataFile]]:
    """Share files out so that each group has the rows of a whole file at most, or is a single file."""
    groups: list[list[DataFile]] = []
    n = MAX_ROWS
    for file in sorted(files, key=lambda file: file.rows):
        if n + file.rows > MAX_ROWS:
            groups.append([])
            n = 0
        groups[-1].append(file)
        n += file.rows
    return groups
