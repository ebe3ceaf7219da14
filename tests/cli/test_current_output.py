"""Log lines where Livy, which runs the notebook's kernel on EMR, keeps taking standard output away."""

import json
import subprocess
import sys

from tests.support.commands import PROJECT

# What Livy's Python (its fake_shell.py) does with a cell: one namespace, an output that is closed after it.
SHELL = """
import ast, io, json, sys, traceback

names = {}
answers = sys.stdout
sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
for line in sys.stdin:
    try:
        *nodes, last = ast.parse(json.loads(line)).body
        exec(compile(ast.Module(nodes, []), "<stdin>", "exec"), names)
        exec(compile(ast.Interactive([last]), "<stdin>", "single"), names)
    except Exception:
        traceback.print_exc()
    print(json.dumps([sys.stdout.getvalue(), sys.stderr.getvalue()]), file=answers, flush=True)
    sys.stdout.close()
    sys.stderr.close()
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
"""


def run_cells(*cells: str) -> list[tuple[str, str]]:
    """Return what each cell wrote to standard output and to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", SHELL],
        input="".join(f"{json.dumps(cell)}\n" for cell in cells),
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=True,
    )
    assert done.stderr == ""
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_each_cell_shows_its_own_log_lines():
    answers = run_cells(
        "import logging\nfrom kedro.framework.startup import bootstrap_project\n"
        f"bootstrap_project({str(PROJECT)!r})\nlogging.getLogger('fruits_bigdata').info('the first cell')",
        "logging.getLogger('fruits_bigdata').info('the second cell')",
        "logging.getLogger('fruits_bigdata').info('the third cell')\n1 + 1",
    )
    for (out, err), word in zip(answers, ("first", "second", "third"), strict=True):
        assert f"the {word} cell" in out
        assert out.count(" cell") == 1
        assert err == ""
