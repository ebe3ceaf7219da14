"""What `kedro viz` shows: as its site of plain files, which has what its server would answer."""

import base64
import io
import json
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.support.commands import run_python

LAYERS = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]
# What `kedro viz run` and `kedro viz build` do before the one listens and the other copies its page.
PROGRAM = """
import sys, json, fsspec
from pathlib import Path
from kedro.framework.startup import bootstrap_project
from kedro_viz.api.rest.responses.save_responses import save_api_responses_to_fs
from kedro_viz.server import load_and_populate_data
bootstrap_project(Path.cwd())
params = {"output_path": sys.argv[1]}
load_and_populate_data(Path.cwd(), package_name="fruits_bigdata", extra_params=params)
save_api_responses_to_fs(sys.argv[2], fsspec.filesystem("file"), True)
"""

Site = tuple[dict[str, Any], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    """The flow, and what is shown beside each of its parts, by name, of an output with a part of a report."""
    output, shown = tmp_path_factory.mktemp("output"), tmp_path_factory.mktemp("site")
    report = output / "08_reporting"
    report.mkdir()
    Figure(figsize=(3, 2)).savefig(report / "components.png", dpi=100)
    (report / "metrics.json").write_text('{"counts": {"listed": 6050}}')
    (report / "explorer.html").write_text("<p>hello</p>")
    done = run_python(PROGRAM, str(output), str(shown))
    assert done.returncode == 0, done.stderr
    main = json.loads((shown / "api/main").read_text())
    names = {node["id"]: node["name"] for node in main["nodes"]}
    beside = {
        names[path.name]: json.loads(path.read_text())
        for path in (shown / "api/nodes").iterdir()
        if path.name in names
    }
    return main, beside


def test_datasets_lie_in_kedros_layers(site):
    assert site[0]["layers"] == LAYERS


def test_pictures_and_figures_of_the_report_are_previewed(site):
    picture, figures = site[1]["components_plot"], site[1]["metrics"]
    assert picture["preview_type"] == "ImagePreview"
    assert Image.open(io.BytesIO(base64.b64decode(picture["preview"]))).size == (300, 200)
    assert figures["preview_type"] == "JSONPreview"
    assert json.loads(figures["preview"]) == {"counts": {"listed": 6050}}


def test_what_is_not_there_has_no_preview(site):
    assert site[1]["throughput_plot"]["preview"] is None


def test_nodes_say_what_they_do(site):
    assert site[1]["plot_components"]["preview"]["content"] == (
        "Draw the images on the plane of PC1 and PC2 by class, and the pictures of some of them."
    )
