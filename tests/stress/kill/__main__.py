"""Disturb runs, finish them, and compare what they leave with a run left in peace.

    python -m tests.stress.kill --images fruits360/Test --weights weights.h5 --runs 30

Each run is sent SIGKILL once or twice: the driver, its Java or a Python worker; with --local-cluster an
executor, of two that are processes of their own, and the same run has to complete. With --two-runs, two begin
on one output instead, and one of them is refused unless it has nothing left to write. With --lost-answers,
which takes --s3, S3 makes a commit and the answer is lost.

Every second output is empty at first, the others are those of the day before, of which some images are gone
since. Some images are damaged. All the while three readers look at the output: the library deltalake, the
project's own tables, and the files beside them. With --s3 images and output lie in a bucket of moto's server.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import click

from fruits_bigdata.storage.s3 import configure_s3
from tests.stress.kill.disturbances import EXECUTOR, TARGETS, Disturbance, Kills, LostAnswers, TwoRuns
from tests.stress.kill.place import Place
from tests.stress.kill.readers import KINDS, Expected
from tests.support.faulty_proxy import FaultyProxy, is_commit
from tests.support.moto_s3 import BUCKET, MotoS3
from tests.support.runs import PROJECT, local_cluster, write_results


@contextmanager
def looked_at(folder: Path, s3: dict[str, object], expected: Expected) -> Iterator[list[dict[str, Any]]]:
    """Let the readers look at the output that `output.txt` names; what they note is there in the end."""
    (folder / "params.json").write_text(json.dumps(s3))
    (folder / "expected.json").write_text(json.dumps(asdict(expected)))
    (folder / "output.txt").write_text(f"{folder}/nothing")
    notes: list[dict[str, Any]] = []
    readers = {}
    for kind in KINDS:
        command = [sys.executable, "-m", "tests.stress.kill.readers", kind, str(folder)]
        with (folder / f"{kind}.log").open("wb") as log:
            readers[kind] = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)
    try:
        yield notes
    finally:
        (folder / "output.txt").unlink()
        for kind, reader in readers.items():
            reader.wait()
            lines = [json.loads(line) for line in (folder / f"{kind}.jsonl").read_text().splitlines()]
            if not lines or lines.pop()["ended"] != "end":
                raise click.ClickException(f"A reader died: {(folder / f'{kind}.log').read_text()[-3000:]}")
            notes += [{"kind": kind, **line} for line in lines]


def table_of_looks(notes: list[dict[str, Any]]) -> list[str]:
    """Return, as a table, how the looks of each reader ended."""
    lines = [
        "| reader | looks | nothing there yet | reopened | wrong | median of a look, s |",
        "| --- " * 6 + "|",
    ]
    for kind in KINDS:
        mine = [note for note in notes if note["kind"] == kind]
        ended = Counter(note["ended"] for note in mine)
        reopened = sum(note.get("reopened", 0) for note in mine)
        seconds = [note["seconds"] for note in mine if "seconds" in note]
        spent = f"{median(seconds):.2f}" if seconds else ""
        lines.append(
            f"| {kind} | {len(mine):,} | {ended['nothing yet']:,} | {reopened} | {ended['wrong']} | {spent} |"
        )
    return lines


def summary(results: list[dict[str, Any]]) -> list[str]:
    """Return, as a table, what was done to the runs and how they ended."""
    kills = Counter(kill["target"] for result in results for kill in result.get("kills", ()))
    ends = Counter(", ".join(result["attempts"]) for result in results)
    figures = {
        "runs": len(results),
        **{f"kills of {target}": n for target, n in sorted(kills.items())},
        "attempts, median": median(len(result["attempts"]) for result in results),
        **{f"ended: {end}": n for end, n in ends.most_common()},
        "same features": sum(result["same"] for result in results),
        "seconds, median": round(median(result["seconds"] for result in results), 1),
        "files that no log names in the end, median": median(result["unnamed"] for result in results),
    }
    return ["| | |", "| --- | --- |", *(f"| {name} | {figure} |" for name, figure in figures.items())]


@click.command(help=__doc__)
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--weights-digest", help="Only for weights of your own.")
@click.option("--models", type=click.Path(path_type=Path), help="Where a compiled model may be.")
@click.option("--kills", "mode", flag_value="kills", default=True)
@click.option("--two-runs", "mode", flag_value="two runs")
@click.option("--lost-answers", "mode", flag_value="lost answers")
@click.option("--runs", default=30, show_default=True)
@click.option("--size", default=1500, show_default=True, help="Images; a third of them is gone in the end.")
@click.option(
    "--task", default=12, show_default=True, help="Images in a task; a chunk is four for each core."
)
@click.option("--local-cluster", "on_cluster", is_flag=True, help="Kill executors, and nothing else.")
@click.option("--s3", "on_s3", is_flag=True, help="Images and output lie on S3.")
@click.option("--seed", default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("tests/stress/results/kill.json"))
def main(
    images: Path,
    weights: Path,
    weights_digest: str | None,
    models: Path | None,
    mode: str,
    runs: int,
    size: int,
    task: int,
    on_cluster: bool,
    on_s3: bool,
    seed: int,
    output: Path,
) -> None:
    """Disturb, finish, compare."""
    if mode == "lost answers" and not on_s3:
        raise click.UsageError("--lost-answers takes --s3")
    random.seed(seed)
    folder = Path(tempfile.mkdtemp(prefix="kill-test-"))
    root, s3 = str(folder), dict[str, object]()
    context = click.get_current_context()
    if on_s3:
        server = context.with_resource(MotoS3(folder, "kill-test", "kill-test-secret"))
        proxy = context.with_resource(FaultyProxy(server.endpoint, 0, one_by_one=is_commit))
        os.environ.update(server.variables)
        root, s3 = f"s3://{BUCKET}", server.params(proxy.endpoint)
        configure_s3({name.removeprefix("s3."): value for name, value in s3.items()})
    options: list[str] = []
    if on_cluster:
        options, environment = local_cluster(folder / "cluster")
        os.environ.update(environment)
    params: dict[str, object] = {
        **s3,
        "images_path": f"{root}/images",
        "weights_path": weights.absolute(),
        "models_path": (models or folder / "models").absolute(),
        "featurization.images_per_task": task,
        **({"weights_digest": weights_digest} if weights_digest else {}),
    }
    place = Place(folder, root, params, options)
    expected, undisturbed, seconds = place.prepare(images, size)
    click.echo(
        f"{len(undisturbed[0]):,} images with features, {len(undisturbed[1])} rejected; {seconds:.1f} s"
    )
    disturbances: dict[str, Disturbance] = {
        "kills": Kills(place, seconds, (EXECUTOR,) if on_cluster else TARGETS),
        "two runs": TwoRuns(place, seconds),
    }
    if on_s3:
        disturbances["lost answers"] = LostAnswers(place, proxy)
    results = []
    with looked_at(folder, s3, expected) as notes:
        for i in range(runs):
            place_of_run = place.begin(i)
            began = time.monotonic()
            result = disturbances[mode](i, place_of_run)
            result["seconds"] = time.monotonic() - began
            result["same"] = place.outcome(place_of_run) == undisturbed
            result["unnamed"] = place.unnamed_files(place_of_run)
            click.echo(f"run {i:2}, from {'the day before' if i % 2 else 'nothing'}: {json.dumps(result)}")
            results.append(result)
    problems = [f"run {i}: {result['problem']}" for i, result in enumerate(results) if result["problem"]]
    problems += [f"run {i} left other features" for i, result in enumerate(results) if not result["same"]]
    problems += [
        f"{note['kind']}, {note['output']}, {note['name']}: {note['complaint']}"
        for note in notes
        if note["ended"] == "wrong"
    ]
    click.echo("\n".join(["", *summary(results), "", *table_of_looks(notes)]))
    looks = Counter(note["ended"] for note in notes)
    looks["reopened"] = sum(note.get("reopened", 0) for note in notes)
    write_results(output, {"mode": mode, "runs": results, "looks": looks, "problems": problems})
    if problems:
        raise click.ClickException("\n".join([*problems[:20], f"The outputs are left in {folder}"]))
    shutil.rmtree(folder)
    click.echo(
        f"{runs} runs disturbed and finished: features equal to an undisturbed run's, no reader misled"
    )


if __name__ == "__main__":
    main()
