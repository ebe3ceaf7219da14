"""Time the decoding of large photographs, whole and reduced, and compare the features.

    python -m benchmarks.large_photographs --images folder/of/photographs --weights weights.h5

`--megapixels 12` makes each photograph that large first (bicubic, JPEG quality 90), to see what a phone's
would cost.
"""

import io
import os
import statistics
from pathlib import Path
from time import perf_counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np
from PIL import Image

from fruits_bigdata.images.pixels import decode
from fruits_bigdata.vision.engine import Engine
from fruits_bigdata.vision.model import compile_model
from fruits_bigdata.vision.weights import read_weights
from tests.support.runs import cosines, write_results


def enlarged(data: bytes, megapixels: float) -> bytes:
    """Return the photograph as a JPEG of that size."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
    file = io.BytesIO()
    image.resize((round(image.width * factor), round(image.height * factor))).save(file, "JPEG", quality=90)
    return file.getvalue()


def milliseconds(data: bytes, reduced: bool, repeats: int) -> float:
    """Return the median of the times to decode."""
    spent = []
    for _ in range(repeats):
        started = perf_counter()
        decode(data, reduced)
        spent.append(1000 * (perf_counter() - started))
    return statistics.median(spent)


@click.command(help=__doc__, context_settings={"max_content_width": 110})
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--megapixels", type=float, help="Make the photographs so large first.")
@click.option("--repeats", type=int, default=5, show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/large_photographs.json")
)
def main(images: Path, weights: Path, megapixels: float | None, repeats: int, output: Path) -> None:
    """Run the benchmark."""
    engine = Engine(compile_model(read_weights(weights)))
    rows = []
    for path in sorted(path for path in images.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")):
        data = path.read_bytes() if megapixels is None else enlarged(path.read_bytes(), megapixels)
        whole, reduced = decode(data), decode(data, reduced=True)
        features = [engine.features(pixels)[np.newaxis] for pixels in (reduced, whole)]
        rows.append(
            {
                "name": path.name,
                "size": Image.open(io.BytesIO(data)).size,
                "whole_ms": milliseconds(data, False, repeats),
                "reduced_ms": milliseconds(data, True, repeats),
                "pixel_difference": float(np.abs(whole.astype(int) - reduced).mean()),
                "cosine": float(cosines(*features)[0]),
            }
        )
    write_results(output, rows)
    click.echo(
        "| photograph | pixels | whole, ms | reduced, ms | mean pixel difference | cosine of the features |"
    )
    click.echo("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        click.echo(
            f"| {row['name']} | {row['size'][0]} x {row['size'][1]} | {row['whole_ms']:.1f} | "
            f"{row['reduced_ms']:.1f} | {row['pixel_difference']:.2f} | {row['cosine']:.4f} |"
        )
    gains = [row["whole_ms"] / row["reduced_ms"] for row in rows]
    lowest = min(row["cosine"] for row in rows)
    click.echo(f"median gain {statistics.median(gains):.1f} times, lowest cosine {lowest:.4f}")


if __name__ == "__main__":
    main()
