"""A YARN cluster on loopback: a resource manager and node managers, each a process of its own.

Hadoop 3.4's servers out of Maven Central. Each node has an address of its own in 127.0.0.0/8, so Spark and
the resource manager tell them apart as they do hosts.
"""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from fruits_bigdata.spark.java import find_java
from tests.support.maven import retrieve
from tests.support.processes import JARS, free_ports

HADOOP = "3.4.2"
_SERVERS = tuple(
    f"org.apache.hadoop:hadoop-yarn-server-{name}:{HADOOP}"
    for name in ("resourcemanager", "nodemanager", "timelineservice")
)
_MAIN = "org.apache.hadoop.yarn.server"
# Google's Guice of the web pages needs the door that Java 17 has closed.
_JAVA_OPTIONS = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "--add-opens=java.base/java.lang=ALL-UNNAMED")
_CREDENTIALS = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
_LOG4J = """log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
"""


class YarnCluster:
    """A resource manager and `n_nodes` node managers.

    Args:
        folder: For configuration, logs and what the containers write; must not exist.
        n_nodes: How many node managers.
        memory_mb: What each gives to containers; EMR's own figure for m5.xlarge is 12288.
        cores: The virtual cores of each.
        environment: Variables that node managers have and hand on to containers.
    """

    def __init__(
        self,
        folder: Path,
        n_nodes: int = 2,
        memory_mb: int = 12288,
        cores: int = 4,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._environment = dict(environment or {})
        self.nodes = [f"127.0.0.{2 + i}" for i in range(n_nodes)]
        self._node = {
            "yarn.nodemanager.resource.memory-mb": memory_mb,
            "yarn.nodemanager.resource.cpu-vcores": cores,
            # EMR's too: Java and Python reserve more than they use.
            "yarn.nodemanager.vmem-check-enabled": "false",
            # The disk of the machine that plays two nodes may be fuller than theirs.
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99,
            "yarn.nodemanager.delete.debug-delay-sec": 0,
            "yarn.nodemanager.env-whitelist": ",".join(("JAVA_HOME", *self._environment)),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def conf_dir(self) -> Path:
        """The folder for HADOOP_CONF_DIR, as a client of the cluster needs it."""
        return self.folder / "client"

    def __enter__(self) -> "YarnCluster":
        """Start all and wait until every node has reported."""
        jars = JARS / f"yarn-{HADOOP}"
        retrieve(jars, *_SERVERS)
        self.folder.mkdir(parents=True)
        ports = free_ports(5)
        names = ("", ".scheduler", ".resource-tracker", ".admin", ".webapp")
        manager = {
            f"yarn.resourcemanager{name}.address": f"127.0.0.1:{port}"
            for name, port in zip(names, ports, strict=True)
        }
        self._web = f"http://127.0.0.1:{ports[-1]}/ws/v1/cluster"
        # As on EMR, requests are not rounded up to whole GB. A lost node is noticed sooner than there.
        manager |= {
            "yarn.scheduler.minimum-allocation-mb": 32,
            "yarn.nm.liveness-monitor.expiry-interval-ms": 20000,
            "yarn.resourcemanager.nm.liveness-monitor.interval-ms": 1000,
        }
        self._configure(self.conf_dir, manager)
        try:
            self._start("resourcemanager", "resourcemanager.ResourceManager", self.conf_dir, jars)
            for node in self.nodes:
                own = {
                    f"yarn.nodemanager{name}.address": f"{node}:0" for name in ("", ".localizer", ".webapp")
                }
                own |= {"yarn.nodemanager.hostname": node, "yarn.nodemanager.bind-host": node}
                own |= {
                    f"yarn.nodemanager.{kind}-dirs": str(self.folder / node / kind)
                    for kind in ("local", "log")
                }
                self._configure(self.folder / node, {**manager, **self._node, **own})
                self._start(node, "nodemanager.NodeManager", self.folder / node, jars)
            self._wait(lambda: len(self.running_nodes()) == len(self.nodes))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the servers and every container that is left."""
        for name in list(self._processes):
            self._end(name, signal.SIGKILL)
        for pid, _ in self.containers():
            os.kill(pid, signal.SIGKILL)

    def running_nodes(self) -> list[str]:
        """Return the addresses of the nodes that the resource manager counts on."""
        nodes = (self._ask("nodes").get("nodes") or {}).get("node", [])
        return sorted(node["nodeHostName"] for node in nodes if node["state"] == "RUNNING")

    def applications(self) -> list[dict[str, Any]]:
        """Return what the resource manager knows of each application, the first one first."""
        apps = (self._ask("apps").get("apps") or {}).get("app", [])
        return sorted(apps, key=lambda app: app["startedTime"])

    def containers(self) -> Iterator[tuple[int, str]]:
        """Yield the process id of the Java of each Spark executor that runs, and its node."""
        for stat in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = stat.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if words[0].endswith("java") and any(str(self.folder) in word for word in words):
                if "--hostname" in words:
                    yield int(stat.parent.name), words[words.index("--hostname") + 1]
                elif any(word.endswith(("ExecutorLauncher", "ApplicationMaster")) for word in words):
                    yield int(stat.parent.name), "application master"

    def kill_node_manager(self, node: str) -> None:
        """Kill a node as a machine that loses its power: its manager and all of its containers at once."""
        self._end(node, signal.SIGKILL)
        for pid, its in self.containers():
            if its == node:
                os.kill(pid, signal.SIGKILL)

    def log(self, name: str) -> str:
        """Return what `resourcemanager` or a node has logged."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _configure(self, folder: Path, settings: dict[str, Any]) -> None:
        folder.mkdir()
        # S3A's own chain knows no file of credentials.
        core = {
            "fs.defaultFS": "file:///",
            "hadoop.tmp.dir": str(folder / "tmp"),
            "fs.s3a.aws.credentials.provider": _CREDENTIALS,
        }
        scheduler = {
            "yarn.scheduler.capacity.root.queues": "default",
            "yarn.scheduler.capacity.root.default.capacity": 100,
            "yarn.scheduler.capacity.maximum-am-resource-percent": 0.5,
        }
        for name, values in (("core-site", core), ("yarn-site", settings), ("capacity-scheduler", scheduler)):
            entries = "".join(
                f"<property><name>{key}</name><value>{escape(str(value))}</value></property>\n"
                for key, value in values.items()
            )
            (folder / f"{name}.xml").write_text(f"<configuration>\n{entries}</configuration>\n")
        (folder / "log4j.properties").write_text(_LOG4J)

    def _start(self, name: str, main: str, conf: Path, jars: Path) -> None:
        command = [find_java(), *_JAVA_OPTIONS, "-cp", f"{conf}:{jars}/*", f"{_MAIN}.{main}"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "JAVA_HOME": str(Path(find_java()).resolve().parent.parent),
            "LC_ALL": "C.UTF-8",
            **self._environment,
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=self.folder
            )

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self._processes.pop(name)
        process.send_signal(how)
        process.wait()

    def _wait(self, until: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"YARN's {name} ended: {self.log(name)[-3000:]}")
            try:
                if until():
                    return
            except OSError:
                pass
            time.sleep(0.3)
        raise TimeoutError(f"YARN is not ready after {seconds:.0f} s; its logs are in {self.folder}")

    def _ask(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self._web}/{what}", timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
        return told
