"""What benchmarks and tests ask Linux about processes: who runs below whom, and how much memory each took."""

import re
import socket
from pathlib import Path

JARS = Path(__file__).parents[1] / "stress/results/jars"
"""Where Java's libraries are kept between runs."""


def process_tree(pid: int) -> dict[int, str]:
    """Return the processes below `pid` with their command lines."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: dict[int, str] = {}
    below = children.get(pid, [])
    while below:
        process = below.pop()
        try:
            found[process] = Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        below += children.get(process, [])
    return found


def peak_memory_mb(pid: int | str) -> float:
    """Return the largest resident size of a process so far (Linux only)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1e3


def free_ports(n: int) -> list[int]:
    """Return `n` ports of loopback that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
