"""The output of a real run, which each test may spoil."""

import base64
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from deltalake import DeltaTable
from PIL import ExifTags, Image

from fruits_bigdata.erasure.__main__ import main
from tests.conftest import format_params
from tests.support.commands import PROJECT

ERASED, BROKEN = "Café crème/a face, 1.jpg", "Apple Red/broken.png"
KEPT = [f"{label}/{i}_100.jpg" for label in ("Apple Red", "Café crème") for i in range(4)]
CAMERA = "A camera of somebody's"
TABLES = ("02_intermediate/images", "04_feature/features", "04_feature/rejected", "07_model_output/pca")


def photograph(seed: int, exif: bool = True) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    tags = Image.Exif()
    if exif:
        tags[ExifTags.Base.Model] = CAMERA
        tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (48.0, 51.0, 24.0)
    file = BytesIO()
    Image.fromarray(pixels).resize((100, 100)).save(file, "JPEG", exif=tags)
    return file.getvalue()


def photographs() -> dict[str, bytes]:
    found = {path: photograph(seed) for seed, path in enumerate(KEPT)}
    return {**found, ERASED: photograph(100), BROKEN: b"\x89PNG\r\n\x1a\n"}


@pytest.fixture(scope="session")
def models(model_params) -> dict[str, Any]:
    """The parameters of a run but for its places."""
    return {**model_params, "pca": {"n_components": 2}}


@pytest.fixture(scope="session")
def first_run(tmp_path_factory, models, spark, run_project) -> tuple[Path, Path]:
    """Where a run on ten images on a disk has written, and a copy of it; one image is broken."""
    root = tmp_path_factory.mktemp("erasure") / "project"
    for path, content in photographs().items():
        (root / "Test" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "Test" / path).write_bytes(content)
    places = {"images_path": str(root / "Test"), "output_path": str(root / "out")}
    run_project({**models, **places}, "__default__")
    shutil.copytree(root, root.with_name("copy"))
    return root, root.with_name("copy")


@pytest.fixture
def out(first_run) -> Path:
    """The output of the run, as it was."""
    root, copy = first_run
    shutil.rmtree(root)
    shutil.copytree(copy, root)
    return root / "out"


@pytest.fixture
def images(out) -> Path:
    return out.with_name("Test")


@pytest.fixture
def params(out, images, models) -> dict[str, Any]:
    return {**models, "images_path": str(images), "output_path": str(out)}


@pytest.fixture
def command(params, monkeypatch) -> Callable[..., Result]:
    """Run the command of the erasure."""
    monkeypatch.chdir(PROJECT)

    def command(*arguments: str, **more: object) -> Result:
        return CliRunner().invoke(main, [*arguments, "--params", format_params(params | more)])

    return command


def stored(out: Path, table: str) -> pd.DataFrame:
    """Return the rows that the log of a table names, which are all that its folder holds."""
    rows: pd.DataFrame = DeltaTable(out / table).to_pandas().sort_values("path", ignore_index=True)
    files = [path.name for path in (out / table).iterdir() if path.name != "_delta_log"]
    assert sorted(files) == sorted(Path(file).name for file in DeltaTable(out / table).file_uris())
    return rows


def texts(out: Path) -> Iterator[tuple[str, str]]:
    """Yield everything that the outputs hold, as text: bytes, tables, arrays, and what is in archives."""
    for path in (path for path in out.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield path.name, content.decode("latin-1")
        yield path.name, content.decode(errors="replace")
        if path.suffix == ".parquet":
            yield path.name, pd.read_parquet(path).to_csv()
        if path.suffix == ".html":
            for packed in re.findall(rb'"([A-Za-z0-9+/]{100,}=*)"', content):
                yield path.name, base64.b64decode(packed).decode("latin-1")
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                for name in arrays:
                    yield path.name, str(arrays[name].tolist())
        if path.suffix in (".npz", ".pptx"):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield path.name, archive.read(name).decode("latin-1")


def telling(out: Path, name: str) -> set[str]:
    """Return the names of the files that hold a name in any spelling."""
    spellings = {name, json.dumps(name)[1:-1], name.encode().decode("latin-1"), name.rpartition("/")[2]}
    return {file for file, text in texts(out) if any(spelling in text for spelling in spellings)}
