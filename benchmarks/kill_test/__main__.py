"""Kill runs at random moments, run them again until they are done, and compare with one left in peace.

    python -m benchmarks.kill_test --images fruits360/Test --weights weights.h5 --runs 30

Each run is sent SIGKILL once or twice: the driver, its Java or a Python worker; with --local-cluster an
executor, of two that are processes of their own, and the same run has to complete. Every second one begins
with an empty output, the others with the output of the day before, of which some images are gone since, so
that the run compacts its stores. Some images are damaged. All the while a reader looks at the output through
the catalog. With --s3 images and output lie in a bucket of moto's server.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from benchmarks.kill_test.reader import Expected, hashes, load_catalog, paths_of, reading_session
from benchmarks.moto_s3 import BUCKET, MotoS3
from benchmarks.processes import process_tree
from benchmarks.runs import PROJECT, kedro_run, local_cluster, sample_images, write_results
from fruits_bigdata.storage import open_location

_TARGETS = ("driver", "java", "worker")
_EXECUTOR = "executor"
_DEFAULT_PIPELINE = "__default__"
# Of all images: gone since the day before, came since, damaged.
_GONE, _NEW, _DAMAGED = 0.35, 0.3, 0.01
_MAX_ATTEMPTS = 30


@dataclass
class Kill:
    """One SIGKILL: who got it, after how many seconds, and what the run had said last."""

    target: str
    after: float
    during: str


def find(target: str, driver: int) -> int | None:
    """Return the process id of a run's driver, Java, or of one of its Python workers or executors."""
    if target == "driver":
        return driver
    below = process_tree(driver)
    java = [pid for pid, command in below.items() if "org.apache.spark.deploy.SparkSubmit" in command]
    if target == "java":
        return java[0] if java else None
    if target == _EXECUTOR:
        executors = [pid for pid, command in below.items() if "CoarseGrainedExecutorBackend" in command]
        return random.choice(executors) if executors else None
    # The daemon has forked the workers, and looks like them; Java has its name among its settings.
    python = [pid for pid, command in below.items() if "-m fruits_bigdata.worker_daemon" in command]
    return random.choice(python) if python else None


def start(params: dict[str, object], log: Path, options: list[str]) -> subprocess.Popen[bytes]:
    """Start a run."""
    given = ",".join(f"{name}={value}" for name, value in params.items())
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", *options, "--params", given],
            cwd=PROJECT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def kill_after(seconds: float, target: str, process: subprocess.Popen[bytes], log: Path) -> Kill | None:
    """Let a run go on for some seconds and kill the target once it is there; None if the run ended before."""
    began = time.monotonic()
    while process.poll() is None:
        if time.monotonic() - began >= seconds:
            pid = find(target, process.pid)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                said = [
                    line for line in log.read_text(errors="replace").splitlines() if "Running node" in line
                ]
                during = said[-1].split("Running node: ")[1].split(":")[0] if said else "start"
                return Kill(target, round(time.monotonic() - began, 2), during)
        time.sleep(0.005)
    return None


def run_until_done(
    params: dict[str, object], kills: list[tuple[float, str]], log: Path, options: list[str]
) -> tuple[list[Kill], list[str]]:
    """Start a run, kill it as planned, and start it again until it ends well.

    Returns:
        The kills that hit, and how each attempt ended.
    """
    hit: list[Kill] = []
    ended: list[str] = []
    for _ in range(_MAX_ATTEMPTS):
        process = start(params, log, options)
        while kills:
            kill = kill_after(*kills[0], process, log)
            if kill is None:
                break
            hit.append(kill)
            kills = kills[1:]
            if kill.target != _EXECUTOR:
                break
        code = process.wait()
        text = log.read_text(errors="replace")
        if code == 0:
            return hit, [*ended, "done"]
        if "OutputLockedError" in text:
            # The killed run's Java is still ending.
            ended.append("refused")
            time.sleep(0.5)
        else:
            ended.append("killed" if code < 0 else "failed")
            if not hit:
                raise click.ClickException(f"A run failed that nobody had killed:\n{text[-3000:]}")
    raise click.ClickException(f"{_MAX_ATTEMPTS} attempts did not suffice:\n{text[-3000:]}")


def outcome(output: str, s3: Mapping[str, object]) -> tuple[dict[str, int], list[str]]:
    """Return the hash of each image's features and the rejected images; each must be stored once."""
    catalog = load_catalog(output, s3)
    features, rejected = catalog.load("features"), catalog.load("rejected")
    by_path, rejected_paths = hashes(features), sorted(paths_of(rejected))
    if features.count() != len(by_path) or len(set(rejected_paths)) != len(rejected_paths):
        raise click.ClickException(f"{output} holds rows more than once")
    return by_path, rejected_paths


def prepare(
    images: Path,
    size: int,
    folder: Path,
    root: str,
    params: dict[str, object],
    options: list[str],
    s3: Mapping[str, object],
) -> tuple[Expected, float]:
    """Make the images, run the day before and, undisturbed, today, with outputs below `root`.

    Returns:
        What may be seen, and the seconds that today's run takes.
    """
    chosen = folder / "images"
    n = sample_images(images, size, folder / "all")
    paths = sorted((folder / "all").rglob("*.jpg"))
    random.shuffle(paths)
    for path in paths[: max(2, int(n * _DAMAGED))]:
        os.truncate(path, path.stat().st_size // 2)
    random.shuffle(paths)
    gone, new = set(paths[: int(n * _GONE)]), set(paths[-int(n * _NEW) :])
    today, before = set(paths) - gone, set(paths) - new

    def show(shown: set[Path]) -> None:
        for path in paths:
            link = chosen / path.relative_to(folder / "all")
            link.parent.mkdir(parents=True, exist_ok=True)
            if path in shown and not link.exists():
                os.link(path, link)
            elif path not in shown:
                link.unlink(missing_ok=True)
        if s3:
            fs, place = open_location(str(params["images_path"]))
            there = {key.removeprefix(f"{place}/") for key in fs.find(place)}
            wanted = {str(path.relative_to(folder / "all")) for path in shown}
            # What stays is not sent again: it would count as changed.
            for name in there - wanted:
                fs.rm(f"{place}/{name}")
            for name in wanted - there:
                fs.put_file(str(chosen / name), f"{place}/{name}")

    show(before)
    kedro_run({**params, "output_path": f"{root}/before"}, _DEFAULT_PIPELINE)
    show(today)
    began = time.monotonic()
    kedro_run({**params, "output_path": f"{root}/today"}, _DEFAULT_PIPELINE, options=options)
    seconds = time.monotonic() - began
    (features_before, rejected_before), (features, rejected) = (
        outcome(f"{root}/{day}", s3) for day in ("before", "today")
    )
    return (
        Expected(
            features_before | features,
            sorted({*rejected_before, *rejected}),
            [sorted(features_before), sorted(features)],
        ),
        seconds,
    )


@click.command(help=__doc__)
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--weights-digest", help="Only for weights of your own.")
@click.option("--models", type=click.Path(path_type=Path), help="Where a compiled model may be.")
@click.option("--runs", default=30, show_default=True)
@click.option("--size", default=1500, show_default=True, help="Images; a third of them is gone in the end.")
@click.option("--chunk", default=200, show_default=True, help="Images in a chunk.")
@click.option("--local-cluster", "on_cluster", is_flag=True, help="Kill executors, and nothing else.")
@click.option("--s3", "on_s3", is_flag=True, help="Images and output lie on S3.")
@click.option("--seed", default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/kill_test.json"))
def main(
    images: Path,
    weights: Path,
    weights_digest: str | None,
    models: Path | None,
    runs: int,
    size: int,
    chunk: int,
    on_cluster: bool,
    on_s3: bool,
    seed: int,
    output: Path,
) -> None:
    """Kill, repeat, compare."""
    random.seed(seed)
    folder = Path(tempfile.mkdtemp(prefix="kill-test-"))
    root, s3 = str(folder), dict[str, object]()
    if on_s3:
        server = click.get_current_context().with_resource(MotoS3(folder, "kill-test", "kill-test-secret"))
        os.environ.update(server.variables)
        root, s3 = f"s3://{BUCKET}", server.params(server.endpoint)
    params: dict[str, object] = {
        **s3,
        "images_path": f"{root}/images",
        "weights_path": weights.absolute(),
        "models_path": (models or folder / "models").absolute(),
        "featurization.images_per_chunk": chunk,
        "featurization.images_per_task": 25,
        **({"weights_digest": weights_digest} if weights_digest else {}),
    }
    options: list[str] = []
    if on_cluster:
        options, environment = local_cluster(folder / "cluster")
        os.environ.update(environment)
    session = reading_session(s3)
    expected, seconds = prepare(images, size, folder, root, params, options, s3)
    undisturbed = outcome(f"{root}/today", s3)
    (folder / "params.json").write_text(json.dumps(s3))
    (folder / "expected.json").write_text(json.dumps(asdict(expected)))
    click.echo(
        f"{len(undisturbed[0]):,} images with features, {len(undisturbed[1])} rejected; {seconds:.1f} s"
    )
    (folder / "output.txt").write_text(f"{root}/today")
    with (folder / "reader.log").open("wb") as log:
        reader = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.kill_test.reader", str(folder)],
            cwd=PROJECT,
            stdout=log,
            stderr=log,
        )
    results = []
    problems: list[str] = []
    try:
        for i in range(runs):
            place = f"{root}/run-{i}"
            if i % 2:
                fs, before = open_location(f"{root}/before")
                fs.copy(f"{before}/", f"{open_location(place)[1]}/", recursive=True)
            (folder / "output.txt").write_text(place)
            # The first hits for certain: with the reader at work, runs are slower than the undisturbed one.
            moments = [0.9 * seconds, 1.3 * seconds][: random.choice((1, 2))]
            targets = (_EXECUTOR,) if on_cluster else _TARGETS
            plan = [(random.uniform(0, latest), random.choice(targets)) for latest in moments]
            kills, attempts = run_until_done(
                {**params, "output_path": place}, plan, folder / f"run-{i}.log", options
            )
            same = outcome(place, s3) == undisturbed
            if on_cluster and attempts != ["done"]:
                problems.append(f"run {i} did not survive the end of an executor")
            if not same:
                problems.append(f"run {i} ended with other rows than the undisturbed run")
            killed = ", ".join(f"{kill.target} at {kill.after:.1f} s ({kill.during})" for kill in kills)
            click.echo(
                f"run {i:2}: {'day before' if i % 2 else 'empty':10} killed: {killed or 'ended before'}; "
                f"attempts: {', '.join(attempts)}; {'same' if same else 'OTHER'} features"
            )
            results.append({"kills": [asdict(kill) for kill in kills], "attempts": attempts, "same": same})
    finally:
        (folder / "output.txt").unlink()
        code = reader.wait()
        session.stop()
    notes = [json.loads(line) for line in (folder / "reader.jsonl").read_text().splitlines()]
    looks = {
        ended: sum(note["ended"] == ended for note in notes)
        for ended in ("seen", "nothing yet", "removed", "wrong")
    }
    problems += [
        f"{note['output']}, {note['dataset']}: {note['complaint']}" for note in notes if note["complaint"]
    ]
    if code:
        problems.append(f"the reader ended with {code}: {(folder / 'reader.log').read_text()[-2000:]}")
    click.echo(f"The reader's looks: {looks}")
    write_results(output, {"runs": results, "looks": looks, "problems": problems})
    if problems:
        raise click.ClickException("\n".join([*problems, f"The outputs are left in {folder}"]))
    shutil.rmtree(folder)
    click.echo(
        f"{runs} runs killed and repeated: features equal to an undisturbed run's, nothing half-written seen"
    )


if __name__ == "__main__":
    main()
