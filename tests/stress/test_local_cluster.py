"""A cluster of separate executors on this machine, of which one is killed in the middle of a run."""

import os
import signal
import subprocess
import time

from tests.support.commands import PROJECT
from tests.support.processes import process_tree
from tests.support.runs import FEATURES, local_cluster


def executors(driver: int) -> list[int]:
    """Return the process ids of a run's executors."""
    return sorted(pid for pid, said in process_tree(driver).items() if "CoarseGrainedExecutorBackend" in said)


def test_a_run_completes_whose_executor_is_killed(tmp_path, command, assert_same):
    output, log = tmp_path / "output", tmp_path / "log"
    options, environment = local_cluster(tmp_path / "cluster")
    with log.open("w") as file:
        process = subprocess.Popen(
            command(*options, output_path=output),
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    # The first chunk is in the table, and the second is being made.
    commit = output / FEATURES / "_delta_log" / f"{1:020d}.json"
    while not commit.exists() and process.poll() is None:
        time.sleep(0.01)
    before = executors(process.pid)
    os.kill(before[0], signal.SIGKILL)
    assert process.wait() == 0, log.read_text()[-5000:]
    assert len(before) == 2
    assert "Lost executor" in log.read_text()
    assert_same(output)
