"""Where the time of a run goes, stage by stage."""

import platform
import socket
from datetime import UTC, datetime
from time import perf_counter
from typing import Any


class RunStatistics:
    """The clock of one run: the hooks wind it, the report reads it.

    A stage's time runs from the first dataset that a node of it loads to the last that the node saves, since
    a generator node works while it is saved.
    """

    def __init__(self) -> None:
        self._run: dict[str, Any] = {}
        self._began: float | None = None
        self._node: tuple[str, float] | None = None
        self._seconds: dict[str, float] = {}

    def start(self, run_id: str, env: str, parameters: dict[str, Any]) -> None:
        """Note what is run."""
        self._began = perf_counter()
        self._run = {
            "run_id": run_id,
            "env": env,
            "parameters": parameters,
            "host": socket.gethostname(),
            "machine": platform.platform(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def enter(self, stage: str, node: str) -> None:
        """Note that `node` begins to load, unless it has begun already."""
        if self._node is None or self._node[0] != node:
            self._node = (node, perf_counter())
            self._seconds.setdefault(stage, 0.0)

    def leave(self, stage: str, node: str) -> None:
        """Note that `node` has saved something; the time up to now is its stage's."""
        if self._node is not None and self._node[0] == node:
            now = perf_counter()
            self._seconds[stage] += now - self._node[1]
            self._node = (node, now)

    def as_dict(self) -> dict[str, Any]:
        """Return the run, its seconds up to now and those of each stage."""
        total = perf_counter() - self._began if self._began is not None else 0.0
        stages = {stage: round(seconds, 3) for stage, seconds in self._seconds.items()}
        return {**self._run, "seconds": round(total, 3), "seconds_by_stage": stages}
