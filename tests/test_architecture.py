"""The diagram of the data flow in docs/architecture.md shows what is there."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from fruits_bigdata.pipeline_registry import register_pipelines

DOCUMENT = Path(__file__).parents[1] / "docs/architecture.md"
NODES = {node.name.rpartition(".")[2]: node for node in register_pipelines()["__default__"].nodes}
DATASETS = set(register_pipelines()["__default__"].datasets())


def arrows() -> list[tuple[str, str, str]]:
    """Return pipeline, from and to of each arrow; what is written as a drum must be a dataset."""
    _, diagram = re.findall(r"```mermaid\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    found = []
    pipeline = ""
    for line in diagram.splitlines():
        if match := re.match(r" *subgraph (\w+?)(?:_pipeline)?(?:\[.*)?$", line):
            pipeline = match[1]
        parts = [part.strip() for part in line.split("-->")]
        for drum, label in re.findall(r"(\w+)\[\((.*?)\)\]", line):
            assert drum == label
            assert drum in DATASETS
        names = [re.sub(r"\[.*", "", part) for part in parts]
        found += [(pipeline, *arrow) for arrow in pairwise(names)]
    return found


@pytest.mark.parametrize(("pipeline", "start", "end"), arrows())
def test_each_arrow_is_an_input_or_an_output(pipeline, start, end):
    name, reads = (end, True) if end in NODES else (start, False)
    node = NODES[name]
    assert (start in node.inputs) if reads else (end in node.outputs)
    assert pipeline == node.namespace


def test_no_pipeline_is_left_out():
    pipelines = {pipeline for pipeline, _, _ in arrows()}
    assert pipelines == set(register_pipelines()) - {"__default__", "plan"}
