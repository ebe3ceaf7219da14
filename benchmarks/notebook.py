"""Run the notebook from its first cell to its last, and keep its outputs in the file.

    python -m benchmarks.notebook --images TEST --weights WEIGHTS --per-class 40

On some images of each class, by default more in all than there are features, so that Spark ML's PCA can be
compared with; copied to a folder whose name says nothing of the machine, so that the outputs
that the repository keeps do not either.
"""

import argparse
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

PROJECT = Path(__file__).parents[1]
NOTEBOOK = PROJECT / "notebooks" / "fruits_emr.ipynb"
# Where images, weights and results lie while the outputs are made.
_NEUTRAL = Path("/tmp/fruits")
_CELL_SECONDS = 600


def execute(folder: Path, environment: Mapping[str, str]) -> Any:
    """Return the notebook with the outputs of a run on this machine, in a kernel of this Python.

    Cells for EMR alone are passed over, as their tag says. What Java says of the machine is left out.

    Args:
        folder: Where the kernel runs.
        environment: Variables for the kernel, beside those of this process.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # The file says PySpark, whose kernel is EMR's.
    kept = dict(notebook.metadata)
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=_CELL_SECONDS, kernel_name="python3", resources=place, record_timing=False
    )
    # The kernel runs elsewhere and still finds this clone.
    python_path = os.pathsep.join(filter(None, [str(PROJECT / "src"), os.environ.get("PYTHONPATH")]))
    own = {"FRUITS_PROJECT": str(PROJECT), "PYTHONPATH": python_path}
    client.execute(env={**os.environ, **own, **environment})
    notebook.metadata = nbformat.from_dict(kept)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--per-class", type=int, default=40)
    given = parser.parse_args()
    if _NEUTRAL.exists():
        parser.error(f"{_NEUTRAL} is there already, and would be removed: move it away")
    for label in sorted(path for path in given.images.iterdir() if path.is_dir()):
        images = sorted(label.iterdir())
        # Spread over the turns of the fruit.
        for image in images[:: max(1, len(images) // given.per_class)][: given.per_class]:
            place = _NEUTRAL / "Test" / label.name / image.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(image, place)
    shutil.copy(given.weights, _NEUTRAL / "weights.h5")
    paths = {"IMAGES": "Test", "OUTPUT": "output", "WEIGHTS": "weights.h5"}
    environment = {f"FRUITS_{name}": str(_NEUTRAL / path) for name, path in paths.items()}
    models = {"models_path": str(_NEUTRAL / "models")}
    try:
        notebook = execute(_NEUTRAL, {**environment, "FRUITS_PARAMS": json.dumps(models)})
    finally:
        shutil.rmtree(_NEUTRAL)
    nbformat.write(notebook, NOTEBOOK)
    print(f"{NOTEBOOK.name}: {NOTEBOOK.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
