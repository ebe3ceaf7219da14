"""Programs in a process of their own, in the project's folder, with all that they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

Done = subprocess.CompletedProcess[str]


def run_python(program: str, *arguments: str, **variables: str | None) -> Done:
    """Run a program in Python; a variable that is None is not set."""
    return _run(["-c", program, *arguments], variables)


def run_module(name: str, *arguments: str, **variables: str | None) -> Done:
    """Run `python -m name`."""
    return _run(["-m", name, *arguments], variables)


def _run(arguments: list[str], variables: dict[str, str | None]) -> Done:
    environment = {name: value for name, value in ({**os.environ, **variables}).items() if value is not None}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, encoding="utf-8")


def take_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this process no AWS credentials, wherever AWS' clients look for them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
