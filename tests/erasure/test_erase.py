"""Erasures from real images and outputs, which the tests read by themselves."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner, Result
from kedro.framework.project import pipelines
from sklearn.decomposition import PCA

from fruits_bigdata.erasure import erase as module
from fruits_bigdata.erasure.__main__ import main
from fruits_bigdata.erasure.erase import outputs
from fruits_bigdata.hooks.common import place_of
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import FEATURES_SCHEMA
from tests.erasure.conftest import (
    BROKEN,
    CAMERA,
    ERASED,
    KEPT,
    PROJECT,
    TABLES,
    photograph,
    stored,
    telling,
    texts,
)

Command = Callable[..., Result]
# Set for other runs; none of them may decide what an erasure does.
OTHERS = {
    "dry_run": True,
    "limit": 1,
    "retry_rejected": True,
    "max_rejected_share": 0.0,
    "max_removed_share": 0.0,
    "pca.refit": "never",
}


def content(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def put_leftovers(out: Path) -> list[Path]:
    """Leave what runs that were killed leave behind, and what others have made of the image."""
    features = out / "04_feature/features"
    (data_file,) = features.glob("*.parquet")
    half = data_file.read_bytes()[:-100]
    report = out / "08_reporting"
    leftovers = {
        features / "part-0123456789ab-0123456789ab.parquet": data_file.read_bytes(),
        features / ".part-0123456789ab-ba9876543210.parquet.tmp": half,
        out / "02_intermediate/images/part-0123456789ab-0123456789ab.parquet": data_file.read_bytes(),
        out / "06_models/pca_model.npz.0123.tmp": (out / "06_models/pca_model.npz").read_bytes()[:-100],
        out / "06_models/pca_models/of before.npz": b"with a mean",
        out / "07_model_output/pca_csv/pca.csv.0123.tmp": ERASED.encode(),
        report / ".metrics.json.0123.tmp": json.dumps(ERASED).encode(),
        report / "of an older project.png": b"a picture of it",
        PROJECT / ".viz/test of an erasure.json": json.dumps([ERASED]).encode(),
    }
    for path, bytes_ in leftovers.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes_)
    return list(leftovers)


def test_nothing_is_left_of_what_was_erased(command, params, out, images, caplog, run_project):
    before = telling(out, ERASED)
    # The search sees what is to go; what it does not see before, it would not miss after.
    assert {"explorer.html", "pca_model.npz", "metrics.json", "pca.csv"} <= before
    assert sum(file.endswith(".parquet") for file in before) == 3
    assert "rejections.json" in telling(out, BROKEN)
    plan = command("--path", ERASED, "--dry-run", **OTHERS)
    assert plan.exit_code == 0, plan.output
    assert plan.output.startswith(f"{ERASED}: in the photograph {ERASED}, ")
    assert {place.split(" (")[0].rpartition("/")[2] for place in plan.output.split(", /")[1:]} == before
    old = {table: stored(out, table) for table in TABLES}
    row = old[TABLES[1]].set_index("path").loc[ERASED, "features"]
    leftovers = put_leftovers(out)
    caplog.clear()

    done = command("--path", ERASED, "--prefix", "Apple Red/br", **OTHERS)

    assert done.exit_code == 0, done.output
    assert f"{ERASED}: erased\nApple Red/br: erased\nRemoved photographs: 2; rows of tables: " in done.output
    assert sorted(str(path.relative_to(images)) for path in images.rglob("*.*")) == KEPT
    assert [path for path in leftovers if path.exists()] == []
    for name in (ERASED, BROKEN):
        assert telling(out, name) == set()
        assert name not in caplog.text
    # Neither are its features, in any file's bytes.
    first = np.asarray(row, np.float32)[:16].tobytes().decode("latin-1")
    assert not any(first in text for _, text in texts(out))
    # Of the others everything is as it was, bit for bit.
    for table, rows in old.items():
        expected = rows[rows["path"].isin(KEPT)].reset_index(drop=True)
        found = stored(out, table)
        if table != TABLES[3]:
            pd.testing.assert_frame_equal(found, expected, check_exact=True)
        else:
            assert list(found["path"]) == KEPT
    matrix = np.stack(stored(out, TABLES[1])["features"]).astype(np.float64)
    theirs = PCA(2, svd_solver="full").fit(matrix)
    with np.load(out / "06_models/pca_model.npz", allow_pickle=False) as model:
        assert model["moments_n"] == len(KEPT)
        np.testing.assert_allclose(model["moments_sum"], matrix.sum(axis=0), rtol=1e-9)
        np.testing.assert_allclose(model["mean"], matrix.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(model["explained_variance"], theirs.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(np.stack(stored(out, TABLES[3])["pca"]), theirs.transform(matrix), atol=1e-4)
    assert list(pd.read_csv(out / "07_model_output/pca_csv/pca.csv")["path"]) == KEPT
    assert len(list((out / "06_models/pca_models").iterdir())) == 1
    # Pictures of those that stay carry nothing of their cameras.
    assert CAMERA.encode() in photograph(1)
    assert "explorer.html" in telling(out, "JFIF")
    assert telling(out, CAMERA) == telling(out, "Exif\x00\x00") == telling(out, "eXIf") == set()
    # The next listing does not bring the image back, and is taken for a new one.
    listed = stored(out, TABLES[0])
    run_project(params, "loading")
    pd.testing.assert_frame_equal(stored(out, TABLES[0]), listed)
    metrics = json.loads((out / "08_reporting/metrics.json").read_text())
    assert metrics["counts"]["published"] == {"features": 8, "pca": 8, "pca_csv": 8}
    assert metrics["found"]["listed"] == 8

    again = command("--path", ERASED)
    assert again.exit_code == 1
    assert again.output == f"{ERASED}: not found\n"


def test_what_was_cut_off_is_started_again(command, params, first_run, out, images, monkeypatch, run_project):
    remove = module._Output.remove_photographs

    def meets_a_run(self: Any, *arguments: Any) -> None:
        remove(self, *arguments)
        other = Table(str(out / TABLES[1]), FEATURES_SCHEMA)
        other.commit(Change(other, metadata={"note": "of another run"}))

    with monkeypatch.context() as patch:
        patch.setattr(module._Output, "remove_photographs", meets_a_run)
        done = command("--path", ERASED)
    assert done.exit_code == 1
    assert f"{ERASED}: still in {out / TABLES[0]}" in done.output
    assert f"Another run has written to {out / TABLES[1]} since this one began: " in done.output
    assert done.output.endswith("Start the erasure again\n")
    assert not (images / ERASED).exists()

    def dies(self: Any, *arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.SequentialRunner, "run", dies)
        assert command("--path", ERASED).exit_code == 1
    # Nothing of the image is left but the row of the listing, by which it is found again.
    found = {
        path.parent.name for path in out.rglob("*.parquet") if ERASED in set(pd.read_parquet(path)["path"])
    }
    assert found == {"images"}
    done = command("--path", ERASED)
    assert done.exit_code == 0, done.output
    assert telling(out, ERASED) == set()
    assert list(stored(out, TABLES[3])["path"]) == KEPT
    assert len(stored(out, TABLES[0])) == 9
    # The folder as it was before is not taken for the one that is listed.
    shutil.copy2(first_run[1] / "Test" / ERASED, images / ERASED)
    run_project(params, "loading")
    assert len(stored(out, TABLES[0])) == 10


def test_all_images_go(command, out, images):
    done = command("--prefix", "Apple Red/", "--prefix", "Café crème/")
    assert done.exit_code == 0, done.output
    assert (
        "No image is left in the tables: there is no PCA model, no CSV and no report any more." in done.output
    )
    assert [len(stored(out, table)) for table in TABLES] == [0, 0, 0, 0]
    assert {path.suffix for path in out.rglob("*") if path.is_file()} <= {".json"}
    assert {path.parent.name for path in out.rglob("*") if path.is_file()} == {"_delta_log"}
    assert not any(path.is_file() for path in images.rglob("*"))


def test_too_few_images_for_a_pca_are_told(command, out):
    arguments = [argument for path in KEPT[1:] for argument in ("--path", path)]
    done = command(*arguments, "--path", ERASED)
    assert done.exit_code == 1
    assert (
        "cannot be made anew: n_components=2 needs at least 2 images with features, and there are 1"
        in done.output
    )
    assert done.output.endswith("Mend that, then start `kedro run`\n")
    assert done.output.count(": erased\n") == 8
    assert list(stored(out, TABLES[1])["path"]) == KEPT[:1]
    assert all(telling(out, path) == set() for path in (KEPT[6], ERASED))


def test_a_file_that_no_erasure_may_remove_is_named(command, out):
    # A run that began after the commit may still name it.
    (data_file,) = (out / TABLES[1]).glob("*.parquet")
    late = data_file.with_name("part-0123456789ab-0123456789ab.parquet")
    shutil.copy(data_file, late)
    os.utime(late, (2e9, 2e9))
    note = out / "04_feature/rejected/a note.txt"
    note.write_text(f"such as {BROKEN}")
    done = command("--prefix", "Apple Red/", "--prefix", "Café crème/")
    assert done.exit_code == 1
    assert f"Apple Red/: still in {late} (9 rows), {note} (the name)\n" in done.output
    assert f"Café crème/: still in {late} (9 rows)\n" in done.output


def test_a_list_of_any_editor_is_read_and_what_matches_nothing_is_told(command, out, images, tmp_path):
    names = tmp_path / "request.txt"
    names.write_bytes(f"\ufeff{ERASED}\r\n\r\nApple Red/typo\x1b[2J.jpg\r\n".encode())
    before = content(out.parent)
    done = command("--paths-file", str(names), "--dry-run")
    assert done.exit_code == 1
    assert f"{ERASED}: in the photograph {ERASED}" in done.output
    assert done.output.endswith("\nApple Red/typo\\x1b[2J.jpg: not found\n")
    names.write_bytes(b"Apple Red\n")
    for arguments in (["--paths-file", str(names)], ["--prefix", "apple"], ["--path", "0_100.jpg"]):
        done = command(*arguments)
        assert (done.exit_code, done.output.endswith(": not found\n")) == (1, True)
    names.write_bytes("Café".encode("latin-1"))
    assert f"{names} is no UTF-8" in command("--paths-file", str(names)).output
    assert content(out.parent) == before


def test_a_folder_that_cannot_be_listed_is_no_proof(command, out, images):
    # Below it, a path is longer than the system takes.
    folder = os.open(images, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=folder)
        folder, above = os.open("d" * 250, os.O_RDONLY, dir_fd=folder), folder
        os.close(above)
    os.close(folder)
    before = content(out)
    done = command("--path", ERASED, "--prefix", "d")
    assert done.exit_code == 1
    assert "cannot be listed, and may hold d: let this user read it" in done.output
    assert f"The folder {'d' * 250}/" in done.output
    assert (images / ERASED).exists()
    assert content(out) == before
    assert command("--path", ERASED, "--dry-run").exit_code == 0


def test_what_cannot_be_carried_out_removes_nothing(command, params, out, images, tmp_path):
    shutil.copytree(images, tmp_path / "Other")
    (images / "Apple Red/link.jpg").symlink_to(images / ERASED)
    before = content(out.parent)
    for more, arguments, error in (
        (
            {"images_path": str(tmp_path / "Other")},
            [ERASED],
            f"made of the images in {images}, and images_path is",
        ),
        ({"images_path": str(tmp_path / "None")}, [ERASED], "does not exist"),
        ({"image_path": "x"}, [ERASED], "There is no parameter 'image_path': did you mean images_path?"),
        (
            {},
            [ERASED, "Apple Red/link.jpg"],
            f"link.jpg is a link, and the image itself is {images / ERASED}",
        ),
        ({}, [""], "'' would erase every image"),
        ({}, ["a/../../b.jpg"], "may lead out of the images folder"),
        ({}, [], "Nothing is named that is to be erased"),
    ):
        done = command(*[part for path in arguments for part in ("--path", path)], **more)
        assert done.exit_code == 1
        assert error in done.output
    assert content(out.parent) == before
    (data_file,) = (out / TABLES[1]).glob("*.parquet")
    data_file.write_bytes(data_file.read_bytes()[:-100])
    done = command("--path", ERASED, "--path", BROKEN)
    assert done.exit_code == 1
    assert f"{data_file} has " in done.output
    assert (images / ERASED).exists()


def test_the_command_helps():
    done = CliRunner().invoke(main, ["--help"])
    assert done.exit_code == 0
    for text in ("--path 'Apple Braeburn/321_100.jpg'", "Exit codes:\n    0  every path", "--dry-run"):
        assert text in done.output
    assert CliRunner().invoke(main, ["--pth", "x"]).exit_code == 2


def test_outputs_on_s3_go_with_their_versions_and_uploads(command, out, bucket, s3_endpoint):
    fs, name = url_to_fs(bucket)
    fs.call_s3("put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for path in (path for path in out.rglob("*") if path.is_file()):
        for _ in range(2):
            fs.put_file(str(path), f"{name}/out/{path.relative_to(out)}")
    fs.pipe_file(f"{name}/elsewhere.txt", b"somebody's")
    for key in ("out/08_reporting/metrics.json", "elsewhere.txt"):
        fs.call_s3("create_multipart_upload", Bucket=name, Key=key)
    (data_file,) = (out / TABLES[1]).glob("*.parquet")
    fs.put_file(str(data_file), f"{name}/out/{TABLES[1]}/part-0123456789ab-0123456789ab.parquet")
    on_s3 = {"output_path": f"{bucket}/out", "s3.endpoint_url": s3_endpoint}

    done = command("--path", ERASED, **on_s3)

    assert done.exit_code == 0, done.output
    history = fs.call_s3("list_object_versions", Bucket=name)
    assert all(version["IsLatest"] for version in history["Versions"])
    assert not history.get("DeleteMarkers")
    uploads = fs.call_s3("list_multipart_uploads", Bucket=name)["Uploads"]
    assert [upload["Key"] for upload in uploads] == ["elsewhere.txt"]
    shutil.rmtree(out)
    fs.get(f"{name}/out", str(out), recursive=True)
    assert telling(out, ERASED) == set()
    assert list(stored(out, TABLES[3])["path"]) == KEPT
    assert len(stored(out, TABLES[0])) == 9


def test_photographs_on_s3_go_with_their_versions_and_uploads(command, out, bucket, s3_endpoint):
    fs, name = url_to_fs(bucket)
    fs.call_s3("put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for path in (ERASED, ERASED, BROKEN, f"{ERASED}.jpg", "Café crème/2.jpg"):
        fs.pipe_file(f"{name}/Test/{path}", path.encode())
    fs.call_s3("delete_object", Bucket=name, Key=f"Test/{BROKEN}")
    for path in (ERASED, f"{ERASED}.jpg"):
        fs.call_s3("create_multipart_upload", Bucket=name, Key=f"Test/{path}")
    shutil.rmtree(out)
    on_s3 = {"images_path": f"{bucket}/Test", "s3.endpoint_url": s3_endpoint}
    done = command("--path", ERASED, "--path", BROKEN, "--path", "Café crème/3.jpg", **on_s3)
    assert done.exit_code == 1
    assert done.output.endswith(f"{BROKEN}: erased\nCafé crème/3.jpg: not found\n{ERASED}: erased\n")
    versions = fs.call_s3("list_object_versions", Bucket=name)
    assert {version["Key"] for version in versions["Versions"]} == {
        f"Test/{ERASED}.jpg",
        "Test/Café crème/2.jpg",
    }
    assert not versions.get("DeleteMarkers")
    uploads = fs.call_s3("list_multipart_uploads", Bucket=name)["Uploads"]
    assert [upload["Key"] for upload in uploads] == [f"Test/{ERASED}.jpg"]


def test_every_output_of_the_project_lies_where_an_erasure_looks(load_context, tmp_path):
    context = load_context(output_path=str(tmp_path / "out"), models_path=str(tmp_path / "models"))
    searched = [*outputs(context).values(), str(tmp_path / "models")]
    for name in sorted(pipelines["__default__"].all_outputs()):
        place = place_of(context.catalog[name])
        assert place is None or any(f"{place}/".startswith(f"{one}/") for one in searched), name
    record = context.config_loader["catalog"]["pca_model"]["record"]
    assert record in searched
