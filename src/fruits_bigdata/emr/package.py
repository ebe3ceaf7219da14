"""What is shipped to a cluster: the project, its Python environment as wheels, the weights and the scripts.

    package/
      MANIFEST.json               version, architecture, and the SHA-256 of every file
      bootstrap.sh                makes a node ready out of this folder alone
      bin/                        environment.sh, fruits-run, set-bucket
      project/                    pyproject.toml and conf/, which `kedro run` needs beside the package
      requirements-worker.txt     with the hash of each wheel
      requirements-master.txt     the same and TensorFlow, which compiles the weights
      wheels/  weights/

Nothing in it comes from the machine that it is made on but the project and the weights: wheels are those of
requirements.lock, for the cluster's Python and processor.
"""

import hashlib
import json
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from fruits_bigdata import __version__
from fruits_bigdata.vision.weights import WEIGHTS_FILE_NAME

Architecture = Literal["x86_64", "aarch64"]
Role = Literal["worker", "master"]

PYTHON_VERSION = "3.11"
# Amazon Linux 2023 has glibc 2.34, so it runs every wheel made for one of these.
_GLIBC = ("2_34", "2_31", "2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")
_EXTRAS: dict[Role, list[str]] = {"worker": [], "master": ["--extra", "driver"]}

logger = logging.getLogger(__name__)


class PackageError(RuntimeError):
    """The package cannot be made; the message says why and what to do."""


def build_package(
    folder: Path, weights: Path, architecture: Architecture = "x86_64", project: Path | None = None
) -> Path:
    """Make the package in `folder`, which appears when it is whole.

    Args:
        folder: Is replaced if it is there.
        weights: The Keras weights (.h5) that the master will find in Keras' own cache.
        architecture: The nodes' processor: x86_64 (m5) or aarch64 (Graviton, m6g).
        project: The clone, with pyproject.toml, conf and requirements.lock; by default the current folder.

    Returns:
        `folder`.

    Raises:
        PackageError: A wheel is not to be had for that processor, or a tool failed.
    """
    project = (project or Path.cwd()).resolve()
    if not (project / "requirements.lock").exists():
        raise PackageError(f"{project} is not the project: run this where requirements.lock lies")
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".package-") as scratch:
        unfinished = Path(scratch) / folder.name
        wheels = unfinished / "wheels"
        wheels.mkdir(parents=True)
        _build_wheel(project, wheels)
        for role in _EXTRAS:
            _write_requirements(project, unfinished, role, architecture)
        _add_project(project, unfinished)
        (unfinished / "weights").mkdir()
        shutil.copy(weights, unfinished / "weights" / WEIGHTS_FILE_NAME)
        _write_manifest(unfinished, architecture)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    n, size = len(list(_files(folder))), sum(file.stat().st_size for file in _files(folder))
    logger.info("Package %s for %s: %d files, %.0f MB", folder, architecture, n, size / 1e6)
    return folder


def platform_tags(architecture: Architecture) -> list[str]:
    """Return the platform tags (PEP 600) of wheels that run on Amazon Linux 2023."""
    glibcs = [f"manylinux_{glibc}_{architecture}" for glibc in _GLIBC]
    return [*glibcs, f"manylinux2014_{architecture}", f"linux_{architecture}"]


def resolve(project: Path, role: Role, architecture: Architecture) -> str:
    """Return the requirements of a node, with the hashes of every file that fits the lock.

    Raises:
        PackageError: The lock has something of which there is no wheel for that processor.
    """
    command = [
        *(str(Path(sys.executable).parent / "uv"), "pip", "compile", str(project / "pyproject.toml")),
        *_EXTRAS[role],
        *("--constraint", str(project / "requirements.lock")),
        *("--python-version", PYTHON_VERSION, "--python-platform", f"{architecture}-manylinux_2_28"),
        *("--only-binary", ":all:"),
        *("--generate-hashes", "--no-header", "--no-annotate", "--quiet"),
    ]
    return _run(command, project)


def _build_wheel(project: Path, wheels: Path) -> None:
    _pip(["wheel", str(project), "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)])


def _write_requirements(project: Path, package: Path, role: Role, architecture: Architecture) -> None:
    """Fetch the role's wheels, which must be the lock's, and write their hashes down."""
    resolved = package / f"resolved-{role}.txt"
    resolved.write_text(resolve(project, role, architecture))
    wheels = package / "wheels"
    before = set(wheels.iterdir())
    with tempfile.TemporaryDirectory(dir=package) as scratch:
        _pip(
            [
                *("download", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
                *("--python-version", PYTHON_VERSION, "--implementation", "cp"),
                *(word for tag in platform_tags(architecture) for word in ("--platform", tag)),
                *("--requirement", str(resolved), "--dest", scratch),
            ]
        )
        own = [wheel for wheel in before if wheel.name.startswith("fruits_bigdata-")]
        names = [wheel.name for wheel in Path(scratch).iterdir()] + [wheel.name for wheel in own]
        for wheel in Path(scratch).iterdir():
            wheel.replace(wheels / wheel.name)
    resolved.unlink()
    lines = [_requirement(wheels / name) for name in sorted(names)]
    (package / f"requirements-{role}.txt").write_text("\n".join(lines) + "\n")


def _requirement(wheel: Path) -> str:
    name, version, *_ = wheel.name.split("-")
    return f"{name}=={version} --hash=sha256:{_digest(wheel)}"


def _add_project(project: Path, package: Path) -> None:
    """Copy what `kedro run --env emr` reads; conf/local is the user's own and stays."""
    to = package / "project"
    # Kedro wants the folder of the sources, which are installed as a wheel.
    (to / "src").mkdir(parents=True)
    (to / "src" / ".keep").touch()
    for name in ("pyproject.toml", ".telemetry", "conf/logging.yml"):
        (to / name).parent.mkdir(exist_ok=True)
        shutil.copy(project / name, to / name)
    for environment in ("base", "emr"):
        shutil.copytree(project / "conf" / environment, to / "conf" / environment)
    (to / "conf" / "local").mkdir()
    (to / "conf" / "local" / ".keep").touch()
    shutil.copy(project / "infra" / "bootstrap.sh", package)
    shutil.copytree(project / "infra" / "bin", package / "bin")


def _write_manifest(package: Path, architecture: Architecture) -> None:
    files = {str(file.relative_to(package)): _digest(file) for file in _files(package)}
    facts = {"version": __version__, "architecture": architecture, "python": PYTHON_VERSION}
    (package / "MANIFEST.json").write_text(json.dumps({**facts, "files": files}, indent=2) + "\n")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pip(arguments: Sequence[str]) -> None:
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments], None)


def _run(command: Sequence[str], folder: Path | None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr or done.stdout).strip()[-1500:]
        raise PackageError(f"{Path(command[0]).name} {command[1]} ... failed: {message}")
    return done.stdout
