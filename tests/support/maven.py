"""Java's libraries out of Maven Central, by the Ivy that comes with pyspark; it checks their digests."""

import importlib.util
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from fruits_bigdata.spark.java import find_java


def retrieve(folder: Path, *modules: str, transitive: bool = True, exclude: Sequence[str] = ()) -> None:
    """Put the jars of `modules` into `folder`; what is there already is not fetched again.

    Args:
        folder: Is made, with its parents.
        modules: Each as `organisation:name:version`, or `organisation:name:version:classifier`.
        transitive: Take what they need, too.
        exclude: What is left out, wherever it is asked for, each as `organisation:name`; a * is every one.

    Raises:
        RuntimeError: Something cannot be had, and Ivy's own words say what; or there is no pyspark.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spark = importlib.util.find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise RuntimeError("Java's libraries are fetched by pyspark's Ivy: pip install pyspark==3.5.9")
    (ivy_jar,) = (Path(spark.origin).parent / "jars").glob("ivy-*.jar")
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "ivy.xml").write_text(_description(modules, transitive, exclude))
        ivy = [find_java(), "-jar", str(ivy_jar), "-ivy", "ivy.xml", "-cache", str(folder / ".ivy")]
        pattern = f"{folder}/[artifact]-[revision](-[classifier]).[ext]"
        done = subprocess.run(
            [*ivy, "-types", "jar", "bundle", "-retrieve", pattern],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or "UNRESOLVED" in done.stdout or "FAILED DOWNLOADS" in done.stdout:
        raise RuntimeError(
            f"Maven Central did not give {', '.join(modules)}:\n{done.stdout[-2000:]}{done.stderr}"
        )


def _description(modules: Sequence[str], transitive: bool, exclude: Sequence[str]) -> str:
    lines = [
        '<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">',
        '<info organisation="fruits_bigdata" module="jars"/><dependencies>',
    ]
    for module in modules:
        org, name, version, *classifier = module.split(":")
        lines.append(
            f'<dependency org="{org}" name="{name}" rev="{version}" transitive="{str(transitive).lower()}"'
            f' conf="*->default">'
        )
        lines += [f'<artifact name="{name}" type="jar" m:classifier={quoteattr(one)}/>' for one in classifier]
        lines.append("</dependency>")
    for module in exclude:
        org, name = module.split(":")
        lines.append(f'<exclude org="{org}" module="{name}"/>')
    return "\n".join([*lines, "</dependencies></ivy-module>"])
