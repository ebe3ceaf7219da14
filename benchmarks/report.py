"""What the report costs as a collection grows, with generated scores: seconds, and the memory of the driver.

    python -m benchmarks.report --rows 10000 --rows 1000000 --browser /usr/bin/chromium

Each size in a process of its own: all nodes of the reporting pipeline that measure, sample, read or draw a
number of things that could grow, in 131 classes, with one photograph of 100 x 100 pixels in the place of each
image. With a browser, also the seconds in which it opens the explorer, the milliseconds of each of 100 frames
while the map turns, and those in which the point at the pointer is found.
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
from PIL import Image

from fruits_bigdata.linalg.classes import choose_neighbours, measure_classes
from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.linalg.sample import SAMPLE_SIZE, FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.pipelines.rejections import count_rejections
from fruits_bigdata.pipelines.reporting import nodes
from fruits_bigdata.pipelines.reporting.explorer.page import build_explorer
from fruits_bigdata.pipelines.reporting.plots.components import plot_components
from fruits_bigdata.pipelines.reporting.plots.neighbours import plot_neighbours
from fruits_bigdata.pipelines.reporting.plots.reconstruction import plot_reconstruction_error
from fruits_bigdata.pipelines.reporting.plots.rejections import plot_rejections
from fruits_bigdata.pipelines.reporting.plots.similarity import plot_class_similarity
from fruits_bigdata.pipelines.reporting.plots.variance import plot_explained_variance
from fruits_bigdata.pipelines.reporting.samples import sample_points
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import IMAGES_SCHEMA, N_FEATURES
from tests.support.processes import peak_memory_mb
from tests.support.runs import PROJECT, TABLES, write_results

_CLASSES = 131
_COMPONENTS = 50
_ROWS_PER_FILE = 50_000
_FRAMES = """
() => new Promise((done) => {
  setSolid(true);
  const ends = [];
  const turn = (now) => {
    ends.push(now);
    view.yaw += 0.02;
    painter.paint();
    drawOverlay();
    if (ends.length <= 100) requestAnimationFrame(turn); else done((ends.at(-1) - ends[0]) / 100);
  };
  requestAnimationFrame(turn);
})
"""


class OnePhotograph:
    """An image folder in which every path is the same picture."""

    def __init__(self) -> None:
        y, x = np.mgrid[:100, :100] - 50
        pixels = np.full((100, 100, 3), 255, np.uint8)
        pixels[x**2 + y**2 < 45**2] = np.random.default_rng(0).integers(0, 256, 3)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG")
        self._content = file.getvalue()

    def read(self, path: str) -> bytes:
        """Return the picture."""
        return self._content


def write_tables(rows: int, folder: Path) -> dict[str, Table]:
    """Write a listing of generated paths and random scores of them."""
    tables = {name: Table(f"{folder}/{name}", schema) for name, (_, schema) in TABLES.items()}
    for start in range(0, rows, _ROWS_PER_FILE):
        stop = min(rows, start + _ROWS_PER_FILE)
        numbers = np.arange(start, stop)
        labels = pa.array([f"class {i % _CLASSES:03d}" for i in numbers])
        paths = pa.array([f"class {i % _CLASSES:03d}/img_{i:09d}_100.jpg" for i in numbers])
        dates = pa.array((numbers + 1_600_000_000) * 1_000_000).cast(IMAGES_SCHEMA.field("modified").type)
        scores = np.random.default_rng(start).normal(size=(stop - start, _COMPONENTS)).astype(np.float32)
        offsets = np.arange(0, scores.size + 1, _COMPONENTS, dtype=np.int32)
        columns = {
            "images": [paths, labels, pa.array(numbers % 10_000), dates],
            "pca": [
                paths,
                labels,
                pa.array(["model"] * len(numbers)),
                pa.ListArray.from_arrays(offsets, scores.ravel()),
            ],
        }
        for name, arrays in columns.items():
            table = tables[name]
            file = table.folder.write(pa.Table.from_arrays(arrays, schema=table.schema))
            table.commit(Change(table, [file], last=False))
    return tables


def model_of(rows: int) -> PcaModel:
    """Return a model fitted to as many generated features as a sample holds, in 131 classes."""
    n = min(rows, SAMPLE_SIZE)
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(_CLASSES, N_FEATURES))
    matrix = (middles[np.arange(n) % _CLASSES] + rng.normal(size=(n, N_FEATURES))).astype(np.float32)
    labels = [f"class {i % _CLASSES:03d}" for i in range(n)]
    sample = FeatureSample.of(
        [f"{label}/img_{i:09d}_100.jpg" for i, label in enumerate(labels)], labels, matrix
    )
    summary = FeatureSummary(Moments.of(matrix), sample)
    return replace(fit_pca(summary.moments, _COMPONENTS), summary=summary)


def measure(rows: int, folder: Path) -> dict[str, Any]:
    """Report on so many rows; write the explorer into `folder` and return the seconds and the memory."""
    model = model_of(rows)
    tables = write_tables(rows, folder)
    before = peak_memory_mb("self")
    parts: dict[str, float] = {}
    processor = time.process_time()

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        parts[part] = round(time.perf_counter() - began, 2)

    with timed("measure"):
        quality, classes = nodes.measure_pca_quality(model), measure_classes(model)
        examples = choose_neighbours(model)
    with timed("count rejections"):
        rejections = count_rejections(tables["rejected"])
    with timed("sample points"):
        points = sample_points(tables["pca"])
    with timed("read pictures"):
        shown, thumbnails, statistics = nodes.read_report_pictures(OnePhotograph(), points, examples)  # type: ignore[arg-type]
    with timed("explorer"):
        page, held = build_explorer(points, thumbnails, quality, statistics)
        (folder / "explorer.html").write_text(page)
    with timed("draw"):
        plots = [
            plot_rejections(rejections, tables["images"]),
            plot_explained_variance(quality),
            plot_components(points, quality, thumbnails),
            plot_class_similarity(classes),
            plot_neighbours(examples, shown),
            plot_reconstruction_error(classes, quality),
        ]
        for plot in plots:
            plot.savefig(io.BytesIO(), dpi=110)
    return {
        "rows": rows,
        "seconds": round(sum(parts.values()), 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "parts": parts,
        "explorer": held,
        "driver_mb_before": before,
        "driver_mb": peak_memory_mb("self"),
    }


def open_in_browser(page: Path, browser: str) -> dict[str, float]:
    """Open the explorer and turn it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=browser)
        tab = chromium.new_page(viewport={"width": 1280, "height": 800})
        began = time.perf_counter()
        tab.goto(page.as_uri())
        tab.wait_for_function("element('status').textContent")
        opened = time.perf_counter() - began
        frame = tab.evaluate(_FRAMES)
        find = tab.evaluate(
            "(() => { const a = performance.now(); find(500, 400); return performance.now() - a; })()"
        )
        chromium.close()
    return {"opened_s": round(opened, 2), "frame_ms": round(frame, 1), "find_ms": round(find, 1)}


@click.command(help=__doc__)
@click.option("--rows", type=int, multiple=True, default=[10_000, 1_000_000], show_default=True)
@click.option("--browser", help="A Chromium to open the explorer in.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/report.json"))
@click.option("--one", type=int, hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(
    rows: tuple[int, ...], browser: str | None, output: Path, one: int | None, folder: Path | None
) -> None:
    if one is not None and folder is not None:
        click.echo(json.dumps(measure(one, folder)))
        return
    results = []
    for n in rows:
        with tempfile.TemporaryDirectory() as place:
            command = [sys.executable, "-m", "benchmarks.report", "--one", str(n), "--folder", place]
            done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            if browser:
                found["browser"] = open_in_browser(Path(place, "explorer.html"), browser)
        click.echo(json.dumps(found))
        results.append(found)
    write_results(output, results)


if __name__ == "__main__":
    main()
