"""Disks that are full or only to be read: real ones, in memory, that only the runs of a test can see."""

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.support.commands import PROJECT

# As root, or as a user whom the system lets be root of a name space of their own.
NAMESPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])


@pytest.fixture(scope="module")
def namespace() -> list[str]:
    """The command before one that may mount."""
    for prefix in NAMESPACES:
        try:
            tried = subprocess.run([*prefix, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
        except OSError:
            continue
        if tried.returncode == 0:
            return prefix
    reason = "nothing can be mounted here, so no disk can be made full"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def run_script(namespace, tmp_path) -> Callable[..., list[str]]:
    """Run a shell script that may mount; return what each of its parts said, which `echo ----` divides."""

    def run_script(script: str, run: list[str], **variables: object) -> list[str]:
        environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
        done = subprocess.run(
            [*namespace, "bash", "-c", f'set -u; run=("$@"); {script}', "bash", *run],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-5000:]
        return done.stdout.split("----\n")

    return run_script


def last_words(said: str) -> str:
    """Return the last line that a failed run has written."""
    # Where there was a progress bar, there are blanks now.
    *lines, ended = [line for line in said.replace("\r", "\n").splitlines() if line.strip()]
    assert ended == "ended with 1", said[-5000:]
    return lines[-1]


def test_a_full_output_is_named_and_the_next_run_repairs(run_script, command, assert_same, tmp_path):
    output, copy = tmp_path / "output", tmp_path / "copy"
    output.mkdir()
    script = """
        mount -t tmpfs -o size=700k none "$output" || exit
        "${run[@]}"; echo "ended with $?"; echo ----
        ls "$output" "$output"/04_feature/features/*.parquet; echo ----
        # A mount of its own, since the first run's Java may still have files open.
        mount --bind "$output" "$output" && mount -o remount,bind,ro "$output" || exit
        "${run[@]}"; echo "ended with $?"; echo ----
        umount "$output" && mount -o remount,size=50m "$output" || exit
        "${run[@]}" && cp -r "$output" "$copy"
    """
    full, left, read_only, again = run_script(script, command(output_path=output), output=output, copy=copy)
    said = last_words(full)
    assert said.startswith(f"No space left on device: the disk of {output}/04_feature/features was full ")
    assert "start the run again" in said
    # What a chunk has stored stays.
    assert ".parquet" in left
    said = last_words(read_only)
    assert said.startswith(f"Read-only file system: {output}/08_reporting was not to be had ")
    assert "start the run again" in said
    # Before anything was computed.
    assert "Running node: featurize_images" not in read_only
    assert "0 featurized before" not in again
    assert_same(copy)


def test_full_scratch_space_is_named(run_script, command, tmp_path):
    scratch, output = tmp_path / "scratch", tmp_path / "output"
    scratch.mkdir()
    # The model that is broadcast has 9 MB.
    script = 'mount -t tmpfs -o size=4m none "$SPARK_LOCAL_DIRS" || exit; "${run[@]}"; echo "ended with $?"'
    (said,) = run_script(script, command(output_path=output), SPARK_LOCAL_DIRS=scratch)
    last = last_words(said)
    assert last.startswith(f"No space left on device: the disk of {scratch}")
    assert "running featurization.broadcast_model" in last
    assert "spark.local.dir" in last
