"""One writer at a time: a file in the output folder that only one run can create."""

import logging
import os
import socket
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from fruits_bigdata.lock_file import open_lock_file
from fruits_bigdata.storage import StorageError, in_short, is_storage_failure

# Takings that another run may spoil before this one gives up.
_ATTEMPTS = 5

# Which thread of this process holds a lock: one that was interrupted, in a notebook, holds it no more.
_threads: dict[str, threading.Thread] = {}

logger = logging.getLogger(__name__)


class OutputLockedError(RuntimeError):
    """Another run writes to the same output."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        host: The name of the driver's machine.
        machine: What tells it from another of that name: its boot, and the space of its process ids.
        processes: Process ids of the driver and, once it runs, of its Java, each with its start.
        started: When the run began, ISO 8601, UTC.
        run_id: Kedro's.
        token: Unlike any other holder's.
    """

    host: str
    machine: str
    processes: dict[int, str]
    started: str
    run_id: str
    token: str

    @classmethod
    def this_process(cls, run_id: str) -> "Holder":
        """Return the holder that this process is."""
        return cls(
            host=socket.gethostname(),
            machine=_this_machine(),
            processes={os.getpid(): process_start(os.getpid()) or ""},
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            run_id=run_id,
            token=uuid.uuid4().hex,
        )

    def is_gone(self) -> bool:
        """Tell whether the run is known to have ended: only a run of this machine can be."""
        if (self.host, self.machine) != (socket.gethostname(), _this_machine()):
            return False
        if os.getpid() in self.processes and self.token in _threads:
            thread = _threads[self.token]
            return thread is threading.current_thread() or not thread.is_alive()
        return not any(process_start(pid) == start for pid, start in self.processes.items())

    def __str__(self) -> str:
        processes = ", ".join(map(str, self.processes))
        return f"{self.run_id} on {self.host}, process {processes}, since {self.started}"


_HOLDER = TypeAdapter(Holder)


class OutputLock:
    """The right to write below an output folder, and the file that says who has it.

    Args:
        url: The lock's file: a local path or an `s3://` address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._file = open_lock_file(url)
        self._held: Holder | None = None

    def acquire(self, run_id: str, break_it: bool = False) -> None:
        """Take the lock; that of a run of this machine whose processes are gone is taken over.

        Args:
            run_id: Kedro's, for those who find the lock taken.
            break_it: Take it from whoever holds it.

        Raises:
            OutputLockedError: Another run holds it.
            StorageError: The output cannot be written.
        """
        mine = Holder.this_process(run_id)
        try:
            self._take(mine, break_it)
        except Exception as error:
            if not is_storage_failure(error):
                raise
            raise StorageError(
                f"The output cannot be written, so nothing has been computed: {self.url}: {in_short(error)}. "
                f"Make it writable and see that it has space, or give another one with --params "
                f"output_path=..."
            ) from error
        _threads[mine.token] = threading.current_thread()
        self._held = mine

    def _take(self, mine: Holder, break_it: bool) -> None:
        for _ in range(_ATTEMPTS):
            if self._file.create(_to_json(mine)):
                return
            seen = self._file.read()
            if seen is None:
                continue
            self._check(seen, break_it)
            if self._file.replace(seen, _to_json(mine)):
                return
        raise OutputLockedError(f"Several runs want the lock {self.url} at once: start one of them again")

    def _check(self, seen: bytes, break_it: bool) -> None:
        """Raise unless the lock that was seen may be taken over."""
        try:
            holder = _HOLDER.validate_json(seen)
        except ValidationError:
            holder = None
        if break_it:
            logger.warning("The lock %s of the run %s is broken, as break_lock=true says", self.url, holder)
        elif holder is not None and holder.is_gone():
            logger.warning("The run %s ended without releasing its lock, which is taken over", holder)
        else:
            raise OutputLockedError(
                f"Another run writes to this output: {holder or 'one that cannot be told'} (lock "
                f"{self.url}). Wait until it has ended or choose another output_path; if its processes are "
                f"known to be gone, give --params break_lock=true"
            )

    def add_process(self, pid: int) -> None:
        """Note another process that writes for this run, such as the driver's Java.

        Raises:
            OutputLockedError: The lock has been broken.
        """
        if self._held is None:
            return
        more = replace(self._held, processes={**self._held.processes, pid: process_start(pid) or ""})
        if not self._file.replace(_to_json(self._held), _to_json(more)):
            raise OutputLockedError(f"The lock {self.url} was taken from this run, which ends")
        self._held = more

    def release(self) -> None:
        """Give the lock back, if it is held. A run does not fail because that cannot be done."""
        if self._held is None:
            return
        held, self._held = self._held, None
        try:
            removed = self._file.remove(_to_json(held))
        except Exception as error:
            if not is_storage_failure(error):
                raise
            # Its thread stays known, so that the next run of this process takes the lock over too.
            logger.warning(
                "The lock %s could not be given back: %s. The next run on this machine takes it over; one "
                "elsewhere needs --params break_lock=true",
                self.url,
                in_short(error),
            )
            return
        if not removed:
            logger.warning("The lock %s was taken from this run while it wrote", self.url)
        _threads.pop(held.token, None)


def process_start(pid: int) -> str | None:
    """Return when a process was started, in its system's own words; None if there is none.

    An id is given again to another process; id and start together are not.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # proc(5): the name, in brackets, may hold anything; state is the 3rd field, starttime the 22nd.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    said = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or None


def _this_machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return str(uuid.getnode())


def _to_json(holder: Holder) -> bytes:
    return _HOLDER.dump_json(holder, indent=2)
