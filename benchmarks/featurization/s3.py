"""Time the featurisation of images on S3, with and without 30 ms added to every request, and from disk.

    python -m benchmarks.featurization.s3 --images fruits360/Test --weights weights.h5

S3Proxy (tests.support.s3_server) serves the same files. The three places take turns, `--repeats` times after
a first round that warms the servers up. Reported are the images per second of the step, the requests and the
bytes for each image, and whether the features equal those from disk to the last bit.
"""

import json
import shutil
import statistics
import tempfile
from pathlib import Path

import click
import numpy as np

from tests.support.runs import FEATURES, STATISTICS, kedro_run, read_features, sample_images, write_results
from tests.support.s3_server import REGION, RESIDENCY, S3Server

Figures = dict[str, float]


def run(server: S3Server | None, work: Path, weights: Path) -> Figures:
    """Featurize once, from disk or from a server; return the figures."""
    shutil.rmtree(work / "output", ignore_errors=True)
    params = {"output_path": work / "output", "weights_path": weights, "models_path": work / "models"}
    reads = others = sent = 0
    if server is None:
        kedro_run({**params, "images_path": work / "images" / "Test"})
    else:
        before, sent_before = server.requests(), server.bytes_sent()
        settings = {"endpoint_url": server.endpoint, "path_style": "true", "region": REGION}
        at_server = {f"s3.{name}": value for name, value in settings.items()}
        given = {**params, **RESIDENCY, **at_server, "images_path": "s3://images/Test"}
        kedro_run(given, environment=server.environment)
        requests, sent = server.requests() - before, server.bytes_sent() - sent_before
        reads = requests["GetObject 200"]
        others = sum(requests.values()) - reads
    said = json.loads((work / "output" / STATISTICS).read_text())
    return {
        "images": said["images"],
        "images_per_second": said["images_per_second"],
        "reads_per_image": reads / said["images"],
        "other_requests": others,
        "bytes_per_image": sent / said["images"],
        "file_bytes_per_image": said["bytes_read"] / said["images"],
        "peak_memory_mb": max(worker["peak_memory_mb"] for worker in said["workers"]),
    }


def measure(work: Path, weights: Path, repeats: int) -> dict[str, list[Figures]]:
    """Return for each place what each repeat gave."""
    buckets = {"images": work / "images"}
    with S3Server(buckets) as at_once, S3Server(buckets, latency_ms=30) as late:
        places = {"disk": None, "S3": at_once, "S3, 30 ms": late}
        found: dict[str, list[Figures]] = {place: [] for place in places}
        reference = None
        for repeat in range(repeats + 1):
            for place, server in places.items():
                figures = run(server, work, weights)
                features = np.stack(read_features(work / "output" / FEATURES))
                reference = features if reference is None else reference
                figures["equal"] = float(np.array_equal(features, reference))
                click.echo(f"round {repeat}: {place:10} {json.dumps(figures)}", err=True)
                if repeat:
                    found[place].append(figures)
    return found


def table(found: dict[str, list[Figures]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| images on | images/s: median (range) | share of S3's | reads an image | other requests | "
        "bytes an image (file) | peak memory of a worker, MB | features equal |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    medians = {
        place: statistics.median(f["images_per_second"] for f in runs) for place, runs in found.items()
    }
    for place, runs in found.items():
        speeds = [figures["images_per_second"] for figures in runs]
        last = runs[-1]
        lines.append(
            f"| {place} | {medians[place]:.0f} ({min(speeds):.0f} - {max(speeds):.0f}) | "
            f"{medians[place] / medians['S3']:.2f} | {max(f['reads_per_image'] for f in runs):.3f} | "
            f"{max(f['other_requests'] for f in runs):.0f} | "
            f"{last['bytes_per_image']:,.0f} ({last['file_bytes_per_image']:,.0f}) | "
            f"{max(f['peak_memory_mb'] for f in runs):.0f} | "
            f"{'yes' if all(f['equal'] for f in runs) else 'NO'} |"
        )
    return "\n".join(lines)


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--size", type=int, default=4000, show_default=True, help="Images.")
@click.option("--repeats", type=int, default=3, show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/featurization_s3.json")
)
def main(images: Path, weights: Path, size: int, repeats: int, output: Path) -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="featurization-s3-") as folder:
        work = Path(folder)
        sample_images(images, size, work / "images" / "Test")
        found = measure(work, weights.absolute(), repeats)
    write_results(output, found)
    click.echo(table(found))


if __name__ == "__main__":
    main()
