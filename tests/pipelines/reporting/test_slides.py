import io
import itertools
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from pptx import Presentation

from fruits_bigdata.linalg.classes import choose_neighbours, measure_classes
from fruits_bigdata.pipelines.reporting.nodes import measure_pca_quality
from fruits_bigdata.pipelines.reporting.slides import french, measured
from fruits_bigdata.pipelines.reporting.slides.deck import build_slides
from fruits_bigdata.pipelines.reporting.slides.writing import text_height
from tests.pipelines.reporting.conftest import fit, points_of
from tests.support.commands import PROJECT

# Points; less cannot be read on a wall.
SMALLEST = 12


@pytest.fixture(scope="module")
def build(matrix) -> Callable[..., Any]:
    """Return the presentation of one of `RUNS`, made once."""

    def make(
        n: int = 80,
        labels: tuple[str, ...] = ("Apple Red", "Banana", "Café", "Plum"),
        k: int = 12,
        rejected: dict[str, int] | None = None,
        featurized: bool = True,
        with_pictures: bool = True,
        env: str = "local",
        region: str = "eu-west-3",
    ) -> Any:
        rejected = rejected or {}
        # The equations of 1,280 features take a busy machine seconds.
        model = fit(matrix[:n, :200], k, labels)
        points = points_of(model)
        noise = np.random.default_rng(3).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)
        pictures = dict(zip(points["path"], noise, strict=True)) if with_pictures else {}
        n_rejected = sum(rejected.values())
        worker = {"worker": "host:1", "images": n, "interpreters_made": 1, "peak_memory_mb": 171.2}
        metrics = {
            "counts": {
                "listed": n + n_rejected,
                "features": n,
                "rejected": n_rejected,
                "classes": points["label"].nunique(),
                "published": {"features": n, "pca": n, "pca_csv": n},
            },
            "rejected_by_reason": rejected,
            "run": {
                "env": env,
                "started": "2026-11-25T12:02:21+00:00",
                "seconds": 27.3,
                "seconds_by_stage": {"loading": 0.1, "featurization": 9.7, "pca": 5.1, "reporting": 5.6},
            },
            "featurization": {
                "featurizer": "2e508405e096",
                "broadcast_bytes": 8876400,
                "images": n + n_rejected if featurized else 0,
                "seconds": 3.8 if featurized else 0.0,
                "images_per_second": 93.0 if featurized else None,
                "bytes_read": 1637257,
                "interpreters_made": int(featurized),
                "workers": [worker] if featurized else [],
            },
            "pca": {"model": "c1333824cf96", "refitted": featurized, **measure_pca_quality(model)},
            "classes": measure_classes(model),
            "neighbours": choose_neighbours(model),
        }
        return Presentation(io.BytesIO(build_slides(metrics, points, pictures, pictures, {"region": region})))

    return cache(lambda run: make(**RUNS[run]))


RUNS: dict[str, dict[str, Any]] = {
    "a few classes": {},
    "many classes": {"labels": tuple(f"A fruit with a rather long name, number {i}" for i in range(35))},
    "one class": {"n": 60, "labels": ("Banana",), "k": 50},
    "a third rejected": {
        "n": 56,
        "rejected": {"empty file": 9, "not a JPEG or PNG image": 8, "truncated": 6, "damaged": 1},
    },
    "nothing new": {"featurized": False},
    "no two of a class": {"n": 12, "labels": tuple("abcdefghijkl"), "k": 3},
    "one component": {"k": 1},
    "no pictures": {"with_pictures": False},
    "odd names": {"labels": ("$x^{2$", "_u", "a\nb\x1b", "\N{RIGHT-TO-LEFT OVERRIDE}abc", "<&>")},
    "on the cluster": {"env": "emr", "region": "eu-central-1"},
}


@pytest.fixture(scope="module", params=RUNS)
def presentation(request, build) -> Any:
    return build(request.param)


def paragraphs(frame: Any) -> Iterator[tuple[str, float]]:
    """Yield each paragraph's text and its size in points."""
    for paragraph in frame.paragraphs:
        if paragraph.text:
            yield paragraph.text, paragraph.font.size.pt


def frames(slide: Any) -> Iterator[Any]:
    """Yield the frames of text of a slide, those of tables' cells too."""
    for shape in slide.shapes:
        if shape.has_text_frame:
            yield shape.text_frame
        elif shape.has_table:
            yield from (cell.text_frame for row in shape.table.rows for cell in row.cells)


def texts(slide: Any) -> str:
    """Return all that stands on a slide, with plain spaces."""
    return "\n".join(frame.text for frame in frames(slide)).replace(french.NBSP, " ")


def needed(frame: Any, width: float) -> float:
    """Return the height of the lines of a frame."""
    return sum(text_height(text, width - 0.2, size) for text, size in paragraphs(frame))


def occupied(shape: Any) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of what a shape holds: a text's lines, a table's rows."""
    left, top, width, height = (
        length.inches for length in (shape.left, shape.top, shape.width, shape.height)
    )
    if shape.has_table:
        height = sum(row.height.inches for row in shape.table.rows)
    elif shape.name.startswith("TextBox"):
        after = sum(one.space_after.inches for one in shape.text_frame.paragraphs if one.space_after)
        height = 0.1 + after + needed(shape.text_frame, width)
    return left, top, left + width, top + height


def test_slides_have_a_title_notes_and_a_readable_size(presentation):
    assert 12 <= len(presentation.slides) <= 16
    for slide in presentation.slides:
        assert slide.shapes.title.text_frame.text
        assert len(slide.notes_slide.notes_text_frame.text.split()) > 25
        assert min(size for frame in frames(slide) for _, size in paragraphs(frame)) >= SMALLEST


def test_nothing_overflows_or_covers_anything(presentation):
    width, height = presentation.slide_width.inches, presentation.slide_height.inches
    for slide in presentation.slides:
        said = slide.shapes.title.text_frame.text
        places = []
        for shape in slide.shapes:
            left, top, right, bottom = occupied(shape)
            assert min(left, top) >= 0, (said, shape.name)
            assert right <= width, (said, shape.name)
            assert bottom <= height, (said, shape.name, bottom)
            lines = list(paragraphs(shape.text_frame)) if shape.has_text_frame else []
            if shape.name.startswith("Rounded"):
                # Boxes do not grow.
                assert needed(shape.text_frame, shape.width.inches) <= shape.height.inches, (said, lines)
            for row in shape.table.rows if shape.has_table else []:
                for cell, column in zip(row.cells, shape.table.columns, strict=True):
                    assert needed(cell.text_frame, column.width.inches) <= row.height.inches, cell.text
            if shape.has_table or shape.name.startswith(("TextBox", "Chart", "Rounded")):
                # The captions below pictures may be wider than these.
                is_caption = bool(lines) and all(size == SMALLEST for _, size in lines)
                places.append((shape.name, is_caption, (left, top, right, bottom)))
        for (one, small, a), (other, small_too, b) in itertools.combinations(places, 2):
            apart = max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3]) > -0.04
            assert apart or (small and small_too), (said, one, other, a, b)


def test_the_slides_say_what_the_run_found(build):
    slides = build("a third rejected").slides
    said = [texts(slide) for slide in slides]
    assert "80 images de 4 classes, dont 24 rejetées (30 %)" in said[1]
    assert "fichier vide (9), ni JPEG ni PNG (8), tronqué (6)" in said[1]
    assert any("8 876 400 octets" in text for text in said)
    assert any("12 composantes gardent" in text for text in said)
    (steps,) = (text for text in said if "pas à pas" in text)
    assert "Results_PCA/\n12 composantes\nDelta\n56" in steps
    assert sum("80 images traitées, 93 images/s" in text for text in said) == 2


def test_what_was_never_run_on_aws_is_said(build):
    never = "Rien n'a encore été exécuté sur AWS"
    here, there = build("a few classes"), build("on the cluster")
    assert never in texts(here.slides[0])
    assert f"AWS : {never[0].lower()}{never[1:]}" in texts(here.slides[-1])
    assert not any(never in texts(slide) for slide in there.slides)
    assert "exécution dans l'environnement emr" in texts(there.slides[-1])


@pytest.mark.parametrize(
    ("run", "said", "unsaid"),
    [
        ("one class", "une seule classe", "la plus proche voisine a la même classe"),
        ("no two of a class", "pas assez d'images pour comparer des voisines", "même classe dans"),
        ("one component", "Résultats : une composante montre", "1 composantes"),
        ("nothing new", "rien de nouveau, donc aucun interpréteur créé", "images traitées"),
        ("no pictures", "Aucune image n'a pu être relue pour ce support", "None"),
        ("on the cluster", "prix de eu-west-3, faute de ceux de eu-central-1", "prix de eu-central-1"),
    ],
)
def test_what_is_special_about_a_run_is_said(build, run, said, unsaid):
    text = "\n".join(texts(slide) for slide in build(run).slides)
    assert said in text
    assert unsaid not in text


def test_what_is_quoted_stands_in_the_documents():
    values = [value if isinstance(value, tuple) else (value,) for value in vars(measured).values()]
    rows = [row for row in itertools.chain(*values) if isinstance(row, measured.Measured)]
    assert len(rows) > 20
    for row in rows:
        assert row.row in (PROJECT / row.document).read_text(), row
        numbers = re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-\d+)?", row.row)
        assert set(row.values) <= {float(text.replace(",", "")) for text in numbers}, row
        module = PROJECT / row.command.split()[2].replace(".", "/")
        assert module.with_suffix(".py").exists() or (module / "__main__.py").exists(), row


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (french.number(11992), "11 992"),
        (french.number(0.845, 2), "0,84"),
        (french.percent(0.8264), "82,6 %"),
        (french.percent(0.99999), "99,9 %"),
        (french.percent(1.0), "100 %"),
        (french.percent(0.0), "0 %"),
        (french.count(1, "image"), "1 image"),
        (french.count(0, "image"), "0 image"),
        (french.count(2, "image"), "2 images"),
        (french.seconds(0.42), "0,4 s"),
        (french.seconds(27.3), "27 s"),
        (french.seconds(60), "1 min"),
        (french.seconds(83.4), "1 min 23 s"),
        (french.seconds(3725), "1 h 02 min"),
        (french.megabytes(8876400), "8,9 Mo"),
        (french.typeset("Quoi : non ; « oui », 11 992 !"), "Quoi : non ; « oui », 11 992 !"),
    ],
)
def test_figures_are_written_as_in_french(said, expected):
    assert said.replace(french.NBSP, " ") == expected
    assert " :" not in said
    assert not re.search(r" %|\d \d", said)
