"""Hold the int8 model against float32: speed of the bare engine, and what becomes of the features.

    python -m benchmarks.int8 --images fruits360/Test --calibrate-on fruits360/Training --weights weights.h5

The images that the figures come from are none of those that the model was calibrated on. The engines take
turns on the same pixels, on one thread, `--repeats` times.
"""

import os
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from benchmarks.runs import cosines, sample_images, write_results
from fruits_bigdata.image_folder import ImageFolder
from fruits_bigdata.pipelines.featurization import calibration
from fruits_bigdata.vision.engine import Engine
from fruits_bigdata.vision.model import compile_model
from fruits_bigdata.vision.pixels import decode
from fruits_bigdata.vision.weights import read_weights, select_layers


def timed(engine: Engine, images: list[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], float]:
    """Return the features, (n, 1280), and the milliseconds for an image."""
    started = perf_counter()
    features = [engine.features(image) for image in images]
    return np.stack(features), 1000 * (perf_counter() - started) / len(images)


def nearest(features: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the ten nearest others of each row, nearest first."""
    neighbours = NearestNeighbors(n_neighbors=11).fit(features).kneighbors(features, return_distance=False)
    return np.stack([row[row != i][:10] for i, row in enumerate(neighbours)])


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--calibrate-on", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--size", type=int, default=1000, show_default=True, help="Images.")
@click.option("--n-calibration", type=int, default=calibration.N_IMAGES, show_default=True)
@click.option("--repeats", type=int, default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/int8.json"))
def main(
    images: Path,
    calibrate_on: Path,
    weights: Path,
    size: int,
    n_calibration: int,
    repeats: int,
    output: Path,
) -> None:
    """Run the benchmark."""
    read = select_layers(read_weights(weights))
    calibration.N_IMAGES = n_calibration
    sample = calibration.sample_pixels(ImageFolder(str(calibrate_on)))
    started = perf_counter()
    content = compile_model(read, sample)
    compiling = perf_counter() - started
    engines = {"float32": Engine(compile_model(read)), "int8": Engine(content)}
    with tempfile.TemporaryDirectory() as folder:
        sample_images(images, size, Path(folder))
        paths = sorted(Path(folder).rglob("*.jpg"))
        pixels = [decode(path.read_bytes()) for path in paths]
        labels = np.array([path.parent.name for path in paths])
    milliseconds: dict[str, list[float]] = {name: [] for name in engines}
    features: dict[str, NDArray[np.float32]] = {}
    for _ in range(repeats):
        for name, engine in engines.items():
            features[name], spent = timed(engine, pixels)
            milliseconds[name].append(spent)
    cosine = cosines(features["int8"], features["float32"])
    neighbours = {name: nearest(found) for name, found in features.items()}
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(*neighbours.values(), strict=True)]
    median = {name: statistics.median(spent) for name, spent in milliseconds.items()}
    right = {name: float((labels[found[:, 0]] == labels).mean()) for name, found in neighbours.items()}
    found = {
        "images": len(paths),
        "classes": len(set(labels)),
        "calibration_images": len(sample),
        "compile_seconds": compiling,
        "bytes": len(content),
        "milliseconds": milliseconds,
        "speed_up": median["float32"] / median["int8"],
        "cosine": {
            "median": float(np.median(cosine)),
            "percentile_1": float(np.percentile(cosine, 1)),
            "lowest": float(cosine.min()),
        },
        "shared_of_10_nearest": float(np.mean(shared)),
        "label_of_nearest_right": right,
    }
    write_results(output, found)
    for name, spent in milliseconds.items():
        click.echo(f"{name:8} {median[name]:.2f} ms an image ({min(spent):.2f} - {max(spent):.2f})")
    click.echo(
        f"int8 is {found['speed_up']:.2f} times as fast; {len(content):,} bytes, made in {compiling:.1f} s"
    )
    said = ", ".join(f"{name} {value:.4f}" for name, value in found["cosine"].items())  # type: ignore[attr-defined]
    click.echo(f"cosine to float32: {said}")
    click.echo(f"of the 10 nearest neighbours {100 * np.mean(shared):.1f} % are the same")
    click.echo("nearest neighbour of the same class: " + ", ".join(f"{n} {v:.4f}" for n, v in right.items()))


if __name__ == "__main__":
    main()
