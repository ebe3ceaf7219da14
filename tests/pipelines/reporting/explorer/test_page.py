import base64
import io
import json
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fruits_bigdata.pipelines.reporting.explorer import page as module
from fruits_bigdata.pipelines.reporting.explorer.page import build_explorer

QUALITY: dict[str, Any] = {"explained_variance_ratio": [0.5, 0.25, 0.125], "n_images": 300}


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return dict(json.loads(text))


def unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<u2")


def test_the_page_holds_every_point_and_the_pixels_of_its_picture(points, thumbnails):
    page, statistics = build_explorer(points, thumbnails, QUALITY, {"missing": 2})
    size = len(page.encode())
    assert statistics == {"points": 300, "thumbnails": 150, "bytes": size, "pictures_missing": 2}
    data = data_of(page)
    assert data["paths"] == list(points["path"])
    assert [data["labels"][i] for i in unpacked(data["label"])] == list(points["label"])
    scores = (unpacked(data["scores"]).reshape(300, 3) / 32767.5 - 1) * data["largest"]
    np.testing.assert_allclose(scores, points[["pc1", "pc2", "pc3"]], atol=data["largest"] / 32767)
    tiles = unpacked(data["tile"])
    assert [path for path, tile in zip(data["paths"], tiles, strict=True) if tile] == list(thumbnails)
    sheet = Image.open(io.BytesIO(base64.b64decode(data["sheets"][0])))
    # Nothing but pixels.
    assert set(sheet.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    pixels = np.asarray(sheet, int)
    for path, picture in thumbnails.items():
        place = int(tiles[data["paths"].index(path)]) - 1
        top, left = place // data["columns"] * 64, place % data["columns"] * 64
        assert np.abs(pixels[top + 32, left + 32] - picture[32, 32]).max() < 12
    assert data["finding"] == "300 images on the first 3 components, which keep 87.5 % of the variance"


def test_names_cannot_leave_their_place_and_nothing_is_asked_of_a_network(points, thumbnails):
    page, _ = build_explorer(points, thumbnails, QUALITY, {})
    assert page.isascii()
    assert page.count("<script") == page.count("</script>") == 2
    assert "@@" not in page
    assert "http" not in re.sub(r'id="data">.*?</script>', "", page).replace("http-equiv", "")
    assert "default-src 'none'" in page


def test_long_names_and_noisy_pictures_still_make_a_page_of_bounded_size(points, monkeypatch):
    monkeypatch.setattr(module, "_MAX_NAME_BYTES", 20_000)
    monkeypatch.setattr(module, "_MAX_SHEET_BYTES", 15_000)
    monkeypatch.setattr(module, "_COLUMNS", 5)
    monkeypatch.setattr(module, "_ROWS", 4)
    long = points.assign(path=[f"{path}{'é' * 300}" for path in points["path"]])
    noise = np.random.default_rng(0).integers(0, 256, (300, 64, 64, 3), dtype=np.uint8)
    page, statistics = build_explorer(long, dict(zip(long["path"], noise, strict=True)), QUALITY, {})
    assert 10 < statistics["points"] < 300
    assert statistics["thumbnails"] % 20 == 0
    assert 0 < statistics["thumbnails"] < statistics["points"]
    data = data_of(page)
    assert len(data["paths"]) == len(unpacked(data["label"])) == statistics["points"]
    assert np.count_nonzero(unpacked(data["tile"])) == statistics["thumbnails"]
    assert sum(map(len, data["sheets"])) <= 15_000
    assert max(map(len, data["paths"])) == 120


@pytest.mark.parametrize("n", [0, 1])
def test_few_points_and_one_component_make_a_page_too(points, n):
    few = points.head(n).assign(pc2=0.0, pc3=0.0)
    page, statistics = build_explorer(few, {}, {"explained_variance_ratio": [1.0], "n_images": n}, {})
    assert (statistics["points"], statistics["thumbnails"]) == (n, 0)
    assert data_of(page)["ratios"] == [1.0]
