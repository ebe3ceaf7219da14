"""The Spark session."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pyspark
from pyspark import java_gateway
from pyspark.sql import SparkSession

from fruits_bigdata.spark.java import find_java, java_version

_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
# 20,000 rows of features: less than Spark needs to start.
_LOCAL_BYTES = 100_000_000

Part = TypeVar("Part")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class SparkEnvironmentError(RuntimeError):
    """A variable of the environment names something by which Spark cannot start."""


class _Session:
    """The session of this process: started once, when it is needed or some time before."""

    def __init__(self) -> None:
        self.settings: Mapping[str, Any] = {}
        self.own: Future[SparkSession] | None = None


_this = _Session()


def configure(settings: Mapping[str, Any]) -> None:
    """Set what `get_session` starts a session with: Spark's own names."""
    _this.settings = settings


def check_environment() -> None:
    """Refuse variables that lead Spark astray, before anything is started.

    Raises:
        SparkEnvironmentError: JAVA_HOME, SPARK_HOME or PYSPARK_PYTHON names what is not there.
    """
    for name, program in (("JAVA_HOME", "bin/java"), ("SPARK_HOME", "bin/spark-submit")):
        home = os.environ.get(name)
        if home and not Path(home, program).exists():
            raise SparkEnvironmentError(
                f"{name}={home}, where there is no {program}: let it name a folder that has one, or unset "
                f"it, and the one that the project installs is used"
            )
    python = os.environ.get("PYSPARK_PYTHON")
    if python and shutil.which(python) is None:
        raise SparkEnvironmentError(
            f"PYSPARK_PYTHON={python} is no program: let it name the Python of this environment "
            f"({sys.executable}), or unset it, and that one is used"
        )


def start_session() -> None:
    """Begin to start the session and its Python workers, beside other work, unless there is one already."""
    if _this.own is not None or SparkSession.getActiveSession() is not None:
        return
    starter = ThreadPoolExecutor(1, thread_name_prefix="spark")
    _this.own = starter.submit(create_session, _this.settings)
    starter.submit(lambda own: start_python_workers(own.result()), _this.own)
    starter.shutdown(wait=False)


def get_session() -> SparkSession:
    """Return the session: one that a notebook has already, or else one with the project's settings.

    Raises:
        RuntimeError: There is no Java that Spark runs on.
    """
    session = None if _this.own is not None else SparkSession.getActiveSession()
    if session is not None:
        return session
    start_session()
    assert _this.own is not None
    return _this.own.result()


def stop_session() -> None:
    """Stop the session, if it was started here."""
    own, _this.own = _this.own, None
    if own is not None and own.exception() is None:
        own.result().stop()


def map_parts(function: Callable[[Part], Result], parts: list[Part], n_bytes: int) -> list[Result]:
    """Apply a function to each part of some data.

    Args:
        function: Of a part. Both can be pickled.
        parts: The parts.
        n_bytes: Size of what the function reads, of all parts together. Little is done in this process at
            once, more by Spark's workers.
    """
    if n_bytes <= _LOCAL_BYTES or not parts:
        return [function(part) for part in parts]
    context = get_session().sparkContext
    return context.parallelize(parts, len(parts)).map(function).collect()


def create_session(settings: Mapping[str, Any]) -> SparkSession:
    """Start a session with `settings`, Spark's own names; those that are None are left out.

    The workers run the Python of this process unless `spark.pyspark.python` or PYSPARK_PYTHON names another.
    A session on this machine listens on the loopback address only, unless SPARK_LOCAL_IP names another.

    Raises:
        RuntimeError: There is no Java that Spark runs on.
    """
    version = java_version(find_java())
    _set_utf8_locale()
    # AWS' SDK in pyspark's Hadoop knows the file of credentials by an old name only.
    if "AWS_SHARED_CREDENTIALS_FILE" in os.environ:
        os.environ.setdefault("AWS_CREDENTIAL_PROFILES_FILE", os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    os.environ.setdefault("PYSPARK_PYTHON", settings.get("spark.pyspark.python") or sys.executable)
    if str(settings.get("spark.master", "")).partition("[")[0] == "local":
        # Else Spark's pages, if they are on, answer on every address.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
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
    """Return where Java's and Spark's classes are kept ready for Java (`warmup.class_archive`)."""
    folder = Path(sys.prefix, "var", "fruits_bigdata")
    return folder / "java.jsa", folder / f"spark-{pyspark.__version__}.jsa"


def start_python_workers(session: SparkSession) -> None:
    """Let Spark start a Python worker on each core, which takes seconds, before there is work for it."""
    context = session.sparkContext
    try:
        # Without Spark SQL, which starts meanwhile.
        context.parallelize(range(context.defaultParallelism), context.defaultParallelism).foreach(
            lambda _: None
        )
    except Exception:
        # The first task of the run will say what is wrong.
        logger.debug("The Python workers did not start ahead of the work", exc_info=True)


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
    options = str(settings.get(_JAVA_OPTIONS) or "")
    base, top = archive_paths()
    local = str(settings.get("spark.master", "")).startswith("local")
    # Java 8 would not start with the options, and 11 knows no such archive.
    if not local or version != 17 or not top.exists() or "Archive" in options:
        return settings
    # Another Java, or another Spark's jars, loads its classes as ever, and without a word.
    use = f'-XX:SharedArchiveFile="{base}:{top}" -Xlog:cds=off -Xlog:cds+dynamic=off -Xlog:class+path=off'
    return {**settings, _JAVA_OPTIONS: f"{options} {use}".strip()}


def _set_utf8_locale() -> None:
    """Let the JVM see accented file names; it takes its encoding from the locale when it starts."""
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((os.environ[name] for name in names if os.environ.get(name)), "")
    if "utf" not in locale.lower():
        os.environ["LC_ALL"] = "C.UTF-8"
