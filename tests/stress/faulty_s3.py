"""Featurize images on an S3 server of which a share of the requests fails, and compare with a run from disk.

    python -m tests.stress.faulty_s3 --images fruits360/Test --weights weights.h5

S3Proxy (tests/support/s3_server.py) serves the images; tests/support/faulty_proxy.py, before it, answers 503,
breaks connections before, in and after the answer, and hangs. Reported are the seconds, what failed, and
whether the features equal those from disk to the last bit.
"""

import json
import shutil
import tempfile
from pathlib import Path

import click
import numpy as np

from tests.support.faulty_proxy import FaultyProxy
from tests.support.runs import FEATURES, STATISTICS, kedro_run, read_features, sample_images, write_results
from tests.support.s3_server import REGION, RESIDENCY, S3Server


def run(
    params: dict[str, object], output: Path, environment: dict[str, str] | None = None
) -> dict[str, float]:
    """Featurize into an empty output; return the figures."""
    shutil.rmtree(output, ignore_errors=True)
    kedro_run({**params, "output_path": output}, environment=environment)
    said = json.loads((output / STATISTICS).read_text())
    return {name: said[name] for name in ("images", "rejected", "seconds", "images_per_second")}


@click.command(help=__doc__)
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--models", type=click.Path(path_type=Path), help="Where a compiled model may be.")
@click.option("--size", default=2000, show_default=True, help="Images.")
@click.option("--shares", default="0,0.05,0.1", show_default=True, help="Shares of the requests that fail.")
@click.option("--hang", default=5.0, show_default=True, help="Seconds that an answer hangs.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("tests/stress/results/faulty_s3.json")
)
def main(
    images: Path, weights: Path, models: Path | None, size: int, shares: str, hang: float, output: Path
) -> None:
    """Run the benchmark."""
    results = []
    with tempfile.TemporaryDirectory(prefix="faulty-s3-") as folder:
        work = Path(folder)
        n = sample_images(images, size, work / "images" / "Test")
        params: dict[str, object] = {
            "weights_path": weights.absolute(),
            "models_path": (models or work / "models").absolute(),
        }
        disk = run({**params, "images_path": work / "images" / "Test"}, work / "disk")
        click.echo(f"disk: {disk}")
        expected = read_features(work / "disk" / FEATURES)
        with S3Server({"images": work / "images"}) as server:
            for share in map(float, shares.split(",")):
                with FaultyProxy(server.endpoint, share, hang_seconds=hang) as proxy:
                    settings = {"endpoint_url": proxy.endpoint, "path_style": "true", "region": REGION}
                    given = {
                        **params,
                        **RESIDENCY,
                        **{f"s3.{name}": value for name, value in settings.items()},
                    }
                    figures = run(
                        {**given, "images_path": "s3://images/Test"}, work / "s3", server.environment
                    )
                    found = read_features(work / "s3" / FEATURES)
                    same = list(found.index) == list(expected.index) and np.array_equal(
                        np.stack(found), np.stack(expected)
                    )
                    results.append({**figures, "share": share, "same": same, "requests": dict(proxy.counts)})
                    click.echo(f"{share:.0%} of the requests fail: {json.dumps(results[-1])}")
    write_results(output, {"disk": disk, "s3": results})
    if not all(result["same"] and result["images"] == n for result in results):
        raise click.ClickException("The features are not those from disk")


if __name__ == "__main__":
    main()
