"""A machine of AWS', as far as its metadata go."""

import http.server
import threading

_TOKEN = "a token"


class InstanceMetadata:
    """A server of instance metadata (IMDSv2), until it is closed.

    Args:
        metadata: What is below `/latest/meta-data/`.
        tokens: Give a token to who asks for one.
    """

    def __init__(self, metadata: dict[str, str], tokens: bool = True) -> None:
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

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop to answer."""
        self._server.shutdown()
        self._server.server_close()
