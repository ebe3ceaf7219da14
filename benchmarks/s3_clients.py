"""What reading a small object from S3 costs: s3fs, s3fs without its HEAD, and this project's reader.

    python -m benchmarks.s3_clients --images fruits360/Test

Each reads the same images with eight threads of one process, in turns, `--repeats` times after a first round;
reported are the reads per second, the reader's own CPU time for each, and the requests that it sends.
"""

import os
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time

import click

from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.storage.s3 import configure_s3
from tests.support.runs import write_results
from tests.support.s3_server import REGION, S3Server


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--size", type=int, default=2000, show_default=True, help="Images.")
@click.option("--repeats", type=int, default=3, show_default=True)
@click.option("--latency", type=int, default=0, show_default=True, help="Milliseconds added to each request.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/s3_clients.json"))
def main(images: Path, size: int, repeats: int, latency: int, output: Path) -> None:
    """Run the benchmark."""
    paths = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.jpg"))[:size]
    found: dict[str, list[tuple[float, float, float]]] = {}
    with S3Server({"images": images}, latency_ms=latency) as server, ThreadPoolExecutor(8) as pool:
        os.environ |= server.environment
        configure_s3({"endpoint_url": server.endpoint, "region": REGION, "path_style": True})
        fs, root = url_to_fs("s3://images")
        readers: dict[str, Callable[[str], bytes]] = {
            "s3fs": lambda path: fs.cat_file(f"{root}/{path}"),
            "s3fs, max_concurrency=1": lambda path: fs.cat_file(f"{root}/{path}", max_concurrency=1),
            "this project (obstore)": ImageFolder("s3://images").read,
        }
        for repeat in range(repeats + 1):
            for name, read in readers.items():
                before = sum(server.requests().values())
                started, cpu = perf_counter(), process_time()
                for path, data in zip(paths, pool.map(read, paths), strict=True):
                    assert len(data) == (images / path).stat().st_size
                seconds, cpu = perf_counter() - started, process_time() - cpu
                requests = sum(server.requests().values()) - before
                if repeat:
                    figures = (len(paths) / seconds, 1000 * cpu / len(paths), requests / len(paths))
                    found.setdefault(name, []).append(figures)
    write_results(output, found)
    for name, rounds in found.items():
        speed, cpu, requests = (statistics.median(column) for column in zip(*rounds, strict=True))
        click.echo(
            f"{name:26} {speed:6.0f} reads/s, {cpu:.2f} ms of CPU and {requests:.2f} requests for each"
        )


if __name__ == "__main__":
    main()
