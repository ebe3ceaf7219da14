"""A machine of AWS', as far as its metadata go."""

import http.server
import threading
from collections.abc import Callable, Iterator

import pytest

_TOKEN = "a token"


@pytest.fixture
def metadata_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Serve instance metadata (IMDSv2) by HTTP, to this process and to those that it starts."""
    servers = []

    def serve(metadata: dict[str, str], tokens: bool = True) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                asked = (
                    self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
                )
                self._answer(_TOKEN if asked and tokens else None, 403)

            def do_GET(self) -> None:
                if self.headers["X-aws-ec2-metadata-token"] != _TOKEN:
                    self._answer(None, 401)
                    return
                self._answer(metadata.get(self.path.removeprefix("/latest/meta-data/")), 404)

            def _answer(self, text: str | None, otherwise: int) -> None:
                self.send_response(otherwise if text is None else 200)
                self.end_headers()
                self.wfile.write((text or "").encode())

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
        return address

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
