"""A proxy on loopback before a real S3 server, which lets a share of the requests fail as S3 and networks do.

    with FaultyProxy(server.endpoint, share=0.05, seed=0) as proxy:
        ... proxy.endpoint
        print(proxy.counts, proxy.requests, proxy.retries)

`counts` has the requests by what became of them, `requests` by method and first folder; `retries` are those
that had failed before and were sent once more. A request is passed on as it came, with its Host header and
its path, so its signature stays valid.
"""

import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

# slow_down: 503 SlowDown; the server hears nothing. reset: the connection breaks, and the server has heard
# nothing. lost: the server has done what was asked, and the connection breaks before its answer. cut: it
# breaks in the middle of the answer's body. hang: the answer comes after `hang_seconds`.
FAULTS = ("slow_down", "reset", "lost", "cut", "hang")

_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message><RequestId>faulty</RequestId></Error>"
)
_PIECE = 64 * 1024
# RFC 9110, 7.6.1: these are of one connection, not of the request.
_OF_THE_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "proxy-connection")
_CHUNK_SIZE = re.compile(rb"^([0-9a-fA-F]+)")


class FaultyProxy:
    """A threading HTTP/1.1 proxy.

    Args:
        endpoint: The server behind it, `http://host:port`.
        share: The share of the requests that fail, 0 to 1; it may be changed at any time.
        faults: Which of `FAULTS` happen, each as often as the others.
        seed: The same seed and the same order of requests give the same faults.
        hang_seconds: How long an answer waits that hangs; all end with the proxy.
        without: Names of headers, in lower case, that are left out of the answers.
        only: Tells by method and raw path whether a request may fail; all may by default.
        one_by_one: Tells which requests the server behind gets only one of at a time.
    """

    def __init__(
        self,
        endpoint: str,
        share: float,
        faults: Sequence[str] = FAULTS,
        seed: int = 0,
        hang_seconds: float = 1.0,
        without: Sequence[str] = (),
        only: Callable[[str, str], bool] = lambda method, path: True,
        one_by_one: Callable[[str, str], bool] = lambda method, path: False,
    ) -> None:
        self.share = share
        self.faults = tuple(faults)
        self.counts: Counter[str] = Counter()
        self.requests: Counter[tuple[str, str]] = Counter()
        self.retries = 0
        self.hang_seconds = hang_seconds
        self.without = tuple(without)
        self.only = only
        self.one_by_one = one_by_one
        self.turn = threading.Lock()
        self.ended = threading.Event()
        split = urlsplit(endpoint)
        self.server_address = (split.hostname or "127.0.0.1", split.port or 80)
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._failed: dict[tuple[str, str], int] = {}

    def __enter__(self) -> "FaultyProxy":
        """Listen on a free port of loopback."""
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening and end what hangs."""
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def failed(self) -> int:
        """How many requests have failed."""
        return sum(n for fault, n in self.counts.items() if fault != "passed")

    def choose(self, method: str, path: str) -> str:
        """Return what becomes of a request, one of the faults or "passed", and count it."""
        with self._lock:
            fails = self._random.random() < self.share and self.only(method, path)
            fault = self._random.choice(self.faults) if fails else "passed"
            self.counts[fault] += 1
            self.requests[method, _folder(path)] += 1
            request = (method, path)
            self.retries += self._failed.pop(request, 0)
            if fault != "passed":
                self._failed[request] = 1
            return fault


def is_commit(method: str, path: str) -> bool:
    """Tell whether a request writes a version of a table: AWS takes one of two at once, and moto both."""
    return method == "PUT" and "/_delta_log/" in path


def _folder(path: str) -> str:
    """Return the first folder of the key in a request whose path begins with the bucket."""
    key = path.partition("?")[0].strip("/").partition("/")[2]
    return key.partition("/")[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Clients that open many connections at once are not the fault under test.
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up, which is what faults make them do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Small answers leave at once.
    disable_nagle_algorithm = True
    proxy: ClassVar[FaultyProxy]

    def do_GET(self) -> None:
        body = self._body()
        fault = self.proxy.choose(self.command, self.path)
        if fault == "slow_down":
            self._answer_slow_down()
            return
        if fault == "reset":
            self._reset()
            return
        if fault == "hang" and self.proxy.ended.wait(self.proxy.hang_seconds):
            self._reset()
            return
        connection = HTTPConnection(*self.proxy.server_address, timeout=60)
        waits = self.proxy.one_by_one(self.command, self.path)
        try:
            with self.proxy.turn if waits else nullcontext():
                self._pass_on(connection, body)
                answer = connection.getresponse()
            if fault == "lost":
                answer.read()
                self._reset()
            else:
                self._pass_back(answer, cut=fault == "cut")
        except (HTTPException, OSError):
            self._reset()
        finally:
            connection.close()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def _body(self) -> bytes:
        """Return the request's body as it travels, chunked or not."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while True:
            line = self.rfile.readline()
            found = _CHUNK_SIZE.match(line)
            size = int(found[1], 16) if found else 0
            body += line + self.rfile.read(size) + self.rfile.readline()
            if not size:
                return body

    def _pass_on(self, connection: HTTPConnection, body: bytes) -> None:
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            # The body is here already, so nobody waits for "100 Continue".
            if name.lower() not in ("connection", "keep-alive", "expect"):
                connection.putheader(name, value)
        connection.putheader("Connection", "close")
        connection.endheaders(body or None)

    def _pass_back(self, answer: HTTPResponse, cut: bool) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in (*_OF_THE_CONNECTION, *self.proxy.without):
                self.send_header(name, value)
        length = answer.headers.get("Content-Length")
        empty = self.command == "HEAD" or answer.status in (204, 304)
        if length is None and not empty:
            # Its end is the connection's end.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if cut and (empty or length == "0"):
            # There is no middle: what is cut is the answer's end.
            self._reset()
            return
        left = int(length) // 2 if cut and length else None
        while not empty and (piece := answer.read(_PIECE if left is None else min(_PIECE, left))):
            self.wfile.write(piece)
            left = None if left is None else left - len(piece)
            if left == 0:
                break
        if cut:
            self._reset()

    def _answer_slow_down(self) -> None:
        self.send_response(503, "Slow Down")
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(_SLOW_DOWN)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(_SLOW_DOWN)

    def _reset(self) -> None:
        """Break the connection: with nothing to linger for, TCP sends RST rather than FIN."""
        self.close_connection = True
        self.wfile.flush()
        # What was written may arrive before the reset does.
        time.sleep(0.002)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
