"""The session of docs/emr.md, on the stand-in for AWS: from an empty account to results and back to nothing.

    python -m tests.support.emr_session --images fruits360/Test --package build/2.0.0-x86_64 --results data

Prints each command with its output, in Markdown. Nothing runs on the stand-in: where a cluster would write
its results, those of a run on this machine are put (`--results`, its output_path).
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import botocore.session
import click

from tests.support.local_aws import CREDENTIALS, LocalAws, serve

_FOLDERS = {
    "02_intermediate/images": "Results_Images",
    "04_feature/features": "Results",
    "04_feature/rejected": "Results_Rejected",
    "06_models/pca_model.npz": "Results_Model/pca_model.npz",
    "06_models/pca_models": "Results_Model/pca_models",
    "07_model_output/pca": "Results_PCA",
    "07_model_output/pca_csv": "Results_CSV",
    "08_reporting": "Results_Report",
}
_BUCKET = "fruits-123456789012-eu-west-3"


class Session:
    """Runs commands of the document and prints what they print."""

    def __init__(self, address: str, replaced: dict[str, str]) -> None:
        own = {"AWS_ENDPOINT_URL": address, "AWS_REGION": "eu-west-3", **CREDENTIALS}
        self.environment = {**os.environ, **own}
        self.replaced = replaced

    def __call__(self, command: str, interrupt_at: str | None = None) -> None:
        """Run one; `interrupt_at` is a pattern of the line at which Ctrl-C is pressed."""
        arguments = command
        for shown, real in self.replaced.items():
            arguments = arguments.replace(shown, real)
        words = arguments.split()[1:]
        process = subprocess.Popen(
            [sys.executable, "-m", "fruits_bigdata.emr.command", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        lines = []
        for line in (one.decode() for one in process.stdout):
            # Of a bar that moves, the end.
            lines.append(line.rstrip("\n").split("\r")[-1])
            if interrupt_at and re.search(interrupt_at, line):
                process.send_signal(2)
                interrupt_at = None
        process.wait()
        said = "\n".join(lines)
        for shown, real in self.replaced.items():
            said = said.replace(real, shown)
        print(f"```console\n$ {command}\n{said}\n```\n", flush=True)


def put_results(folder: Path) -> None:
    """Put what a run on this machine has written where one on a cluster would have written it."""
    s3 = botocore.session.Session().create_client("s3", region_name="eu-west-3")
    for local, there in _FOLDERS.items():
        place = folder / local
        for file in [place] if place.is_file() else [one for one in place.rglob("*") if one.is_file()]:
            key = there if file == place else f"{there}/{file.relative_to(place)}"
            s3.put_object(Bucket=_BUCKET, Key=key, Body=file.read_bytes())


def play(aws: LocalAws, session: Session) -> None:
    """Run the commands of docs/emr.md."""
    session("fruits-emr status")
    session("fruits-emr deploy --email you@example.org")
    session("fruits-emr deploy")
    session("fruits-emr upload fruits360/Test")
    session("fruits-emr package --no-build --folder build/2.0.0-x86_64")
    session("fruits-emr package --no-build --folder build/2.0.0-x86_64")
    session("fruits-emr up")
    session("fruits-emr results --to fetched/here")
    session("fruits-emr logs --lines 5")
    aws.held = True
    session("fruits-emr up --demo --hours 2", interrupt_at=r"step s-\w+ RUNNING")
    aws.held = False
    session("fruits-emr status --follow")
    session("fruits-emr run --params pca.refit=always --pipelines pca,export,reporting")
    session("fruits-emr notebook --dry-run")
    session("fruits-emr down")
    aws.step_end = "FAILED"
    session("fruits-emr up")
    session("fruits-emr down --everything --data --yes")
    session("fruits-emr status")


@click.command()
@click.option("--images", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--package", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--results", type=click.Path(exists=True, path_type=Path), required=True)
def main(images: Path, package: Path, results: Path) -> None:
    """Print the session."""
    with serve() as (aws, address), tempfile.TemporaryDirectory() as scratch:
        os.environ |= {"AWS_ENDPOINT_URL": address, **CREDENTIALS}
        aws.on_run = lambda command: put_results(results)
        shown = {"fruits360/Test": images, "build/2.0.0-x86_64": package, "fetched/here": Path(scratch)}
        play(aws, Session(address, {name: str(path) for name, path in shown.items()}))


if __name__ == "__main__":
    main()
