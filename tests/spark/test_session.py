import os
import re

import pytest
from pyspark.sql import SparkSession

from fruits_bigdata.spark import session as spark_session
from fruits_bigdata.spark.session import map_parts
from tests.support.commands import run_python


def test_the_locale_becomes_utf8_unless_it_is(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    spark_session._set_utf8_locale()
    assert os.environ["LC_ALL"] == "C.UTF-8"
    for fitting in ("fr_FR.utf8", "en_US.UTF-8"):
        monkeypatch.setenv("LC_ALL", fitting)
        spark_session._set_utf8_locale()
        assert os.environ["LC_ALL"] == fitting
    # LC_ALL goes before the others.
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    monkeypatch.setenv("LC_ALL", "POSIX")
    spark_session._set_utf8_locale()
    assert os.environ["LC_ALL"] == "C.UTF-8"


@pytest.mark.slow
def test_java_starts_beside_nodes_that_multiply_matrices_and_hears_no_ctrl_c():
    # A fork beside a thread in OpenBLAS may never end. What is registered is called by forks only.
    program = (
        "import os\n"
        "forks = []\n"
        "os.register_at_fork(before=lambda: forks.append(1))\n"
        "from pathlib import Path\n"
        "from fruits_bigdata.spark.session import create_session\n"
        "spark = create_session({'spark.master': 'local[1]', 'spark.ui.enabled': False})\n"
        "children = Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text().split()\n"
        "groups = {os.getpgid(int(pid)) for pid in children}\n"
        "print('forks:', forks, 'groups of their own:', groups and os.getpgrp() not in groups)\n"
    )
    done = run_python(program)
    assert "forks: [] groups of their own: True" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_catalog_in_a_notebook_starts_the_projects_session():
    """Whatever is loaded first, no session with Spark's own defaults is in the way of later runs."""
    program = """
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from pyspark import SparkContext
from pyspark.sql import SparkSession

project = Path.cwd()
bootstrap_project(project)
places = {"images_path": "data", "output_path": "build/none"}
with KedroSession.create(project, runtime_params=places) as session:
    catalog = session.load_context().catalog
    print("rows", catalog.load("features").rows, SparkSession.getActiveSession())
    catalog.load("images_binary")
    session = SparkSession.builder.getOrCreate()
    print(session.sparkContext.getConf().get("spark.python.daemon.module"))
"""
    done = run_python(program)
    assert "rows 0 None" in done.stdout, done.stderr
    assert "fruits_bigdata.warmup.worker_daemon" in done.stdout, done.stderr


def test_little_is_worked_on_here_and_much_by_sparks_workers(spark, monkeypatch):
    def where(part: int) -> tuple[int, int]:
        return part, os.getpid()

    assert map_parts(where, [1, 2], 100) == [(1, os.getpid()), (2, os.getpid())]
    monkeypatch.setattr(spark_session, "_LOCAL_BYTES", 99)
    (one, two) = map_parts(where, [1, 2], 100)
    assert (one[0], two[0]) == (1, 2)
    assert os.getpid() not in (one[1], two[1])
    assert map_parts(where, [], 100) == []


def test_a_session_that_could_not_start_says_why_where_it_is_needed(monkeypatch):
    def no_java(settings: object) -> SparkSession:
        raise RuntimeError("no Java was found")

    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    monkeypatch.setattr(spark_session, "create_session", no_java)
    spark_session.start_session()
    with pytest.raises(RuntimeError, match="no Java was found"):
        spark_session.get_session()
    spark_session.stop_session()


@pytest.mark.slow
@pytest.mark.parametrize(("ui", "address"), [(False, None), (True, None), (True, "0.0.0.0")])
def test_a_session_on_this_machine_listens_on_loopback_unless_told_otherwise(ui, address):
    settings = {"spark.master": "local[1]", "spark.ui.enabled": ui, "spark.ui.port": 0}
    program = (
        "from pathlib import Path\n"
        "import os\n"
        "from fruits_bigdata.spark.session import create_session\n"
        f"spark = create_session({settings!r})\n"
        "(java,) = Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text().split()\n"
        "java = Path('/proc', java)\n"
        "sockets = {path.readlink().name for path in (java / 'fd').iterdir() if path.is_symlink()}\n"
        "for table in ('tcp', 'tcp6'):\n"
        "    for line in (java / 'net' / table).read_text().splitlines()[1:]:\n"
        "        _, local, _, state, *_, inode = line.split()[:10]\n"
        "        if state == '0A' and f'socket:[{inode}]' in sockets:\n"
        "            print('listens:', local)\n"
        "print('page:', spark.sparkContext.uiWebUrl)\n"
    )
    done = run_python(program, SPARK_LOCAL_IP=address)
    listening = re.findall(r"listens: (\w+):\w+", done.stdout)
    assert listening, done.stderr
    # 127.0.0.1, as it is and mapped into IPv6.
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert (set(listening) <= loopback) == (address is None), done.stdout
    assert ("page: None" in done.stdout) != ui
