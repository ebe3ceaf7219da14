import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fruits_bigdata.linalg import classes
from fruits_bigdata.linalg.classes import choose_neighbours, cosines, measure_classes, order_by_likeness
from fruits_bigdata.linalg.pca import reconstruction_error
from tests.linalg.conftest import model_of

LABELS = [f"class {i % 6}" for i in range(240)]


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Six classes, of which 0 and 5 lie close to each other, and so do 1 and 4, float32 (240, 30)."""
    rng = np.random.default_rng(3)
    middles = 2 * rng.normal(size=(6, 30))
    middles[5] = middles[0] + 0.2 * rng.normal(size=30)
    middles[4] = middles[1] + 0.2 * rng.normal(size=30)
    return (middles[np.arange(240) % 6] + rng.normal(size=(240, 30))).astype(np.float32)


@pytest.mark.parametrize("scale", ["none", "std"])
def test_errors_of_classes_are_those_of_their_images_and_make_up_that_of_all(rows, scale):
    model = model_of(rows, LABELS, 4, scale)
    quality = measure_classes(model)
    # The whole sample is the collection here, so the classes' mean is the exact error from the moments.
    assert np.average(quality["reconstruction_error"], weights=quality["images"]) == pytest.approx(
        reconstruction_error(model, model.summary.moments) * 239 / 240, rel=1e-5
    )
    unit = rows.std(axis=0, ddof=1) if scale == "std" else 1.0
    centred = (rows - rows.mean(axis=0)) / unit
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    missed = ((centred - centred @ axes[:4].T @ axes[:4]) ** 2).sum(axis=1)
    for label, error in zip(quality["labels"], quality["reconstruction_error"], strict=True):
        own = missed[[one == label for one in LABELS]].mean()
        assert error == pytest.approx(own / centred.var(axis=0, ddof=1).sum(), rel=1e-4)


def test_similarity_is_the_cosine_between_mean_scores_and_likes_stand_together(rows):
    model = model_of(rows, LABELS, 10)
    quality = measure_classes(model)
    assert quality["classes"] == 6
    assert quality["images"] == [40] * 6
    scores = model.transform(rows)
    means = np.array([scores[[one == label for one in LABELS]].mean(axis=0) for label in quality["labels"]])
    np.testing.assert_allclose(quality["similarity"], 1 - cdist(means, means, "cosine"), atol=1e-4)
    place = {label: i for i, label in enumerate(quality["labels"])}
    assert abs(place["class 0"] - place["class 5"]) == 1
    assert abs(place["class 1"] - place["class 4"]) == 1


def test_of_too_many_classes_the_largest_are_measured(rows, monkeypatch):
    monkeypatch.setattr(classes, "MAX_CLASSES", 2)
    labels = ["few"] * 10 + ["many"] * 180 + ["some"] * 50
    quality = measure_classes(model_of(rows, labels, 3))
    assert quality["classes"] == 3
    assert sorted(quality["labels"]) == ["many", "some"]
    assert sorted(quality["images"]) == [50, 180]


def test_the_cosine_of_nothing_is_0():
    np.testing.assert_allclose(
        cosines(np.array([[0.0, 0], [3, 4], [-6, -8]])), [[0, 0, 0], [0, 1, -1], [0, -1, 1]]
    )


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_classes_are_in_order_as_they_are(n):
    np.testing.assert_array_equal(order_by_likeness(np.eye(n)), range(n))


def test_what_lies_on_a_line_is_in_its_order():
    places = np.random.default_rng(0).permutation(16) / 8
    order = order_by_likeness(1 - np.abs(places[:, np.newaxis] - places))
    steps = np.diff(places[order])
    assert (steps > 0).all() or (steps < 0).all()


def test_examples_are_the_worst_and_then_others_with_their_nearest(rows):
    model = model_of(rows, LABELS, 10)
    chosen = choose_neighbours(model, n_images=6, n_neighbours=5)
    scores = model.transform(model.summary.sample.features)
    distances = cdist(scores, scores)
    paths = list(model.summary.sample.paths)
    assert chosen["sampled"] == 240
    assert 0 < chosen["neighbour_label_accuracy"] < 1
    assert chosen["chosen_for_errors"] == 3
    assert len(chosen["examples"]) == 6
    wrong = []
    for example in chosen["examples"]:
        own = distances[paths.index(example["path"])]
        near = np.argsort(own)[1:6]
        assert [paths[i] for i in near] == [one["path"] for one in example["neighbours"]]
        assert [one["distance"] for one in example["neighbours"]] == pytest.approx(own[near])
        assert all(one["label"] == one["path"].split("/")[0] for one in example["neighbours"])
        wrong.append(sum(one["label"] != example["label"] for one in example["neighbours"]))
    assert min(wrong[:3]) > 0
    assert wrong[3:] == [0, 0, 0]
    # Each of another class.
    assert len({example["label"] for example in chosen["examples"]}) == 6


def test_images_alone_in_their_class_have_no_right_neighbour(rows):
    few = choose_neighbours(model_of(rows[:4], ["a", "b", "c", "d"], 2))
    assert few["examples"] == []
    assert few["nearest_label_accuracy"] is few["neighbour_label_accuracy"] is None


def test_one_class_has_examples_too(rows):
    model = model_of(rows[:60], ["only"] * 60, 5)
    chosen = choose_neighbours(model)
    assert (chosen["chosen_for_errors"], len(chosen["examples"])) == (0, 8)
    assert chosen["nearest_label_accuracy"] == 1.0
    assert len({example["path"] for example in chosen["examples"]}) == 8
    quality = measure_classes(model)
    assert quality["labels"] == ["only"]
    assert np.shape(quality["similarity"]) == (1, 1)


def test_a_model_without_summary_knows_no_classes(rows):
    record = model_of(rows, LABELS, 2).without_summary()
    for measure in (measure_classes, choose_neighbours):
        with pytest.raises(ValueError, match="kept for the record"):
            measure(record)
