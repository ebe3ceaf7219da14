import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fruits_bigdata.sample_images import SAMPLE_CLASSES, render_fruit, turntable_angle, write_sample_images
from fruits_bigdata.sample_images.__main__ import main


@pytest.fixture(scope="module")
def portraits() -> dict[str, np.ndarray]:
    return {name: render_fruit(name, 40.0, 50) for name in SAMPLE_CLASSES}


@pytest.fixture(scope="module")
def drawn_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("samples")
    write_sample_images(root, images_per_class=1)
    return root


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def run_python(
    script: str, argument: Path, variables: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    imports = "import os, sys; from pathlib import Path; from fruits_bigdata import sample_images as s;"
    return subprocess.run(
        [sys.executable, "-c", imports + script, str(argument)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def silhouette(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(pixels.min(axis=2) < 250)


def looks(pixels: np.ndarray) -> np.ndarray:
    """What the eye takes in first: colours and outline on a grid of 5 by 5."""
    outline = silhouette(pixels)[..., None] * 255.0
    grid = np.concatenate([pixels, outline], axis=2).reshape(5, 10, 5, 10, 4)
    return np.asarray(grid.mean(axis=(1, 3)))


def test_there_are_enough_classes() -> None:
    assert len(set(SAMPLE_CLASSES)) == len(SAMPLE_CLASSES) >= 12
    assert {"Apple Red", "Banana", "Lemon"} <= set(SAMPLE_CLASSES)


def test_files_follow_the_layout_of_fruits_360(drawn_root: Path) -> None:
    assert set(snapshot(drawn_root)) == {f"{name}/0_100.jpg" for name in SAMPLE_CLASSES}


@pytest.mark.parametrize("name", SAMPLE_CLASSES)
def test_files_are_rgb_jpegs_with_white_corners(drawn_root: Path, name: str) -> None:
    with Image.open(drawn_root / name / "0_100.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (100, 100))
        pixels = np.asarray(image)
    assert pixels[[0, 0, -1, -1], [0, -1, 0, -1]].min() >= 250


@pytest.mark.parametrize("name", SAMPLE_CLASSES)
def test_a_fruit_fills_the_frame_without_touching_its_corners(
    portraits: dict[str, np.ndarray], name: str
) -> None:
    pixels = portraits[name]
    assert pixels.dtype == np.uint8
    assert pixels.shape == (50, 50, 3)
    assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
    rows, columns = np.nonzero(silhouette(pixels))
    assert max(np.ptp(rows), np.ptp(columns)) >= 45
    # The frame is centred on the fruit, so what is left is left on both sides.
    assert abs(int(rows.min()) - (49 - int(rows.max()))) <= 3
    assert abs(int(columns.min()) - (49 - int(columns.max()))) <= 3


@pytest.mark.parametrize("name", [name for name in SAMPLE_CLASSES if name != "Cherry"])
def test_no_ray_slips_through_a_fruit(portraits: dict[str, np.ndarray], name: str) -> None:
    """All white is background that reaches the edge, up to gaps between leaves; cherries enclose more."""
    white = ~silhouette(portraits[name])
    reached = np.zeros_like(white)
    reached[[0, -1]] = white[[0, -1]]
    reached[:, [0, -1]] = white[:, [0, -1]]
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= white
        if (grown == reached).all():
            break
        reached = grown
    assert (white & ~reached).sum() <= 4


def test_each_class_looks_unlike_the_others(portraits: dict[str, np.ndarray]) -> None:
    differences = {
        pair: np.abs(looks(portraits[pair[0]]) - looks(portraits[pair[1]])).mean()
        for pair in combinations(SAMPLE_CLASSES, 2)
    }
    assert {pair: value for pair, value in differences.items() if value < 8} == {}


@pytest.mark.parametrize("name", SAMPLE_CLASSES)
def test_rotation_is_visible_and_comes_full_circle(portraits: dict[str, np.ndarray], name: str) -> None:
    pixels = portraits[name]
    np.testing.assert_array_equal(render_fruit(name, 400.0, 50), pixels)
    further = render_fruit(name, 58.0, 50).astype(int)
    assert (np.abs(further - pixels).max(axis=2) > 16).mean() > 0.03


def test_a_larger_image_shows_the_same_fruit() -> None:
    large = Image.fromarray(render_fruit("Pear", 10.0, 100)).resize((50, 50), Image.Resampling.BOX)
    assert np.abs(np.asarray(large).astype(int) - render_fruit("Pear", 10.0, 50)).mean() < 2


def test_the_bytes_do_not_depend_on_the_process_or_its_threads(drawn_root: Path, tmp_path: Path) -> None:
    # All images but one are there, so that one is all that the other process draws.
    shutil.copytree(drawn_root, tmp_path, dirs_exist_ok=True)
    (tmp_path / "Strawberry" / "0_100.jpg").unlink()
    threads = {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "PYTHONHASHSEED": "5"}
    result = run_python("s.write_sample_images(Path(sys.argv[1]), 1)", tmp_path, threads)
    assert result.returncode == 0, result.stderr
    image = Path("Strawberry", "0_100.jpg")
    assert (tmp_path / image).read_bytes() == (drawn_root / image).read_bytes()


def test_the_angles_of_a_turn_are_even_and_further_turns_fill_the_gaps() -> None:
    assert [turntable_angle(index) for index in range(20)] == [18.0 * index for index in range(20)]
    assert [turntable_angle(index) for index in (20, 40, 60, 21)] == [9.0, 4.5, 13.5, 27.0]
    many = [turntable_angle(index) for index in range(500)]
    assert len(set(many)) == 500
    assert 0 <= min(many) <= max(many) < 360


def test_a_second_call_draws_nothing(drawn_root: Path) -> None:
    before = snapshot(drawn_root)
    calls: list[tuple[int, int]] = []
    assert write_sample_images(drawn_root, 1, lambda done, total: calls.append((done, total))) == 0
    assert calls == []
    assert snapshot(drawn_root) == before


def test_only_missing_images_are_drawn_and_reported(drawn_root: Path) -> None:
    before = snapshot(drawn_root)
    for name in ("Lemon", "Banana"):
        (drawn_root / name / "0_100.jpg").unlink()
    calls: list[tuple[int, int]] = []
    assert write_sample_images(drawn_root, 1, lambda done, total: calls.append((done, total))) == 2
    assert calls == [(1, 2), (2, 2)]
    after = snapshot(drawn_root)
    assert {path: data for path, (data, _) in after.items()} == {
        path: data for path, (data, _) in before.items()
    }
    assert {path for path in after if after[path] != before[path]} == {"Banana/0_100.jpg", "Lemon/0_100.jpg"}


def test_what_an_interrupted_run_left_is_no_image(drawn_root: Path) -> None:
    image = drawn_root / "Banana" / "0_100.jpg"
    complete = image.read_bytes()
    image.unlink()
    leftover = image.with_name("0_100.jpg.4711.part")
    leftover.write_bytes(complete[:500])
    assert write_sample_images(drawn_root, 1) == 1
    assert image.read_bytes() == complete
    assert {path.suffix for path in image.parent.iterdir()} == {".jpg", ".part"}
    leftover.unlink()


@pytest.mark.parametrize(
    ("end", "code", "left"), [("os._exit(9)", 9, ".part"), ("raise OSError(28, event)", 1, "")]
)
def test_a_run_that_ends_before_an_image_is_complete(tmp_path: Path, end: str, code: int, left: str) -> None:
    """Ended from outside, or by an error, between writing the bytes and giving them their name."""
    script = f"""
def end(event, arguments):
    if event == "os.rename":
        {end}
sys.addaudithook(end)
s.write_sample_images(Path(sys.argv[1]), 1)
"""
    assert run_python(script, tmp_path).returncode == code
    assert "".join(path.suffix for path in tmp_path.rglob("*") if path.is_file()) == left


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'Durian'.*Apple Granny Smith.*Watermelon"):
        render_fruit("Durian", 0.0)


@pytest.mark.parametrize(("angle", "size"), [(float("nan"), 100), (float("inf"), 100), (0.0, 0)])
def test_impossible_pictures_are_refused(angle: float, size: int) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        render_fruit("Lemon", angle, size)


def test_at_least_one_image_per_class(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        write_sample_images(tmp_path, 0)


def test_the_command_logs_its_figures_once_and_then_says_nothing(
    drawn_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (drawn_root / "Lemon" / "0_100.jpg").unlink()
    caplog.set_level("INFO")
    result = CliRunner().invoke(main, [str(drawn_root), "--images-per-class", "1"], catch_exceptions=False)
    assert result.exit_code == 0
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"drew 1 of {len(SAMPLE_CLASSES)} images in ")
    caplog.clear()
    result = CliRunner().invoke(main, [str(drawn_root), "--images-per-class", "1"], catch_exceptions=False)
    assert (result.exit_code, result.output, caplog.messages) == (0, "", [])


def test_help_names_the_classes() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    assert all(name.split()[0] in output for name in SAMPLE_CLASSES)
    assert "--images-per-class" in output
