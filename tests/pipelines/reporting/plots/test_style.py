import pytest

from fruits_bigdata.pipelines.reporting.plots.style import count, new_figure, shown
from tests.pipelines.reporting.plots.conftest import Draw


@pytest.mark.parametrize(
    ("name", "on_one_line"),
    [
        ("Apple Red 1", "Apple Red 1"),
        ("a\nb\x1b", "a\ufffdb\ufffd"),
        ("x" * 20 + "y" * 20, "x" * 14 + "\u2026" + "y" * 13),
        ("", "(no label)"),
    ],
)
def test_a_name_is_one_short_line(name: str, on_one_line: str) -> None:
    assert shown(name) == on_one_line


def test_numbers_agree_with_their_nouns() -> None:
    assert [count(n, "image") for n in (0, 1, 6050)] == ["0 images", "1 image", "6,050 images"]
    assert [count(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]


def test_a_long_title_stays_within_the_figure(draw: Draw) -> None:
    finding = "Wide words mostly made of WWWW and MMMM, as NAMES MAY BE, " * 3
    assert draw(new_figure(6, 3, finding))[0].split() == finding.split()
