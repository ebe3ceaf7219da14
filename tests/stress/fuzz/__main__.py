"""Run the project over thousands of damaged and hostile images: nothing worse than a row may come of any.

    python -m tests.stress.fuzz --images fruits360 --weights weights.h5 --size 10000

The images are real ones, mutated, and files made to take memory or time. A whole `kedro run` of loading and
featurization goes over them, and then one thread of this process decodes each again for its processor time.
Ends with 1 and says what is wrong if an image is neither featurized nor rejected, a Spark task failed, a
Python worker needed more than 500 MB, or an image took more than 2 s of processor time.
"""

import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fruits_bigdata.images.container import UnusableImageError
from fruits_bigdata.images.pixels import decode
from fruits_bigdata.vision.featurize import MAX_FILE_BYTES
from fruits_bigdata.vision.statistics import rejection_kind
from tests.stress.fuzz import bombs, mutations
from tests.stress.fuzz.mutations import Mutation, Sources
from tests.support.runs import FEATURES, IMAGES, REJECTED, STATISTICS, kedro_run, read_table, write_results

_MAX_MEMORY_MB = 500
_MAX_SECONDS = 2.0
_FEATURIZED = "features"

# Of all images, each kind's parts in a thousand.
KINDS: dict[str, tuple[float, Mutation]] = {
    "bits flipped": (170, mutations.flip_bits),
    "bytes overwritten": (120, mutations.overwrite),
    "truncated": (110, mutations.truncate),
    "two files spliced": (90, mutations.splice),
    "JPEG of absurd size": (60, mutations.absurd_jpeg_size),
    "PNG of absurd size": (60, mutations.absurd_png_size),
    "PNG of every mode": (70, mutations.png_mode),
    "PNG of every mode, damaged": (120, mutations.mutated_png),
    "progressive, damaged": (50, mutations.mutated_progressive),
    "many scans": (10, mutations.many_scans),
    "arithmetic": (5, mutations.arithmetic),
    "CMYK": (30, mutations.cmyk),
    "EXIF, broken or huge": (30, mutations.exif),
    "texts and profiles, huge": (20, mutations.text),
    "another format": (20, mutations.other_format),
    "two formats at once": (15, mutations.polyglot),
    "empty": (5, mutations.empty),
    "two megapixels": (8, bombs.two_megapixels),
    "long and narrow": (4, bombs.narrow),
    "a million parts": (3, bombs.many_parts),
    "large file": (2, bombs.large_file),
    "around the size limit": (8, bombs.size_limit),
}


def make_images(sources: Sources, size: int, rng: random.Random, folder: Path) -> None:
    """Write `size` images, each kind in a folder of its own."""
    shares = [share for share, _ in KINDS.values()]
    # At least one of each kind.
    chosen = [*KINDS, *rng.choices(list(KINDS), shares, k=max(0, size - len(KINDS)))]
    for i, kind in enumerate(chosen[:size]):
        data = KINDS[kind][1](rng, sources)
        ending = ".png" if data.startswith(b"\x89PNG") else ".jpg"
        path = folder / kind / f"{i:06}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def failed_tasks(events: Path) -> Iterator[str]:
    """Yield why each task of a run failed that did, from Spark's event log."""
    ended = 0
    for log in events.iterdir():
        for line in log.read_text().splitlines():
            event = json.loads(line)
            if event["Event"] == "SparkListenerTaskEnd":
                ended += 1
                if event["Task End Reason"]["Reason"] != "Success":
                    yield json.dumps(event["Task End Reason"])[:500]
    if not ended:
        raise click.ClickException(f"Spark's event log in {events} tells of no task")


def decoding(data: bytes) -> tuple[str, float]:
    """Return what becomes of an image, and the seconds of processor time that it takes."""
    # Others share the processor and its caches, so a second look at a slow image is fairer.
    spent = []
    while not spent or (spent[-1] > _MAX_SECONDS / 2 and len(spent) < 3):
        started = time.thread_time()
        try:
            decode(data)
            outcome = _FEATURIZED
        except UnusableImageError as error:
            outcome = str(error)
        spent.append(time.thread_time() - started)
    return outcome, min(spent)


def check(folder: Path, output: Path, events: Path) -> tuple[dict[str, Any], list[str]]:
    """Hold the run against what is promised.

    Returns:
        Figures, and what is wrong.
    """
    listed = sorted(read_table(output / IMAGES, ["path"])["path"])
    featurized = set(read_table(output / FEATURES, ["path"])["path"])
    rejected_table = read_table(output / REJECTED, ["path", "reason"])
    rejected = dict(zip(rejected_table["path"], rejected_table["reason"], strict=True))
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
    problems = []
    if listed != there:
        problems.append(f"{len(there):,} images are there, {len(listed):,} are listed")
    if sorted([*featurized, *rejected]) != listed:
        problems.append(f"{len(listed):,} listed, {len(featurized):,} features, {len(rejected):,} rejected")
    problems += [f"a task failed: {reason}" for reason in failed_tasks(events)]
    workers = json.loads((output / STATISTICS).read_text())["workers"]
    memory = max(worker["peak_memory_mb"] for worker in workers)
    if memory > _MAX_MEMORY_MB:
        problems.append(f"a Python worker needed {memory} MB, more than {_MAX_MEMORY_MB}")
    rows = []
    for path in there:
        said = rejected.get(path, _FEATURIZED)
        # Larger files are not even fetched.
        fetched = (folder / path).stat().st_size <= MAX_FILE_BYTES
        outcome, seconds = decoding((folder / path).read_bytes()) if fetched else (said, 0.0)
        if outcome != said:
            problems.append(f"{path}: in the run: {said}; decoded again: {outcome}")
        if seconds > _MAX_SECONDS:
            problems.append(f"{path} took {seconds:.2f} s of processor time, more than {_MAX_SECONDS}")
        kind = path.partition("/")[0]
        rows.append({"path": path, "kind": kind, "outcome": outcome, "seconds": round(seconds, 4)})
    by_reason = Counter(rejection_kind(reason) for reason in rejected.values())
    return {
        "listed": len(listed),
        "featurized": len(featurized),
        "rejected": dict(by_reason.most_common()),
        "examples": {rejection_kind(reason): reason for reason in rejected.values()},
        "kinds": by_kind(rows),
        "slowest": sorted(rows, key=lambda row: -row["seconds"])[:10],
        "peak_memory_mb": memory,
        "workers": workers,
    }, problems


def by_kind(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return counts and the longest time of each kind of mutation."""
    result = {}
    for kind in KINDS:
        mine = [row for row in rows if row["kind"] == kind]
        outcomes = Counter(rejection_kind(row["outcome"]) for row in mine)
        slowest = max((row["seconds"] for row in mine), default=0.0)
        result[kind] = {"images": len(mine), "slowest": slowest, "outcomes": dict(outcomes.most_common())}
    return result


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    outcomes = [_FEATURIZED, *figures["rejected"]]
    lines = [
        f"| mutation | images | {' | '.join(outcomes)} | slowest, s |",
        "| --- " * (len(outcomes) + 3) + "|",
    ]
    for kind, row in figures["kinds"].items():
        counts = " | ".join(f"{row['outcomes'].get(outcome, 0):,}" for outcome in outcomes)
        lines.append(f"| {kind} | {row['images']:,} | {counts} | {row['slowest']:.2f} |")
    totals = " | ".join(f"{n:,}" for n in (figures["featurized"], *figures["rejected"].values()))
    slowest = figures["slowest"][0]
    lines += [
        f"| all | {figures['listed']:,} | {totals} | {slowest['seconds']:.2f} |",
        "",
        f"slowest: {slowest['path']}, {slowest['seconds']:.2f} s, {slowest['outcome'][:100]}",
        f"largest memory of a Python worker: {figures['peak_memory_mb']} MB",
    ]
    return "\n".join(lines)


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--weights-digest", help="Only for weights of your own.")
@click.option("--models", type=click.Path(path_type=Path), help="Where a compiled model may be.")
@click.option("--size", default=10_000, show_default=True, help="Images.")
@click.option("--seed", default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("tests/stress/results/fuzz.json"))
def main(
    images: Path,
    weights: Path,
    weights_digest: str | None,
    models: Path | None,
    size: int,
    seed: int,
    output: Path,
) -> None:
    """Make the images, run, check."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    rng = random.Random(seed)
    paths = sorted(images.rglob("*.jpg"))
    sources = [path.read_bytes() for path in rng.sample(paths, min(500, len(paths)))]
    make_images(sources, size, rng, folder / "images")
    events, settings = folder / "events", folder / "spark"
    for path in (events, settings):
        path.mkdir()
    # Spark reads it for whatever the project's own settings leave open.
    (settings / "spark-defaults.conf").write_text(
        f"spark.eventLog.enabled true\nspark.eventLog.dir {events.as_uri()}\n"
    )
    params: dict[str, object] = {
        "images_path": folder / "images",
        "output_path": folder / "output",
        "weights_path": weights.absolute(),
        "models_path": (models or folder / "models").absolute(),
        **({"weights_digest": weights_digest} if weights_digest else {}),
    }
    kedro_run(params, environment={"SPARK_CONF_DIR": str(settings)})
    figures, problems = check(folder / "images", folder / "output", events)
    click.echo(table(figures))
    write_results(output, {"size": size, "seed": seed, **figures, "problems": problems})
    if problems:
        shown = problems[:20] + ([f"and {len(problems) - 20} more"] if len(problems) > 20 else [])
        raise click.ClickException("\n".join([*shown, f"The images and the output are left in {folder}"]))
    shutil.rmtree(folder)
    click.echo(f"{size:,} images: each featurized or rejected, no task failed")


if __name__ == "__main__":
    main()
