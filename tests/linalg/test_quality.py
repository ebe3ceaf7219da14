import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from fruits_bigdata.linalg.quality import closest_classes, label_accuracy, measure_quality, nearest, overlap
from tests.linalg.conftest import model_of

LABELS = [f"class {i % 5}" for i in range(200)]


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Five classes that overlap, float32 (200, 30)."""
    rng = np.random.default_rng(3)
    middles = 0.5 * rng.normal(size=(5, 30))
    return (middles[np.arange(200) % 5] + rng.normal(size=(200, 30))).astype(np.float32)


def test_neighbours_are_scikit_learns(rows):
    theirs = NearestNeighbors(n_neighbors=10).fit(rows).kneighbors(return_distance=False)
    np.testing.assert_array_equal(nearest(rows, 10), theirs)


def test_the_accuracy_is_that_of_a_classifier_that_leaves_one_out(rows):
    one_each = cross_val_score(KNeighborsClassifier(1), rows, LABELS, cv=LeaveOneOut())
    assert 0.3 < one_each.mean() < 1
    assert label_accuracy(nearest(rows, 10), LABELS) == pytest.approx(one_each.mean())


def test_an_image_that_is_alone_in_its_class_does_not_count():
    points = np.array([[0.0], [0.1], [5.0], [9.0], [9.3]])
    near = nearest(points, 1)
    assert label_accuracy(near, ["a", "a", "alone", "b", "c"]) == 1.0
    assert label_accuracy(near, ["a", "b", "c", "a", "b"]) == 0.0
    assert label_accuracy(near, ["1", "2", "3", "4", "5"]) is None


def test_the_overlap_is_the_share_of_neighbours_that_are_the_same_whatever_their_order():
    near = np.array([[1, 2, 3], [0, 2, 3]])
    other = np.array([[3, 2, 1], [0, 7, 8]])
    assert overlap(near, near) == 1.0
    assert overlap(near, other) == pytest.approx(4 / 6)
    assert overlap(np.zeros((1, 0), int), np.zeros((1, 0), int)) is None


def test_the_pairs_that_overlap_most_come_first():
    # On a line: means 0, 4, 20, and each class one away from its mean.
    scores = np.array([[-1.0], [1], [3], [5], [19], [21], [500]])
    labels = ["a", "a", "b", "b", "c", "c", "alone"]
    pairs = closest_classes(scores, labels, 2)
    assert [pair["classes"] for pair in pairs] == [["a", "b"], ["b", "c"]]
    assert [pair["separation"] for pair in pairs] == pytest.approx([4, 16])
    assert closest_classes(scores[:2], labels[:2], 2) == []


def test_more_components_keep_more(rows):
    few, many, all_of_them = (measure_quality(model_of(rows, LABELS, k)) for k in (2, 12, 30))
    for name in ("explained_variance_ratio_sum", "neighbour_overlap"):
        assert few[name] < many[name] < all_of_them[name]
    assert few["reconstruction_error"] > many["reconstruction_error"] > all_of_them["reconstruction_error"]
    assert all_of_them["neighbour_overlap"] == 1.0
    assert all_of_them["reconstruction_error"] == pytest.approx(0, abs=1e-12)
    assert (many["sampled"], many["neighbours"]) == (200, 10)
    assert len(many["explained_variance_ratio"]) == 12
    assert few["nearest_label_accuracy"]["features"] == many["nearest_label_accuracy"]["features"]
    assert all_of_them["nearest_label_accuracy"]["scores"] == many["nearest_label_accuracy"]["features"]
    separations = [pair["separation"] for pair in many["closest_classes"]]
    assert separations == sorted(separations)


def test_two_images_have_a_quality_too(rows):
    quality = measure_quality(model_of(rows[:2], ["a", "b"], 1))
    assert (quality["neighbours"], quality["neighbour_overlap"]) == (1, 1.0)
    assert quality["nearest_label_accuracy"] == {"features": None, "scores": None}
    assert quality["closest_classes"] == []


def test_a_model_without_summary_knows_no_features(rows):
    with pytest.raises(ValueError, match="kept for the record"):
        measure_quality(model_of(rows, LABELS, 2).without_summary())
