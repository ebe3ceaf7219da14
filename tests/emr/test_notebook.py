"""The one cell that a notebook needs on EMR's JupyterHub: Spark's settings, those of conf/emr/spark.yml."""

import json
import re
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from tests.support.commands import PROJECT

# Livy's to say, the cluster's own (infra/cluster.yml), or nothing for AWS.
NOT_A_NOTEBOOKS = {
    "spark.master",
    "spark.submit.deployMode",
    "spark.hadoop.fs.s3a.endpoint.region",
    "spark.hadoop.fs.s3a.path.style.access",
}


@pytest.fixture(scope="module")
def expected() -> str:
    """The cell as conf/emr makes it."""
    bootstrap_project(PROJECT)
    with KedroSession.create(PROJECT, env="emr") as session:
        loader = session.load_context().config_loader
        settings: dict[str, Any] = {**loader["spark"], **loader["s3a"]}
    conf = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in settings.items()
        if value is not None and key not in NOT_A_NOTEBOOKS
    }
    return f"%%configure -f\n{json.dumps({'conf': conf}, indent=1)}"


def test_the_runbook_has_the_cell(expected):
    text = (PROJECT / "docs/emr.md").read_text()
    (cell,) = re.findall(r"```\n(%%configure -f\n.*?)\n```", text, re.DOTALL)
    assert cell == expected


def test_every_notebook_has_the_cell(expected):
    for notebook in (PROJECT / "notebooks").glob("*.ipynb"):
        cells = json.loads(notebook.read_text())["cells"]
        (cell,) = [one for one in cells if "emr-setup" in one["metadata"].get("tags", [])]
        assert "".join(cell["source"]).strip() == expected, notebook
