"""Where the runs of a test lie: images, of which some go and some come, and outputs, on disk or on S3."""

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.tables.delta import Table
from tests.stress.kill.readers import Expected, by_table, hashes
from tests.support.runs import PROJECT, TABLES, kedro_run, sample_images

# Of all images: gone since the day before, came since, damaged.
_GONE, _NEW, _DAMAGED = 0.35, 0.3, 0.01

Params = dict[str, object]
# The hash of each image's features, and the rejected images.
Outcome = tuple[dict[str, str], list[str]]


@dataclass(frozen=True)
class Place:
    """Images and outputs.

    Attributes:
        folder: On this machine.
        root: What the addresses of images and outputs begin with: `folder`, or a bucket.
        params: Of every run.
        options: Of every run after the one of the day before.
    """

    folder: Path
    root: str
    params: Params
    options: list[str] = field(default_factory=list)

    @property
    def is_on_s3(self) -> bool:
        """Whether images and outputs lie in a bucket."""
        return self.root.startswith("s3://")

    def start(self, output: str, log: Path, **changes: object) -> subprocess.Popen[bytes]:
        """Start a run."""
        params = {**self.params, "output_path": output, **changes}
        text = ",".join(f"{name}={value}" for name, value in params.items())
        command = [sys.executable, "-m", "kedro", "run", *self.options, "--params", text]
        with log.open("wb") as file:
            return subprocess.Popen(command, cwd=PROJECT, stdout=file, stderr=subprocess.STDOUT)

    def begin(self, i: int) -> str:
        """Return the output of run i: an empty one or, of every second run, that of the day before."""
        output = f"{self.root}/run-{i}"
        if i % 2:
            fs, before = url_to_fs(f"{self.root}/before")
            fs.copy(f"{before}/", f"{url_to_fs(output)[1]}/", recursive=True)
        (self.folder / "output.txt").write_text(output)
        return output

    def prepare(self, images: Path, size: int) -> tuple[Expected, Outcome, float]:
        """Make the images, run the day before and, undisturbed, today.

        Returns:
            What may be seen, what today's run leaves, and the seconds that it takes.
        """
        every = self.folder / "all"
        n = sample_images(images, size, every)
        paths = sorted(every.rglob("*.jpg"))
        random.shuffle(paths)
        for path in paths[: max(2, int(n * _DAMAGED))]:
            os.truncate(path, path.stat().st_size // 2)
        random.shuffle(paths)
        days = {"before": paths[: -int(n * _NEW)], "today": paths[int(n * _GONE) :]}
        outcomes: dict[str, Outcome] = {}
        for day, shown in days.items():
            self._show({str(path.relative_to(every)) for path in shown})
            output = f"{self.root}/{day}"
            began = time.monotonic()
            options = self.options if day == "today" else []
            kedro_run({**self.params, "output_path": output}, "__default__", options=options)
            outcomes[day] = self.outcome(output)
        seconds = time.monotonic() - began
        listed = [sorted(str(path.relative_to(every)) for path in shown) for shown in days.values()]
        expected = Expected(
            outcomes["before"][0] | outcomes["today"][0],
            sorted({*outcomes["before"][1], *outcomes["today"][1]}),
            listed,
            [sorted(features) for features, _ in outcomes.values()],
        )
        return expected, outcomes["today"], seconds

    def outcome(self, output: str) -> Outcome:
        """Return what a run has left; each image must be stored once, and the log must say how many."""
        seen = {name: by_table(f"{output}/{folder}", schema) for name, (folder, schema) in TABLES.items()}
        for name, table in seen.items():
            if not table.rows.num_rows == table.logged == len(table.paths):
                raise click.ClickException(f"{output}: rows of {name} are lost, or there twice")
        listed = len(seen["images"].paths)
        if listed != seen["features"].logged + seen["rejected"].logged:
            raise click.ClickException(f"{output}: {listed} images are listed, and not as many are done")
        return hashes(seen["features"].rows), sorted(seen["rejected"].paths)

    def unnamed_files(self, output: str) -> int:
        """Return how many data files no log names: what a dead run has left, and nobody has deleted yet."""
        tables = [Table(f"{output}/{folder}", schema) for folder, schema in TABLES.values()]
        return sum(len(table.folder.sizes().keys() - table.files.keys()) for table in tables)

    def _show(self, names: set[str]) -> None:
        """Let these images be in the folder, and no others; what stays is not written again."""
        fs, there = url_to_fs(f"{self.root}/images")
        shown = {path.removeprefix(f"{there}/") for path in fs.find(there)}
        for name in shown - names:
            fs.rm_file(f"{there}/{name}")
        for name in sorted(names - shown):
            if self.is_on_s3:
                fs.put_file(str(self.folder / "all" / name), f"{there}/{name}")
            else:
                Path(there, name).parent.mkdir(parents=True, exist_ok=True)
                os.link(self.folder / "all" / name, f"{there}/{name}")
