"""Names that people really use, from the folder or the bucket to every table, through Kedro."""

import os
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from kedro.io import CatalogProtocol
from PIL import Image
from pyspark.sql import SparkSession

from fruits_bigdata.images.pixels import decode
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.tables.schemas import LABEL, PATH
from fruits_bigdata.vision.engine import Engine
from tests.support.commands import PROJECT

TABLES = ("images", "features", "rejected", "pca", "pca_csv")
PARQUET = {
    "images": "02_intermediate/images",
    "features": "04_feature/features",
    "pca": "07_model_output/pca",
}

# A path and a label, what a reader finds of an image.
Pair = tuple[str, str]
Run = Callable[..., CatalogProtocol]  # type: ignore[type-arg]


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).resize((32, 32)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def run(spark, model_params, run_project, load_context) -> Run:
    """Run the whole chain over some images, and return the catalog that others read the tables by."""

    def run(**places: object) -> CatalogProtocol:  # type: ignore[type-arg]
        params = {**model_params, "pca": {"n_components": 2}, **places}
        run_project(params)
        return load_context(**params).catalog

    return run


def check(
    catalog: CatalogProtocol,  # type: ignore[type-arg]
    output: Path,
    truth: dict[Pair, bytes],
    rejected: set[Pair],
    engine: Engine,
) -> None:
    """Hold what readers find against the images: `truth` tells the bytes of each that can be used."""
    usable = sorted(truth)
    expected = dict.fromkeys(TABLES, usable) | {
        "images": sorted([*truth, *rejected]),
        "rejected": sorted(rejected),
    }
    # Through the catalog. Of the CSV it gives the paths.
    for table in (*PARQUET, "pca_csv"):
        loaded = catalog.load(table)
        if table == "pca_csv":
            assert sorted(loaded.to_pylist()) == sorted(path for path, _ in usable)
            continue
        columns = loaded.read([PATH, LABEL]).to_pydict()
        assert sorted(zip(columns[PATH], columns[LABEL], strict=True)) == expected[table], table
    # pyarrow, from Parquet.
    for table, folder in PARQUET.items():
        if not expected[table]:
            continue
        columns = pq.read_table(output / folder, columns=[PATH, LABEL]).to_pydict()
        assert sorted(zip(columns[PATH], columns[LABEL], strict=True)) == expected[table], table
    # pandas and Spark, from the CSV, by the lines that docs/tables.md shows.
    for scores in (documented_csv(output, "pandas, the CSV"), documented_csv(output, "PySpark")):
        texts = [[re.sub(r"^'(?=['=+\-@\t\r])", "", text) for text in scores[name]] for name in (PATH, LABEL)]
        assert sorted(zip(*texts, strict=True)) == usable
        assert scores["pca_00"].astype(float).notna().all()
    # Each row is of its own picture.
    stored = pd.read_parquet(output / PARQUET["features"]).set_index([PATH, LABEL])["features"]
    computed = [engine.features(decode(truth[pair])) for pair in usable]
    np.testing.assert_allclose(np.stack(stored.loc[usable]), np.stack(computed), atol=1e-4)


def documented_csv(output: Path, title: str) -> pd.DataFrame:
    """Run the lines of docs/tables.md for `title` where they name the CSV, and return what they read."""
    text = (PROJECT / "docs/tables.md").read_text()
    found = re.search(rf"^{title}[^\n]*:\n\n```python\n((?:(?!```).)*pca_csv.*?)```", text, re.M | re.S)
    assert found is not None
    names: dict[str, object] = {"spark": SparkSession.active(), "pd": pd, "O": str(output)}
    exec(found[1], names)
    csv = names["csv"]
    return csv if isinstance(csv, pd.DataFrame) else csv.toPandas()  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def engine(compiled_model) -> Engine:
    return Engine(compiled_model.content)


def test_every_name_on_disk_comes_through(run, odd_names, engine, tmp_path):
    root = tmp_path / "my images, 50% #1? é+"
    truth: dict[Pair, bytes] = {}

    def write(name: bytes, pair: Pair) -> None:
        path = os.fsencode(root) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        truth[pair] = picture(len(truth))
        with open(path, "wb") as file:
            file.write(truth[pair])

    for name in odd_names:
        write(os.fsencode(name), (name, (root / name).parent.name))
    write(b"a/caf\xe9%.jpg", ("not-utf-8://a/caf%E9%25.jpg", "a"))
    write(b"caf\xe9/1.jpg", ("not-utf-8://caf%E9/1.jpg", "not-utf-8://caf%E9"))
    (root / "links").mkdir()
    (root / "links" / "to a file.jpg").symlink_to(root / "apple" / "1.jpg")
    truth["links/to a file.jpg", "links"] = truth["apple/1.jpg", "apple"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.jpg").write_bytes(picture(1000))
    (root / "linked, folder").symlink_to(tmp_path / "elsewhere")
    truth["linked, folder/1.jpg", "linked, folder"] = picture(1000)
    (root / "apple" / 'empty\n, ".jpg').touch()
    (root / "links" / "to nothing.jpg").symlink_to("nowhere")
    rejected = {('apple/empty\n, ".jpg', "apple"), ("links/to nothing.jpg", "links")}
    output = tmp_path / "out, 50% #1 é+ = 'x'"
    catalog = run(images_path=f"{root}/", output_path=str(output))
    check(catalog, output, truth, rejected, engine)


def test_every_key_on_s3_comes_through(
    run, odd_names, odd_keys, engine, bucket, s3_endpoint, spark, tmp_path, monkeypatch
):
    fs, _ = url_to_fs(bucket)
    truth: dict[Pair, bytes] = {}
    for key in [*odd_names, *odd_keys]:
        # The server of the tests has no place for a key with a line's end; S3 does.
        if "\n" in key or key.endswith("/"):
            continue
        label = key.split("/")[-2] if "/" in key else "Test é"
        truth[key, label] = picture(len(truth))
        given = {"Bucket": bucket.removeprefix("s3://"), "Key": f"Test é/{key}"}
        fs.call_s3("put_object", Body=truth[key, label], **given)
    # Workers that were started before the test know no credentials.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setitem(spark.sparkContext.environment, name, "test")
    output = tmp_path / "out"
    places = {"images_path": f"{bucket}/Test é/", "output_path": str(output)}
    catalog = run(**places, s3={"endpoint_url": s3_endpoint})
    check(catalog, output, truth, set(), engine)
