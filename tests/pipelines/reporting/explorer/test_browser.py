"""The page in a real browser: what it draws, says and asks for."""

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fruits_bigdata.pipelines.reporting.explorer.page import build_explorer

QUALITY: dict[str, Any] = {"explained_variance_ratio": [0.5, 0.25, 0.125], "n_images": 300}
HAS_WEBGL = "getContext('webgl') !== null"
# Of the first three labels.
COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115))
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright) -> str:
    """The path of a browser."""
    own = playwright.chromium.executable_path
    found = own if os.path.exists(own) else next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        reason = f"there is no browser to try the page in: none of {', '.join(NAMES)}, nor playwright's own"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(params=[[], ["--disable-3d-apis"]], ids=["webgl", "no webgl"])
def blank(request, playwright, chromium) -> Iterator[Any]:
    """A tab of the browser, with WebGL and without."""
    browser = playwright.chromium.launch(executable_path=chromium, args=request.param)
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    assert page.evaluate(f"document.createElement('canvas').{HAS_WEBGL}") == (not request.param)
    yield page
    browser.close()


@pytest.fixture
def file(points, thumbnails, tmp_path) -> Path:
    path = tmp_path / "explorer.html"
    path.write_text(build_explorer(points, thumbnails, QUALITY, {})[0])
    return path


@pytest.fixture
def opened(blank, file) -> Iterator[Any]:
    """The page, opened from the disk; in the end it has complained of nothing and asked for nothing else."""
    said: list[str] = []
    asked: list[str] = []
    blank.on("console", lambda message: said.append(message.text))
    blank.on("pageerror", lambda error: said.append(str(error)))
    blank.on("request", lambda one: asked.append(one.url))
    blank.goto(file.as_uri())
    # The faster way of drawing is taken wherever there is one.
    assert blank.evaluate(f"canvas.{HAS_WEBGL}") == blank.evaluate(
        f"document.createElement('canvas').{HAS_WEBGL}"
    )
    yield blank
    # What a driver says of its own speed is no complaint of the page.
    assert [text for text in said if "GL Driver Message" not in text] == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]


def looked_at(page: Any, element: str = "main") -> np.ndarray:
    """Return the pixels of the map or another element, once it is drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return np.asarray(Image.open(io.BytesIO(page.locator(element).screenshot())).convert("RGB"), int)


def count_of(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(pixels - colour).max(axis=2) < 6).sum())


def place_of(page: Any, number: int) -> tuple[float, float]:
    """Return where on the screen a point lies."""
    x, y, _ = page.evaluate(f"project(axes(), 3 * {number}, scale(), centre())")
    box = page.locator("#overlay").bounding_box()
    return box["x"] + x, box["y"] + y


def test_a_reader_looks_around(opened, points):
    page = opened
    assert page.title() == "Explorer of the principal components"
    assert page.locator("#status").text_content() == "300 images, 3 labels"
    assert sorted(page.locator("#labels .name").all_text_contents()) == sorted(set(points["label"]))
    everything = looked_at(page)
    drawn = [count_of(everything, colour) for colour in COLOURS]
    assert min(drawn) > 1000

    page.mouse.move(*place_of(page, 1))
    hovered = page.evaluate("hovered")
    page.wait_for_function("sheets.every((sheet) => sheet && sheet.complete)")
    assert page.locator("#label").text_content() == points["label"][hovered]
    assert page.locator("#path").text_content() == points["path"][hovered]
    assert page.locator("#card").is_visible()

    page.fill("#search", "APPLE")
    assert page.locator("#status").text_content() == "100 of 300 images shown"
    assert page.locator("#labels .name").all_text_contents() == ["Apple"]
    only = looked_at(page)
    assert sum(count_of(only, colour) > 300 for colour in COLOURS) == 1
    page.click("#all")
    page.locator("#labels button").last.click()
    assert page.locator("#status").text_content() == "100 of 300 images shown"
    page.click("#all")
    assert page.locator("#status").text_content() == "300 images, 3 labels"

    page.click("#solid")
    solid = looked_at(page)
    assert (solid != everything).any(axis=2).mean() > 0.02
    page.mouse.move(600, 300)
    page.mouse.down()
    page.mouse.move(700, 350)
    page.mouse.up()
    assert (looked_at(page) != solid).any(axis=2).mean() > 0.02
    page.click("#reset")
    page.click("#flat")
    page.mouse.move(1, 1)
    assert (looked_at(page) != everything).any(axis=2).mean() < 0.001


def test_a_picture_is_shown_with_the_point_that_it_is_of(opened, points, thumbnails):
    page = opened
    seen = set()
    for number in (0, 1, 2, 3, 50, 51):
        page.mouse.move(*place_of(page, number))
        hovered = page.evaluate("hovered")
        path = points["path"][hovered]
        seen.add(path in thumbnails)
        assert page.locator("#picture").is_visible() == (path in thumbnails)
        if path in thumbnails:
            page.wait_for_function("sheets.every((sheet) => sheet && sheet.complete)")
            shown = looked_at(page, "#picture")[96, 96]
            assert np.abs(shown - thumbnails[path][32, 32]).max() < 12
    assert seen == {True, False}


def test_the_page_may_ask_nothing_of_a_network(blank, file):
    blank.goto(file.as_uri())
    refused = blank.evaluate(
        """new Promise((done) => {
          document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
          fetch("http://127.0.0.1:9/").catch(() => {});
        })"""
    )
    assert refused == "connect-src"
