"""A Spark installation as a cluster has one: Spark 3.5 on Hadoop 3.4, with S3A and AWS' SDK."""

from pathlib import Path

import pyspark

from tests.stress.rehearsal.yarn import HADOOP
from tests.support.maven import retrieve
from tests.support.processes import JARS

# What Hadoop 3.4.2's S3A calls of AWS' SDK; its own bundle of all of the SDK has 600 MB.
_SDK = "2.29.52"
_SDK_MODULES = ("s3", "s3-transfer-manager", "sts", "kms", "url-connection-client")
# Spark brings its own.
_BROUGHT = (
    "io.netty:*",
    "org.slf4j:*",
    "org.apache.httpcomponents:*",
    "commons-codec:*",
    "commons-logging:*",
)
_HADOOP_MODULES = tuple(f"hadoop-{name}" for name in ("client-api", "client-runtime", "aws"))


def make_spark_home(folder: Path, defaults: dict[str, object]) -> Path:
    """Lay out `folder` as EMR's /usr/lib/spark, of the installed pyspark and Hadoop's jars.

    Args:
        folder: Is made.
        defaults: For conf/spark-defaults.conf.

    Returns:
        `folder`.
    """
    hadoop = JARS / f"s3a-{HADOOP}"
    own = hadoop / "hadoop"
    retrieve(own, *(f"org.apache.hadoop:{name}:{HADOOP}" for name in _HADOOP_MODULES), transitive=False)
    sdk = hadoop / f"sdk-{_SDK}"
    retrieve(sdk, *(f"software.amazon.awssdk:{name}:{_SDK}" for name in _SDK_MODULES), exclude=_BROUGHT)
    wheel = Path(pyspark.__file__).parent
    (folder / "python").mkdir(parents=True)
    for name in ("bin", "sbin"):
        (folder / name).symlink_to(wheel / name)
    (folder / "python" / "pyspark").symlink_to(wheel)
    (folder / "python" / "lib").symlink_to(wheel / "python" / "lib")
    jars = folder / "jars"
    jars.mkdir()
    for jar in (wheel / "jars").glob("*.jar"):
        if not jar.name.startswith(_HADOOP_MODULES):
            (jars / jar.name).symlink_to(jar)
    for jar in [*own.glob("*.jar"), *sdk.glob("*.jar")]:
        (jars / jar.name).symlink_to(jar)
    (folder / "conf").mkdir()
    given = {"spark.yarn.jars": f"local:{jars}/*", **defaults}
    lines = [f"{name} {value}\n" for name, value in given.items()]
    (folder / "conf" / "spark-defaults.conf").write_text("".join(lines))
    return folder
