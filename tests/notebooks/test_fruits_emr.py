"""The notebook: executed from top to bottom, and what the repository keeps of it."""

import json
import re
from typing import Any

import nbformat
import pytest

from benchmarks.notebook import NOTEBOOK, PROJECT, execute
from fruits_bigdata.datasets.compiled_models_dataset import CompiledModelsDataset
from fruits_bigdata.vision.model import model_key
from fruits_bigdata.vision.weights import write_weights
from tools.sample_images import SAMPLE_CLASSES, write_sample_images

# 1 MB, of which pictures are the most.
MAX_BYTES = 1_000_000
IMAGES_PER_CLASS = 4


@pytest.fixture(scope="module")
def kept() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(weights, compiled_model, tmp_path_factory) -> Any:
    """The notebook, run on sample images of which one is damaged."""
    folder = tmp_path_factory.mktemp("notebook")
    write_sample_images(folder / "Test", IMAGES_PER_CLASS)
    (folder / "Test" / SAMPLE_CLASSES[0] / "0_100.jpg").write_bytes(b"no picture")
    with (folder / "seeded.h5").open("w+b") as file:
        write_weights(weights, file)
    # Compiling takes TensorFlow, which other tests try.
    models = CompiledModelsDataset(filepath=str(folder / "models"))
    models.save({model_key(weights.digest): compiled_model.content})
    parameters = {
        "weights_digest": weights.digest,
        "models_path": str(folder / "models"),
        "pca": {"n_components": 8},
    }
    paths = {"IMAGES": "Test", "OUTPUT": "output", "WEIGHTS": "seeded.h5"}
    environment = {f"FRUITS_{name}": str(folder / path) for name, path in paths.items()}
    # On a busy machine two threads wait for each other longer than one computes.
    threads = {"OPENBLAS_NUM_THREADS": "1"}
    return execute(folder, {**environment, **threads, "FRUITS_PARAMS": json.dumps(parameters)})


def said(notebook: Any, beginning: str) -> str:
    """Return what the cell whose code has `beginning` printed."""
    (cell,) = (one for one in notebook.cells if one.cell_type == "code" and beginning in one.source)
    return "".join(output["text"] for output in cell.outputs if output.output_type == "stream")


def pictures(notebook: Any) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def test_it_runs_from_top_to_bottom(executed):
    n = len(SAMPLE_CLASSES) * IMAGES_PER_CLASS
    assert f"{n} images listées" in said(executed, "read_listing(")
    assert "binaryFile  : ['1.jpg', 'é.jpg']" in said(executed, "vide.jpg")
    lines = said(executed, "sans_diffusion").splitlines()
    # Name, bytes of the function, workers, how often the model was handed over.
    broadcast, carried = (line.split()[-5:] for line in lines[-2:])
    assert int(broadcast[0]) < 10_000 < 8_000_000 < int(carried[0])
    assert (broadcast[2], carried[2]) == ("0", "40")
    assert "plus grand écart entre les deux : 0.0e+00" in said(executed, "featurize_images(travail")
    assert '"rejected": 1' in said(executed, 'lancer("featurization")')
    # Fewer images than features: Spark ML's own solver may fail.
    assert "scikit-learn, composantes : 1 - |cosinus| au plus" in said(executed, "with_spark_ml(")
    rows = {"features": n - 1, "pca": n - 1, "pca_csv": n - 1}
    assert f"lignes : {rows}" in said(executed, 'lancer("export")')
    assert f"{n - 1} lignes relues" in said(executed, "pd.read_csv")
    report = said(executed, 'lancer("reporting")')
    assert '"not a JPEG or PNG image": 1' in report
    assert "16. Limites et suite" in report
    assert "'new': 0" in said(executed, 'lancer("loading", "featurization")')
    assert "us-east-1" in said(executed, "ResidencyError")
    assert len(pictures(executed)) == 2


def test_what_is_kept_has_been_run_on_real_images_and_shows_no_place(kept):
    text = NOTEBOOK.read_text()
    assert len(text) < MAX_BYTES
    outputs = [output for cell in kept.cells for output in cell.get("outputs", [])]
    shown = json.dumps([output.get("text") or output["data"].get("text/plain") for output in outputs])
    assert all(path.startswith("/tmp/fruits") for path in re.findall(r"(?<![\w/.:])/\w+/[\w/.-]+", shown))
    assert not re.search(r"\d+\.\d+\.\d+\.\d+", shown)
    assert not any("text/html" in output.get("data", {}) for output in outputs)
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code if "emr-setup" not in cell.metadata.get("tags", [])]
    assert counts == sorted(counts)
    assert all(counts)
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert len(pictures(kept)) == 2
    assert int(said(kept, "read_listing(").split(" images listées")[0].split()[-1]) >= 200
    assert "Apple Braeburn" in said(kept, "read_listing(")


def test_one_cell_is_for_emr_alone(kept):
    (cell,) = (cell for cell in kept.cells if "emr-setup" in cell.metadata.get("tags", []))
    assert {"skip-execution", "raises-exception"} <= set(cell.metadata.tags)
    others = [one.source for one in kept.cells if one is not cell and one.cell_type == "code"]
    assert not any(source.startswith("%%") for source in others)
    # What Livy does not know.
    assert all("NameError" in one for one in others if "display(" in one or "get_ipython" in one)


def test_every_criterion_of_the_mission_has_its_place(kept):
    titles = {
        int(number): title
        for cell in kept.cells
        if cell.cell_type == "markdown"
        for number, title in re.findall(r"(?m)^## (\d+)\. (.+)$", cell.source)
    }
    assert sorted(titles) == list(range(1, 14))
    table = (PROJECT / "docs" / "mission.md").read_text()
    for number, title in re.findall(r"notebook, section (\d+) \(([^)]+)\)", table):
        assert titles[int(number)].startswith(title), (number, title)
    assert len(re.findall(r"(?m)^\| C\d-CE\d", table)) == 9


def test_it_is_in_french_for_the_pyspark_kernel(kept):
    assert kept.metadata.kernelspec.name == "pysparkkernel"
    assert "Rien n'a encore été exécuté sur AWS" in kept.cells[0].source
