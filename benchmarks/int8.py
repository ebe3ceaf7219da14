"""Hold the int8 model against float32 and against TensorFlow's own int8: speed and features.

    python -m benchmarks.int8 --images fruits360/Test --calibrate-on fruits360/Training --weights weights.h5

The images that the figures come from are none of those that the model was calibrated on. The engines take
turns on the same pixels, on one thread, `--repeats` times.
"""

import contextlib
import io
import os
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from fruits_bigdata.images.folder import ImageFolder
from fruits_bigdata.images.pixels import decode
from fruits_bigdata.pipelines.featurization import calibration
from fruits_bigdata.vision.engine import Engine
from fruits_bigdata.vision.model import build_keras_model, compile_model
from fruits_bigdata.vision.weights import Weights, read_weights
from tests.support.runs import cosines, sample_images, write_results


def plain_int8(weights: Weights, sample: list[NDArray[np.uint8]]) -> bytes:
    """Return TensorFlow's own full-integer model, calibrated by the smallest and largest values."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(build_keras_model(weights))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: (
        [pixels[np.newaxis] / np.float32(127.5) - 1] for pixels in sample
    )
    with contextlib.redirect_stdout(io.StringIO()):
        content: bytes = converter.convert()
    return content


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
    images: Path, calibrate_on: Path, weights: Path, size: int, n_calibration: int, repeats: int, output: Path
) -> None:
    """Run the benchmark."""
    read = read_weights(weights)
    calibration.N_IMAGES = n_calibration
    sample = calibration.sample_pixels(ImageFolder(str(calibrate_on)))
    started = perf_counter()
    content = compile_model(read, sample)
    compiling = perf_counter() - started
    engines = {
        "float32": Engine(compile_model(read)),
        "TensorFlow's int8": Engine(plain_int8(read, sample)),
        "int8": Engine(content),
    }
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
    neighbours = {name: nearest(matrix) for name, matrix in features.items()}
    found: dict[str, Any] = {
        "images": len(paths),
        "classes": len(set(labels)),
        "calibration_images": len(sample),
        "compile_seconds": compiling,
        "bytes": len(content),
        "engines": {},
    }
    medians = {name: statistics.median(spent) for name, spent in milliseconds.items()}
    for name, spent in milliseconds.items():
        cosine = cosines(features[name], features["float32"])
        both = zip(neighbours[name], neighbours["float32"], strict=True)
        figures = {
            "milliseconds": spent,
            "speed_up": medians["float32"] / medians[name],
            "cosine_median": float(np.median(cosine)),
            "cosine_percentile_1": float(np.percentile(cosine, 1)),
            "cosine_lowest": float(cosine.min()),
            "shared_of_10_nearest": float(np.mean([len(set(a) & set(b)) / 10 for a, b in both])),
            "nearest_is_of_the_class": float((labels[neighbours[name][:, 0]] == labels).mean()),
        }
        found["engines"][name] = figures
        said = ", ".join(f"{key} {value:.4f}" for key, value in figures.items() if key != "milliseconds")
        click.echo(f"{name}: {medians[name]:.2f} ms ({min(spent):.2f} - {max(spent):.2f}), {said}")
    click.echo(f"int8: {len(content):,} bytes, made in {compiling:.1f} s from {len(sample)} images")
    write_results(output, found)


if __name__ == "__main__":
    main()
