"""What happens to a run: it is killed, another one begins, or the answer to one of its commits is lost."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from tests.stress.kill.place import Place
from tests.support.faulty_proxy import FaultyProxy
from tests.support.processes import process_tree
from tests.support.runs import FEATURES

TARGETS = ("driver", "java", "worker")
EXECUTOR = "executor"
_MAX_ATTEMPTS = 30
_REFUSED = re.compile(
    r"ConcurrentRunError: Another run has written to \S+ since this one began: \S+ on \S+, started \S+\. "
    r"This run stops, and nothing is lost"
)
_COMMIT = re.compile(rf"/{FEATURES}/_delta_log/(\d{{20}})\.json(?:\?|$)")

Result = dict[str, Any]


class Kills:
    """Runs are killed once or twice, and started again until they are done.

    Args:
        place: Where.
        seconds: How long a run takes that nothing disturbs.
        targets: Who is killed.
    """

    def __init__(self, place: Place, seconds: float, targets: Sequence[str]) -> None:
        self._place = place
        self._targets = targets
        # The first hits for certain: with the readers at work, runs are slower than the undisturbed one.
        self._latest = [0.9 * seconds, 1.3 * seconds]

    def __call__(self, i: int, output: str) -> Result:
        """Return the kills that hit, and how each attempt ended."""
        plan = [
            (random.uniform(0, latest), random.choice(self._targets))
            for latest in self._latest[: random.choice((1, 2))]
        ]
        log = self._place.folder / f"run-{i}.log"
        kills: list[Result] = []
        attempts: list[str] = []
        while len(attempts) < _MAX_ATTEMPTS:
            process = self._place.start(output, log)
            while plan:
                kill = _kill_after(*plan[0], process, log)
                if kill is None:
                    break
                kills.append(kill)
                plan = plan[1:]
                if kill["target"] != EXECUTOR:
                    break
            code = process.wait()
            if code == 0:
                problem = (
                    EXECUTOR in self._targets and attempts and "a run did not survive its executor's end"
                )
                return {"kills": kills, "attempts": [*attempts, "done"], "problem": problem or None}
            attempts.append("killed" if code < 0 else "failed")
            if not kills:
                break
        raise click.ClickException(f"{attempts}: {log.read_text(errors='replace')[-3000:]}")


class TwoRuns:
    """Two runs at once on one output, the second up to a run's time after the first."""

    def __init__(self, place: Place, seconds: float) -> None:
        self._place = place
        self._seconds = seconds

    def __call__(self, i: int, output: str) -> Result:
        """Return how both ended; a third one completes the output."""
        logs = [self._place.folder / f"run-{i}-{which}.log" for which in ("first", "second", "third")]
        # Half of all begin together.
        delay = random.choice((0.0, random.uniform(0, self._seconds)))
        first = self._place.start(output, logs[0])
        time.sleep(delay)
        codes = [run.wait() for run in (self._place.start(output, logs[1]), first)][::-1]
        texts = [log.read_text(errors="replace") for log in logs[:2]]
        attempts = [
            "done" if code == 0 else "refused" if _REFUSED.search(text) else "failed"
            for code, text in zip(codes, texts, strict=True)
        ]
        problem = None
        if "done" not in attempts or "failed" in attempts:
            problem = f"two runs at once ended with {attempts}: {[text[-1500:] for text in texts]}"
        again = self._place.start(output, logs[2]).wait()
        if again:
            problem = f"the run after two at once failed: {logs[2].read_text(errors='replace')[-3000:]}"
        return {"delay": delay, "attempts": [*attempts, "failed" if again else "done"], "problem": problem}


class LostAnswers:
    """The answer to one commit of the features is lost: to the first, the second and so on, run by run.

    Args:
        place: Where, on S3.
        proxy: Before the server; nothing else fails.
    """

    def __init__(self, place: Place, proxy: FaultyProxy) -> None:
        self._place = place
        self._proxy = proxy
        proxy.faults = ("lost",)

    def __call__(self, i: int, output: str) -> Result:
        """Return which version it was, and how the run ended, which must take the commit for its own."""
        log = self._place.folder / f"run-{i}.log"
        # An output of the day before has versions already; the first one that comes is this run's first.
        lost: list[int] = []
        seen: set[int] = set()
        nth = i // 2 % 3

        def hits(method: str, path: str) -> bool:
            found = _COMMIT.search(path) if method == "PUT" else None
            if found is None or lost:
                return False
            seen.add(int(found[1]))
            if len(seen) > nth:
                lost.append(int(found[1]))
                return True
            return False

        self._proxy.only, self._proxy.share = hits, 1
        try:
            code = self._place.start(output, log).wait()
        finally:
            self._proxy.share = 0
        problem = None
        if code or not lost:
            text = log.read_text(errors="replace")[-3000:]
            problem = f"the answer to version {lost} of the features was lost, and the run ended with {text}"
        return {"lost": lost, "attempts": ["failed" if code else "done"], "problem": problem}


Disturbance = Callable[[int, str], Result]


def _find(target: str, driver: int) -> int | None:
    """Return the process id of a run's driver, Java, or of one of its Python workers or executors."""
    if target == "driver":
        return driver
    below = process_tree(driver)
    words = {
        "java": "org.apache.spark.deploy.SparkSubmit",
        EXECUTOR: "CoarseGrainedExecutorBackend",
        # The daemon has forked the workers, and looks like them; Java has its name among its settings.
        "worker": "-m fruits_bigdata.warmup.worker_daemon",
    }
    pids = [pid for pid, command in below.items() if words[target] in command]
    return random.choice(pids) if pids else None


def _kill_after(seconds: float, target: str, process: subprocess.Popen[bytes], log: Path) -> Result | None:
    """Let a run go on for some seconds and kill the target once it is there; None if the run ended before."""
    began = time.monotonic()
    while process.poll() is None:
        if time.monotonic() - began >= seconds:
            pid = _find(target, process.pid)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                nodes = re.findall(r"Running node: (\w+)", log.read_text(errors="replace"))
                after = round(time.monotonic() - began, 2)
                return {"target": target, "after": after, "during": nodes[-1] if nodes else "start"}
        time.sleep(0.005)
    return None
