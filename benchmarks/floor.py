"""What the cores can do at most: their sgemm peak, and the share of it that the engine reaches.

    python -m benchmarks.floor --weights weights.h5

Each core multiplies float32 matrices with NumPy's BLAS on one thread, then runs the engine, all cores at
once, `--repeats` times; medians. The convolutions of MobileNetV2 take 299,494,272 multiply-adds for an image
of 224 x 224 pixels, summed over Keras' layers (Sandler et al. 2018, arXiv:1801.04381, say 300 million).
"""

import multiprocessing
import os
import statistics
from pathlib import Path
from time import perf_counter

# One thread in each process; it must be known before NumPy is loaded.
os.environ.update({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"})

import click
import numpy as np

from fruits_bigdata.vision.engine import Engine
from fruits_bigdata.vision.model import compile_model
from fruits_bigdata.vision.weights import read_weights
from tests.support.runs import write_results

GFLOP_PER_IMAGE = 0.599
SECONDS = 5.0
_N = 1536


def sgemm(_: int) -> float:
    """Return the GFLOP/s of this process."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, _N, _N), dtype=np.float32)
    out = a @ b
    started, n = perf_counter(), 0
    while perf_counter() - started < SECONDS:
        np.matmul(a, b, out=out)
        n += 1
    return n * 2 * _N**3 / 1e9 / (perf_counter() - started)


def images_per_second(model: bytes) -> float:
    """Return the engine's images per second in this process."""
    engine = Engine(model)
    image = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    started, n = perf_counter(), 0
    while perf_counter() - started < SECONDS:
        engine.features(image)
        n += 1
    return n / (perf_counter() - started)


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--repeats", type=int, default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/floor.json"))
def main(weights: Path, repeats: int, output: Path) -> None:
    """Run the benchmark."""
    model = compile_model(read_weights(weights))
    n = os.cpu_count() or 1
    peaks, speeds = [], []
    with multiprocessing.get_context("forkserver").Pool(n) as pool:
        for _ in range(repeats):
            peaks.append(sum(pool.map(sgemm, range(n), chunksize=1)))
            speeds.append(sum(pool.map(images_per_second, [model] * n, chunksize=1)))
    peak, speed = statistics.median(peaks), statistics.median(speeds)
    floor = peak / GFLOP_PER_IMAGE
    write_results(output, {"sgemm_gflops": peaks, "images_per_second": speeds, "share": speed / floor})
    click.echo(f"sgemm on {n} cores: {peak:.0f} GFLOP/s, enough for {floor:.0f} images/s")
    click.echo(f"engine on {n} cores: {speed:.0f} images/s, {100 * speed / floor:.0f} % of it")


if __name__ == "__main__":
    main()
