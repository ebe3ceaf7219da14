"""The rehearsal's machines: what infra/bootstrap.sh makes of a package, and runs on the master."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fruits_bigdata.spark.java import find_java


@dataclass
class Events:
    """What Spark notes of an application.

    Attributes:
        executors: The node of each executor that registered.
        tasks: Tasks that ended well, by node.
        failed: Tasks that did not.
    """

    executors: list[str] = field(default_factory=list)
    tasks: Counter[str] = field(default_factory=Counter)
    failed: int = 0

    @classmethod
    def load(cls, log: Path) -> "Events":
        """Read an event log."""
        events = cls()
        for line in log.read_text().splitlines():
            event = json.loads(line)
            if event["Event"] == "SparkListenerExecutorAdded":
                events.executors.append(event["Executor Info"]["Host"])
            elif event["Event"] == "SparkListenerTaskEnd":
                if event["Task End Reason"]["Reason"] == "Success":
                    events.tasks[event["Task Info"]["Host"]] += 1
                else:
                    events.failed += 1
        return events


class Master:
    """The master node, and the Python that the others have.

    Args:
        folder: Where all is installed and logged.
        package: What `fruits_bigdata.emr.package.build_package` has made.
        variables: What the nodes' environment names: SPARK_HOME, HADOOP_CONF_DIR ...
    """

    def __init__(self, folder: Path, package: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        for role in ("master", "worker"):
            command = ["bash", str(package / "bootstrap.sh"), str(package), str(folder / role)]
            self._call(command, {"FRUITS_ROLE": role}, folder / f"bootstrap-{role}.log")
        home = folder / "home"
        home.mkdir()
        self._variables = {
            "HOME": str(home),
            "JAVA_HOME": str(Path(find_java()).resolve().parent.parent),
            "FRUITS_WORKER_PYTHON": str(folder / "worker" / "venv" / "bin" / "python"),
            **variables,
        }

    def start(self, name: str, params: Mapping[str, object]) -> subprocess.Popen[bytes]:
        """Start `fruits-run`, which logs to `<name>.log`."""
        given = ",".join(f"{key}={value}" for key, value in params.items())
        command = [str(self._folder / "master" / "bin" / "fruits-run"), "--params", given]
        with self.log_of(name).open("wb") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=_environment(self._variables)
            )

    def log_of(self, name: str) -> Path:
        """Return where a run logs."""
        return self._folder / f"{name}.log"

    def _call(self, command: list[str], variables: Mapping[str, str], log: Path) -> None:
        with log.open("wb") as file:
            done = subprocess.run(
                command, stdout=file, stderr=subprocess.STDOUT, env=_environment(variables), check=False
            )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return a node's environment: nothing of the project's own reaches it."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8", **variables}
