import io
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from fruits_bigdata.pipelines.reporting.samples import read_pictures, sample_points
from fruits_bigdata.storage.errors import StorageError
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import PCA_SCHEMA


def test_all_of_few_images_are_points(pca):
    points = sample_points(pca)
    scores = pca.to_pandas().set_index("path")["pca"]
    assert list(points.columns) == ["path", "label", "pc1", "pc2", "pc3"]
    assert set(points["path"]) == set(scores.index)
    expected = np.array([scores[path][:3] for path in points["path"]])
    np.testing.assert_allclose(points[["pc1", "pc2", "pc3"]], expected)
    assert list(points["label"]) == [path.split("/")[0] for path in points["path"]]


def table_of(folder: Path, numbers: list[int]) -> Table:
    """Return scores of two components."""
    columns = {
        "path": [f"{i % 7}/{i}.jpg" for i in numbers],
        "label": [str(i % 7) for i in numbers],
        "model": ["m"] * len(numbers),
        "pca": [[float(i), 1.0] for i in numbers],
    }
    table = Table(str(folder), PCA_SCHEMA)
    table.commit(Change(table, [table.folder.write(pa.table(columns, schema=PCA_SCHEMA))]))
    return table


def test_of_many_images_a_bounded_number_is_drawn_by_path_alone(tmp_path):
    points = sample_points(table_of(tmp_path / "many", list(range(4000))), 300)
    assert len(points) == points["path"].nunique() == 300
    # As many of each class as it has of all.
    assert points["label"].value_counts().between(25, 65).all()
    # Components that there are not are 0.
    assert (points["pc3"] == 0).all()
    same = sample_points(table_of(tmp_path / "turned", list(range(4000))[::-1]), 300)
    assert list(same["path"]) == list(points["path"])
    # Of one image more, all but one of the points are the same.
    more = sample_points(table_of(tmp_path / "more", list(range(4001))), 300)
    assert len(set(more["path"]) & set(points["path"])) >= 299


@pytest.fixture(scope="module")
def photograph() -> bytes:
    """A JPEG that lies on its side, with a place in its EXIF block."""
    image = Image.new("RGB", (400, 200), (200, 30, 30))
    image.paste((30, 30, 200), (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker"
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_pictures_are_upright_pixels_and_nothing_else(photograph):
    found = read_pictures(lambda _: photograph, ["a", "b"], 64, 5.0)
    assert sorted(found) == ["a", "b"]
    for picture in found.values():
        assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)
        # Turned to the right: what lay left is above.
        assert np.abs(picture[10, 32].astype(int) - (30, 30, 200)).max() < 12
        assert np.abs(picture[54, 32].astype(int) - (200, 30, 30)).max() < 12


def test_pictures_that_cannot_be_read_are_left_out_and_one_is_named(photograph, caplog):
    def read(path: str) -> bytes:
        if path == "gone":
            raise FileNotFoundError(path)
        if path == "away":
            raise StorageError("no answer")
        return b"no picture" if path == "broken" else photograph

    assert list(read_pictures(read, ["gone", "a", "broken", "away"], 64, 5.0)) == ["a"]
    (said,) = caplog.messages
    assert said.startswith("3 images could not be read for the report's pictures, such as ")


def test_a_storage_that_hangs_does_not_hold_up_the_report(photograph, monkeypatch):
    monkeypatch.setattr("fruits_bigdata.pipelines.reporting.samples._GRACE_SECONDS", 0.1)
    over = threading.Event()

    def read(path: str) -> bytes:
        if path != "quick":
            over.wait()
        return photograph

    # The storage answers in the end, and the report has not waited for it.
    answer = threading.Timer(10, over.set)
    answer.start()
    try:
        found = read_pictures(read, ["quick", *map(str, range(100))], 64, 0.5)
        assert list(found) == ["quick"]
        assert not over.is_set()
    finally:
        answer.cancel()
        over.set()
