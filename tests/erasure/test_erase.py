"""An erasure, from images in a bucket that keeps versions to outputs that the test searches by itself."""

import base64
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import ExifTags, Image
from pyspark.sql import SparkSession
from sklearn.decomposition import PCA

from fruits_bigdata.datasets.compiled_models_dataset import CompiledModelsDataset
from fruits_bigdata.erasure.__main__ import main
from fruits_bigdata.erasure.erase import erase, outputs, preview
from fruits_bigdata.erasure.request import ErasureError, Request
from fruits_bigdata.hooks.common import place_of
from fruits_bigdata.output_lock import OutputLock, OutputLockedError
from fruits_bigdata.storage import open_location
from fruits_bigdata.vision.engine import CompiledModel
from fruits_bigdata.vision.model import model_key
from fruits_bigdata.vision.weights import Weights, write_weights

PROJECT = Path(__file__).parents[2]
ERASED, BROKEN = "Café crème/a face, 1.jpg", "Apple Red/broken.png"
KEPT = [f"{label}/{i}_100.jpg" for label in ("Apple Red", "Café crème") for i in range(4)]
CAMERA = "A camera of somebody's"


def photograph(seed: int, exif: bool = False) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    tags = Image.Exif()
    if exif:
        tags[ExifTags.Base.Model] = CAMERA
        tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (48.0, 51.0, 24.0)
    file = BytesIO()
    Image.fromarray(pixels).resize((100, 100)).save(file, "JPEG", exif=tags)
    return file.getvalue()


@pytest.fixture
def versioned(bucket: str) -> str:
    fs, name = open_location(bucket)
    fs.call_s3("put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture
def params(
    versioned: str,
    s3_endpoint: str,
    weights: Weights,
    compiled_model: CompiledModel,
    tmp_path: Path,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """Of a run on ten images in a bucket; one was replaced once, one is broken."""
    fs, root = open_location(f"{versioned}/Test")
    fs.pipe_file(f"{root}/{ERASED}", photograph(99))
    for seed, path in enumerate(KEPT):
        fs.pipe_file(f"{root}/{path}", photograph(seed, exif=True))
    fs.pipe_file(f"{root}/{ERASED}", photograph(100, exif=True))
    fs.pipe_file(f"{root}/{BROKEN}", b"\x89PNG\r\n\x1a\n")
    with (tmp_path / "seeded.h5").open("w+b") as file:
        write_weights(weights, file)
    models = CompiledModelsDataset(filepath=str(tmp_path / "models"))
    models.save({model_key(weights.digest, "float32"): compiled_model.content})
    # Workers that were started before the test know no credentials.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setitem(spark.sparkContext.environment, name, "test")
    bootstrap_project(PROJECT)
    return {
        "images_path": f"{versioned}/Test",
        "output_path": str(tmp_path / "out"),
        "models_path": str(tmp_path / "models"),
        "weights_path": str(tmp_path / "seeded.h5"),
        "weights_digest": weights.digest,
        "s3": {"endpoint_url": s3_endpoint},
        "pca": {"n_components": 2},
    }


def run(params: dict[str, Any]) -> None:
    with KedroSession.create(PROJECT, runtime_params=params) as session:
        session.run(pipeline_names=["__default__"])  # type: ignore[call-arg]


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
    spellings = {name, json.dumps(name)[1:-1], name.encode().decode("latin-1"), name.rpartition("/")[2]}
    return {file for file, text in texts(out) if any(spelling in text for spelling in spellings)}


def stored(out: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(out / table).sort_values("path", ignore_index=True)


def keys(bucket: str) -> set[str]:
    fs, name = open_location(bucket)
    found = fs.call_s3("list_object_versions", Bucket=name)
    return {one["Key"] for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, ())}


def test_nothing_is_left_of_what_was_erased(
    params: dict[str, Any], versioned: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    run(params)
    np.savez(out / "06_models/pca_models/of before.npz", mean=np.zeros(3))
    (out / "08_reporting/of an older project.png").write_bytes(b"a picture of it")
    # The search sees what is to go; what it does not see before, it would not miss after.
    before = telling(out, ERASED)
    assert {"explorer.html", "pca_model.npz", "metrics.json"} <= before
    assert sum(file.endswith(".parquet") for file in before) == 3
    assert any(file.endswith(".csv") for file in before)
    assert "rejections.json" in telling(out, BROKEN)
    features = stored(out, "04_feature/features")
    row = np.asarray(features.loc[features["path"] == ERASED, "features"].item(), np.float32)
    listed, traces = preview(PROJECT, Request.of([ERASED], []), params=params)
    assert listed == [ERASED]
    assert {Path(trace.url).name for trace in traces} == before
    caplog.clear()

    done = erase(PROJECT, Request.of([ERASED], ["Apple Red/br"]), params=params)

    assert sorted(done.images) == sorted(f"{versioned}/Test/{path}" for path in (ERASED, BROKEN))
    # images twice, features, rejected, pca
    assert done.rows == 5
    assert keys(versioned) == {f"Test/{path}" for path in KEPT}
    for name in (ERASED, BROKEN):
        assert telling(out, name) == set()
        assert name not in caplog.text
    # Neither are its features, in any file's bytes.
    first = row[:16].tobytes().decode("latin-1")
    assert not any(first in text for _, text in texts(out))
    assert not (out / "08_reporting/of an older project.png").exists()
    left = stored(out, "04_feature/features")
    assert list(left["path"]) == list(stored(out, "07_model_output/pca")["path"]) == KEPT
    # The PCA is that of the others alone.
    matrix = np.stack(left["features"]).astype(np.float64)
    with np.load(out / "06_models/pca_model.npz", allow_pickle=False) as model:
        assert model["moments_n"] == len(KEPT)
        np.testing.assert_allclose(model["moments_sum"], matrix.sum(axis=0), rtol=1e-9)
        np.testing.assert_allclose(model["mean"], matrix.mean(axis=0), rtol=1e-9)
        theirs = PCA(2, svd_solver="full").fit(matrix)
        np.testing.assert_allclose(model["explained_variance"], theirs.explained_variance_, rtol=1e-6)
    assert len(list((out / "06_models/pca_models").iterdir())) == 1
    # Pictures of those that stay carry nothing of their cameras.
    assert CAMERA.encode() in photograph(1, exif=True)
    assert "explorer.html" in telling(out, "JFIF")
    assert telling(out, CAMERA) == telling(out, "Exif\x00\x00") == telling(out, "eXIf") == set()

    with pytest.raises(ErasureError, match=r"^There is nothing of 'Café crème/a face, 1.jpg' in the images"):
        erase(PROJECT, Request.of([ERASED], []), params=params)
    assert list(stored(out, "04_feature/features")["path"]) == KEPT

    # Too few are left for a PCA: nothing of the others stays all the same, and it is said.
    with pytest.raises(ErasureError, match=r"failed: .* Nothing of these images is left: mend that"):
        erase(PROJECT, Request.of(KEPT[1:], []), params=params)
    assert telling(out, KEPT[1]) == set()
    assert list(stored(out, "04_feature/features")["path"]) == KEPT[:1]
    done = erase(PROJECT, Request.of(KEPT[:1], []), params=params)
    assert [path for path in out.rglob("*") if path.is_file()] == []
    assert keys(versioned) == set()


def test_a_wrong_images_folder_lets_nothing_go(
    params: dict[str, Any], versioned: str, tmp_path: Path
) -> None:
    store = tmp_path / "out/04_feature/features"
    store.mkdir(parents=True)
    pd.DataFrame({"path": [ERASED, KEPT[0]]}).to_parquet(store / "part-0.parquet")
    fs, root = open_location(f"{versioned}/Nowhere")
    fs.pipe_file(f"{root}/a note.txt", b"no image")
    wrong = params | {"images_path": f"{versioned}/Nowhere"}
    with pytest.raises(ErasureError, match=r"Nowhere holds no other image, and 1 stored rows are of others"):
        erase(PROJECT, Request.of([ERASED], []), params=wrong)
    assert len(pd.read_parquet(store)) == 2


def test_a_run_that_writes_is_waited_for(params: dict[str, Any], versioned: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/_lock.json").write_text("somebody's")
    with pytest.raises(OutputLockedError):
        erase(PROJECT, Request.of([ERASED], []), params=params)
    assert f"Test/{ERASED}" in keys(versioned)
    OutputLock(str(tmp_path / "out/_lock.json")).acquire("me", break_it=True)


def test_images_on_a_disk_go_and_links_are_refused(params: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "Test"
    (folder / "Apple").mkdir(parents=True)
    for name in ("1.jpg", "10.jpg"):
        (folder / "Apple" / name).write_bytes(photograph(1))
    (folder / "Apple/link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    local = params | {"images_path": str(folder)}
    with pytest.raises(ErasureError, match=r"link.jpg is a link, and the image itself is .*elsewhere.jpg"):
        erase(PROJECT, Request.of(["Apple/1.jpg", "Apple/link.jpg"], []), params=local)
    assert (folder / "Apple/1.jpg").exists()
    (folder / "Apple/link.jpg").unlink()
    # No output: nothing to make anew but the images' folder is empty then.
    done = erase(PROJECT, Request.of([], ["Apple/"]), params=local)
    assert done.images == [f"{folder}/Apple/1.jpg", f"{folder}/Apple/10.jpg"]
    assert os.listdir(folder / "Apple") == []


def test_every_output_of_the_project_lies_where_an_erasure_looks(
    load_context: Callable[..., KedroContext], tmp_path: Path
) -> None:
    context = load_context(output_path=str(tmp_path / "out"), models_path=str(tmp_path / "models"))
    searched = list(outputs(context).values())
    for name in sorted(pipelines["__default__"].all_outputs()):
        place = place_of(context.catalog[name])
        # The models that are compiled from the weights hold nothing of an image's name or pixels.
        if place is not None and name != "compiled_models":
            assert any(f"{place}/".startswith(f"{one}/") for one in searched), name
    record = context.config_loader["catalog"]["pca_model"]["record"]
    assert record in searched


def test_the_command(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    given = f"images_path={params['images_path']},output_path={params['output_path']}"
    given += f",s3.endpoint_url={params['s3']['endpoint_url']}"
    done = CliRunner().invoke(main, ["--path", ERASED, "--dry-run", "--params", given])
    assert done.exit_code == 0, done.output
    assert f"1 images would be erased, and 0 files tell of them:\n  {ERASED}" in done.output
    for wrong, said in (
        ([], "Nothing is named that is to be erased"),
        (["--prefix", ""], "'' would erase every image"),
        (["--path", "a/../../b.jpg"], "may lead out of the images folder"),
    ):
        done = CliRunner().invoke(main, [*wrong, "--params", given])
        assert done.exit_code == 1
        assert said in done.output
