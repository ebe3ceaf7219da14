"""A real S3 protocol server on loopback: S3Proxy, one jar of Maven Central, run by Java 17.

    with S3Server({"images": folder}, latency_ms=30) as server:
        ... server.endpoint, server.environment
        print(server.requests(), server.bytes_sent())

Ivy, which comes with pyspark, fetches the jar (55 MB) once. Signatures are checked.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

from fruits_bigdata.spark.java import find_java
from tests.support.maven import retrieve
from tests.support.processes import JARS, free_ports

VERSION = "4.1.0"
SHA256 = "a4d025969aaf796616ed4b1e2491d87d455ce84bb28cb9db086b2e6aaa68b48d"
ACCESS_KEY, SECRET_KEY, REGION = "benchmark", "benchmark-secret", "us-east-1"
# S3Proxy says of every bucket that it lies in the region above.
RESIDENCY = {f"allowed_regions.{REGION}": "S3Proxy on this machine for a measurement"}

# The first compiler is at full speed soon and leaves the cores to the clients.
_JAVA_OPTIONS = ("-Xmx512m", "-XX:TieredStopAtLevel=1")
# Each GET, HEAD, LIST, PUT and DELETE passes through one of these.
_DELAYED = ("get", "metadata", "list", "put", "remove")
_COUNT = re.compile(r"^http_server_request_duration_seconds_count\{(.*)\} ([0-9.e+]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def fetch_jar() -> Path:
    """Return the server's jar, fetched if it is not there yet; its digest is checked each time."""
    jar = JARS / f"s3proxy-{VERSION}-jar-with-dependencies.jar"
    if not jar.exists():
        module = f"org.gaul:s3proxy:{VERSION}:jar-with-dependencies"
        retrieve(JARS, module, transitive=False)
    with jar.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise RuntimeError(f"{jar} is not the expected file: sha256 {digest}")
    return jar


class S3Server:
    """S3Proxy over folders of this machine.

    Args:
        buckets: The folder of each bucket; its files are the objects.
        latency_ms: Milliseconds that every request waits in the server.
    """

    def __init__(self, buckets: dict[str, Path], latency_ms: int = 0) -> None:
        self._buckets = buckets
        self._latency_ms = latency_ms
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "S3Server":
        """Start the server and wait until it answers."""
        jar = fetch_jar()
        self._scratch = Path(tempfile.mkdtemp(prefix="s3-server-"))
        for bucket, folder in self._buckets.items():
            (self._scratch / "buckets").mkdir(exist_ok=True)
            (self._scratch / "buckets" / bucket).symlink_to(folder.absolute())
        port, metrics_port = free_ports(2)
        self.endpoint = f"http://127.0.0.1:{port}"
        self._metrics = f"http://127.0.0.1:{metrics_port}/metrics"
        settings = {
            "s3proxy.endpoint": self.endpoint,
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": ACCESS_KEY,
            "s3proxy.credential": SECRET_KEY,
            "s3proxy.metrics.enabled": "true",
            "s3proxy.metrics.host": "127.0.0.1",
            "s3proxy.metrics.port": str(metrics_port),
            "jclouds.provider": "filesystem",
            "jclouds.filesystem.basedir": str(self._scratch / "buckets"),
        }
        if self._latency_ms:
            settings |= {f"s3proxy.latency-blobstore.{op}.latency": str(self._latency_ms) for op in _DELAYED}
        conf = self._scratch / "s3proxy.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self._log = self._scratch / "s3proxy.log"
        command = [
            find_java(),
            *_JAVA_OPTIONS,
            "-DLOG_LEVEL=warn",
            "-jar",
            str(jar),
            "--properties",
            str(conf),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait(60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"S3Proxy ended: {self._log.read_text()}")
            try:
                # The metrics' port opens after the endpoint's.
                self.requests()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError(f"S3Proxy does not answer: {self._log.read_text()}")

    def requests(self) -> Counter[str]:
        """Return how many requests were answered since the start: `{"GetObject 200": 6050, ...}`."""
        with urllib.request.urlopen(self._metrics, timeout=10) as response:
            text = response.read().decode()
        counts: Counter[str] = Counter()
        for labels, value in _COUNT.findall(text):
            named = dict(_LABEL.findall(labels))
            counts[f"{named['s3_operation']} {named['http_response_status_code']}"] += int(float(value))
        return counts

    def bytes_sent(self) -> int:
        """Return what the server wrote since its start: bodies, headers and its log (Linux only)."""
        assert self._process is not None
        found = re.search(r"wchar: (\d+)", Path(f"/proc/{self._process.pid}/io").read_text())
        assert found is not None
        return int(found[1])

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which AWS' clients find the credentials."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
