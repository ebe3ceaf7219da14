import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tools.sample_images import SAMPLE_CLASSES, write_sample_images
from tools.sample_images.__main__ import main
from tools.sample_images.fruits import FRUITS


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A folder with two images of each class."""
    root = tmp_path_factory.mktemp("images") / "Test"
    assert write_sample_images(root, 2) == 2 * len(SAMPLE_CLASSES)
    return root


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def pixels(root: Path, name: str, index: int) -> np.ndarray:
    with Image.open(root / name / f"{index}_100.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (100, 100))
        return np.asarray(image).astype(int)


def test_the_layout_is_that_of_fruits_360(root):
    assert len(SAMPLE_CLASSES) == 18
    assert set(content(root)) == {f"{name}/{i}_100.jpg" for name in SAMPLE_CLASSES for i in (0, 1)}


@pytest.mark.parametrize("name", SAMPLE_CLASSES)
def test_a_fruit_fills_a_white_frame_without_holes_and_turns(root, name):
    first, second = pixels(root, name, 0), pixels(root, name, 1)
    assert first[[0, 0, -1, -1], [0, -1, 0, -1]].min() >= 245
    rows, columns = np.nonzero(first.min(axis=2) < 200)
    assert 85 <= max(np.ptp(rows), np.ptp(columns)) < 100
    # Through a hole the background shines, brighter than what is on all sides; JPEG would blur it.
    bright = FRUITS[name]().picture(0, 100).min(axis=2).astype(int)
    around = np.max([bright[:-2, 1:-1], bright[2:, 1:-1], bright[1:-1, :-2], bright[1:-1, 2:]], axis=0)
    assert (bright[1:-1, 1:-1] - around).max() < 75
    assert (np.abs(first - second).max(axis=2) > 16).mean() > 0.02


def test_classes_look_unlike_each_other(root):
    looks = {name: pixels(root, name, 0) for name in SAMPLE_CLASSES}
    for one, other in combinations(SAMPLE_CLASSES, 2):
        assert np.abs(looks[one] - looks[other]).mean() > 8, (one, other)


def test_another_process_with_another_number_of_threads_draws_the_same(root, tmp_path):
    command = [sys.executable, "-m", "tools.sample_images", str(tmp_path), "--images-per-class", "1"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2], env=environment)
    assert content(tmp_path) == {path: data for path, data in content(root).items() if "/0_" in path}


def test_only_what_is_missing_is_drawn(root):
    before = content(root)
    (root / "Banana" / "1_100.jpg").unlink()
    (root / "Lemon" / "0_100.jpg").unlink()
    # What a run has left that was killed is no image.
    (root / "Lemon" / "0_100.jpg.7.part").write_bytes(b"half")
    done = CliRunner().invoke(main, [str(root), "--images-per-class", "2"])
    assert (done.exit_code, done.stdout) == (0, f"Drew 2 images into {root}\n")
    assert "2/2" in done.stderr
    assert {path: data for path, data in content(root).items() if path.endswith(".jpg")} == before
    assert CliRunner().invoke(main, [str(root), "--images-per-class", "2"]).output == ""


def test_a_drawing_that_fails_leaves_no_half_image(tmp_path, monkeypatch):
    def fail(self: Image.Image, file: IO[bytes], *options: object, **more: object) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        write_sample_images(tmp_path, 1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
