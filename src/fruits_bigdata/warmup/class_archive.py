"""Java's class data sharing, for Spark on one machine; `python -m` this module prepares it.

A local session spends seconds in loading and verifying the same thousands of classes each time. Java 13 and
later map them into memory from archives instead (JEP 310, JEP 350): one of Java's own classes, and one of
Spark's that builds upon it. They are made once for an environment, the second by a session that does what a
run does; a Java or a Spark that is not the archives' own ignores them.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pandas as pd
import pyarrow as pa

from fruits_bigdata.spark.java import find_java, java_version
from fruits_bigdata.spark.session import archive_paths, create_session, start_python_workers


def make_archives() -> bool:
    """Make the archives of Java's own classes and of Spark's anew; return False if this Java keeps none.

    Raises:
        RuntimeError: The session that they are made from failed.
    """
    java = find_java()
    if java_version(java) != 17:
        return False
    folder = archive_paths()[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    # Java crashes over half an archive, so none is ever at its place; and the second fits its own first only.
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        base, top = (Path(unfinished, path.name) for path in archive_paths())
        _run([java, "-Xshare:dump", f"-XX:SharedArchiveFile={base}"])
        # Its output ends when Java has ended too, which is when the archive is whole.
        _run([sys.executable, "-m", __spec__.name, "--train", str(base), str(top)])
        for path in archive_paths():
            path.unlink(missing_ok=True)
        for path in archive_paths():
            os.replace(Path(unfinished, path.name), path)
    return True


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")


def _train(base: Path, top: Path) -> None:
    """Have Java do what it does in a run, in a session whose Java writes `top` when it ends."""
    options = f'-XX:SharedArchiveFile="{base}" -XX:ArchiveClassesAtExit="{top}"'
    session = create_session(
        {
            "spark.master": "local[*,4]",
            "spark.driver.extraJavaOptions": options,
            "spark.ui.showConsoleProgress": False,
            "spark.sql.execution.arrow.pyspark.enabled": True,
        }
    )
    start_python_workers(session)
    context = session.sparkContext
    broadcast, n_done = context.broadcast(b"model"), context.accumulator(0)

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            n_done.add(len(broadcast.value))
            yield batch

    def chunk(number: int) -> int:
        rows = session.createDataFrame(pd.DataFrame({"path": ["a", "b"], "length": number}))
        return len(rows.repartition(2).mapInArrow(task, rows.schema).collect())

    # As in a run, the second chunk begins before the first has ended.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(chunk, range(2)))
    context.parallelize([0, 1], 2).map(lambda part: part).collect()
    session.stop()


@click.command(help=__doc__)
@click.option("--train", type=click.Path(path_type=Path), nargs=2, hidden=True)
def main(train: tuple[Path, Path] | None) -> None:
    """Make the archives, or be the session that they are made from."""
    if train:
        _train(*train)
    elif make_archives():
        click.echo(f"Spark starts faster from now on: {archive_paths()[1]}")
    else:
        click.echo("Only Java 17 keeps Spark's classes in an archive: Spark starts as ever")


if __name__ == "__main__":
    main()
