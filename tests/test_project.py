"""The ways in which Kedro's users use a project: from anywhere, not installed, packaged, in a notebook."""

import re

import pytest

from tests.support.commands import PROJECT, Done, run_module, run_python

LINE = re.compile(r"^\d\d:\d\d:\d\d INFO    Listed 6 images$", re.MULTILINE)


@pytest.fixture
def plan(images_path, tmp_path) -> list[str]:
    """The arguments of a run that lists and writes nothing."""
    return ["--pipelines", "plan", "--params", f"images_path={images_path},output_path={tmp_path / 'out'}"]


def assert_planned(done: Done) -> None:
    assert done.returncode == 0, done.stderr
    assert LINE.search(done.stdout), done.stdout


def test_a_run_from_a_folder_below_the_project_looks_the_same(plan):
    program = "import os, sys\nfrom kedro.framework.cli.cli import main\nos.chdir('docs')\nmain()"
    assert_planned(run_python(program, "run", *plan))


def test_a_clone_that_is_not_installed_runs(plan):
    program = (
        "import sys\n"
        f"sys.path = [one for one in sys.path if one != {str(PROJECT / 'src')!r}]\n"
        "from kedro.framework.cli.cli import main\n"
        "main()\n"
    )
    assert_planned(run_python(program, "run", *plan, PYTHONPATH=None))


def test_the_package_runs_without_a_project(plan, tmp_path):
    program = (
        "import os, runpy, sys\n"
        "os.chdir(sys.argv.pop(1))\n"
        "runpy.run_module('fruits_bigdata', run_name='__main__', alter_sys=True)\n"
    )
    assert_planned(run_python(program, str(tmp_path), "--conf-source", str(PROJECT / "conf"), *plan))
    done = run_module("fruits_bigdata", "--params", "images_path=/a/${b}")
    assert done.stderr.startswith("Error: images_path=")


def test_a_notebook_loads_from_the_catalog():
    program = """
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "kedro.ipython")
shell.run_cell("print('rows:', catalog.load('rejected').rows, sorted(pipelines)[:2])", silent=False)
"""
    done = run_python(program)
    assert re.search(r"rows: \d+ \['__default__', 'export'\]", done.stdout), done.stdout + done.stderr


@pytest.mark.parametrize("variable", ["SPARK_HOME", "JAVA_HOME", "PYSPARK_PYTHON"])
def test_a_variable_that_leads_spark_astray_is_named_in_one_sentence(plan, variable):
    done = run_module("kedro", "run", *plan, **{variable: "/nowhere"})
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {variable}=/nowhere")
    assert "unset it" in done.stderr
    assert "Traceback" not in done.stderr
