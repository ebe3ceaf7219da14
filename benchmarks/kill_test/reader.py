"""Reads an output through the catalog, over and over, and notes whatever should not be seen there.

    python -m benchmarks.kill_test.reader FOLDER

FOLDER holds `expected.json`, `params.json` and `output.txt`, the output to read; notes are lines of
`reader.jsonl`. The reader ends when `output.txt` is gone.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import hash as spark_hash

from benchmarks.runs import PROJECT
from fruits_bigdata.spark_session import create_session

_TABLES = ("features", "rejected", "pca", "pca_csv", "pca_model", "metrics")
# The version that is being read may be removed: such a reader reads again, as docs/guarantees.md says.
_REMOVED = ("FileNotFoundException", "FileNotFoundError", "PATH_NOT_FOUND", "does not exist")
_NOTHING_YET = ("Nothing has been published", "There is no PCA model", "No such file", "not found")


@dataclass(frozen=True)
class Expected:
    """What may be seen of an output.

    Attributes:
        features: The hash of the features of each image that has them, before or after.
        rejected: The images that are rejected, before or after.
        wholes: Which images a published table holds: those of before, or those of after.
    """

    features: dict[str, int]
    rejected: list[str]
    wholes: list[list[str]]

    def complaint(self, name: str, found: Any) -> str | None:
        """Return what is wrong with a dataset that was loaded; None if nothing is."""
        if name == "pca_model":
            return self._number(found.summary.moments.n)
        if name == "metrics":
            return self._number(found["counts"]["features"])
        if name == "features":
            rows = hashes(found)
            wrong = [path for path, hashed in rows.items() if self.features.get(path) != hashed]
            return _say(wrong, "have other features") or _twice(found)
        paths = paths_of(found)
        if name == "rejected":
            return _say(sorted({*paths} - {*self.rejected}), "were rejected") or _twice(found)
        if sorted(paths) in self.wholes:
            return None
        return f"{len(paths)} rows, which are neither those of before nor those of after"

    def _number(self, n: int) -> str | None:
        return None if n in map(len, self.wholes) else f"{n} images instead of {list(map(len, self.wholes))}"


def hashes(features: DataFrame) -> dict[str, int]:
    """Return the hash of the features of each image."""
    return {row[0]: row[1] for row in features.select("path", spark_hash("features")).collect()}


def paths_of(table: DataFrame) -> list[str]:
    """Return the path of each row."""
    return [row["path"] for row in table.select("path").collect()]


def load_catalog(output: str, params: Mapping[str, object]) -> Any:
    """Return the project's catalog for an output."""
    return _context({**params, "output_path": output}).catalog


def reading_session(params: Mapping[str, object]) -> SparkSession:
    """Return a session that reads what runs with these parameters have written."""
    settings = {"spark.master": "local[1]", "spark.ui.enabled": False, "spark.driver.memory": "1g"}
    return create_session(settings | (_context(params).config_loader["s3a"] if params else {}))


def _context(params: Mapping[str, object]) -> KedroContext:
    bootstrap_project(PROJECT)
    s3 = {name.removeprefix("s3."): value for name, value in params.items() if name.startswith("s3.")}
    others = {name: value for name, value in params.items() if not name.startswith("s3.")}
    with KedroSession.create(PROJECT, runtime_params=others | ({"s3": s3} if s3 else {})) as session:
        return session.load_context()


def _twice(table: DataFrame) -> str | None:
    return _say([path for path, n in Counter(paths_of(table)).items() if n > 1], "are there more than once")


def _say(paths: Iterable[str], what: str) -> str | None:
    found = list(paths)
    return f"{len(found)} images {what}, such as {found[0]!r}" if found else None


def _missing(error: BaseException | None) -> bool:
    """Tell whether a file is not there: on S3 the words say no more than its name."""
    return error is not None and (isinstance(error, FileNotFoundError) or _missing(error.__cause__))


def _look(catalog: Any, name: str, expected: Expected) -> tuple[str, str | None]:
    """Return how a look ended ("seen", "nothing yet", "removed", "wrong") and, if wrong, what was wrong."""
    try:
        complaint = expected.complaint(name, catalog.load(name))
    except Exception as error:  # whatever a reader may meet
        said = str(error)
        if isinstance(error, DatasetError) and (
            any(words in said for words in _NOTHING_YET) or _missing(error)
        ):
            return "nothing yet", None
        if any(words in said for words in _REMOVED):
            return "removed", None
        return "wrong", f"{type(error).__name__}: {said[:500]}"
    return ("wrong", complaint) if complaint else ("seen", None)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def main(folder: Path) -> None:
    """Read until there is nothing to read any more."""
    params = json.loads((folder / "params.json").read_text())
    reading_session(params)
    expected = Expected(**json.loads((folder / "expected.json").read_text()))
    output, catalog = None, None
    with (folder / "reader.jsonl").open("a") as notes:
        while True:
            try:
                named = (folder / "output.txt").read_text()
            except FileNotFoundError:
                return
            if named != output:
                output, catalog = named, load_catalog(named, params)
            for name in _TABLES:
                ended, complaint = _look(catalog, name, expected)
                note = {"output": output, "dataset": name, "ended": ended, "complaint": complaint}
                notes.write(json.dumps(note) + "\n")
            notes.flush()
            time.sleep(0.02)


if __name__ == "__main__":
    main()
