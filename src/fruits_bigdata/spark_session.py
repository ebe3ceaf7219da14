"""The Spark session."""

import logging
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyspark
from pyspark import SparkContext, accumulators, java_gateway
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import lit
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.java import find_java, java_version

_JAVA_OPTIONS = "spark.driver.extraJavaOptions"

logger = logging.getLogger(__name__)


def create_session(settings: Mapping[str, Any]) -> SparkSession:
    """Start a session with `settings`, Spark's own names; those that are None are left out.

    The workers run the Python of this process unless `spark.pyspark.python` or PYSPARK_PYTHON names another.

    Raises:
        RuntimeError: There is no Java that Spark runs on.
    """
    version = java_version(find_java())
    _set_utf8_locale()
    # AWS' SDK in pyspark's Hadoop knows the file of credentials by an old name only.
    if "AWS_SHARED_CREDENTIALS_FILE" in os.environ:
        os.environ.setdefault("AWS_CREDENTIAL_PROFILES_FILE", os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    os.environ.setdefault("PYSPARK_PYTHON", settings.get("spark.pyspark.python") or sys.executable)
    _end_at_once()
    _start_java_without_fork()
    builder = SparkSession.builder
    for key, value in _with_class_archive(settings, version).items():
        if value is not None:
            builder = builder.config(key, str(value).lower() if isinstance(value, bool) else str(value))
    session = builder.getOrCreate()
    logger.info(
        "Spark %s on %s, workers' Python %s",
        session.version,
        session.sparkContext.master,
        os.environ["PYSPARK_PYTHON"],
    )
    return session


def archive_paths() -> tuple[Path, Path]:
    """Return where Java's and Spark's classes are kept ready for Java (`fruits_bigdata.class_archive`)."""
    folder = Path(sys.prefix, "var", "fruits_bigdata")
    return folder / "java.jsa", folder / f"spark-{pyspark.__version__}.jsa"


def java_process_id() -> int:
    """Return the process id of the Java that runs this process' Spark session."""
    java: Any = SparkContext._jvm
    # "<process id>@<host>", by every Java from 8 on.
    name: str = java.java.lang.management.ManagementFactory.getRuntimeMXBean().getName()
    return int(name.partition("@")[0])


def start_python_workers(session: SparkSession) -> None:
    """Let Spark start a Python worker on each core, which takes seconds, before there is work for it."""
    n = session.sparkContext.defaultParallelism
    try:
        one_each = session.range(0, n, 1, n).mapInArrow(lambda batches: batches, "id long")
        one_each.write.format("noop").mode("overwrite").save()
    except Exception:
        # The first task of the run will say what is wrong.
        logger.debug("The Python workers did not start ahead of the work", exc_info=True)


def empty_table(session: SparkSession, schema: pa.Schema) -> DataFrame:
    """Return a table without rows that costs no job: the optimizer sees that there is nothing in it."""
    columns = [lit(None).cast(field.dataType).alias(field.name) for field in from_arrow_schema(schema)]
    return session.range(1).select(columns).limit(0)


def _end_at_once() -> None:
    """Let the server of pyspark's accumulators notice at once when the session stops.

    It looks once a second, and `SparkSession.stop` waits for it.
    """
    accumulators.select = SimpleNamespace(  # type: ignore[assignment, attr-defined]
        select=lambda readers, writers, exceptional, _: select.select(readers, writers, exceptional, 0.02)
    )


def _start_java_without_fork() -> None:
    """Let pyspark start Java by vfork, which calls no handlers in this process.

    For Java to ignore Ctrl-C, pyspark has a function called in the child, and that takes a fork. Before one,
    OpenBLAS waits for its threads to end; if a node multiplies matrices just then, it waits for ever, and all
    of Python with it. In a process group of its own, Java hears of no Ctrl-C either.
    """

    def popen(command: list[str], preexec_fn: object = None, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, process_group=0, **options)

    java_gateway.Popen = popen  # type: ignore[attr-defined, misc, assignment]


def _with_class_archive(settings: Mapping[str, Any], version: int | None) -> Mapping[str, Any]:
    """Let a session on this machine use the archives, unless its settings name some themselves."""
    given = str(settings.get(_JAVA_OPTIONS) or "")
    base, top = archive_paths()
    local = str(settings.get("spark.master", "")).startswith("local")
    # Java 8 would not start with the options, and 11 knows no such archive.
    if not local or version != 17 or not top.exists() or "Archive" in given:
        return settings
    # Another Java, or another Spark's jars, loads its classes as ever, and without a word.
    use = f'-XX:SharedArchiveFile="{base}:{top}" -Xlog:cds=off -Xlog:cds+dynamic=off -Xlog:class+path=off'
    return {**settings, _JAVA_OPTIONS: f"{given} {use}".strip()}


def _set_utf8_locale() -> None:
    """Let the JVM see accented file names; it takes its encoding from the locale when it starts."""
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((os.environ[name] for name in names if os.environ.get(name)), "")
    if "utf" not in locale.lower():
        os.environ["LC_ALL"] = "C.UTF-8"
