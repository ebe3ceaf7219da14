from itertools import pairwise

import numpy as np
import pytest

from fruits_bigdata.linalg import sample as sample_module
from fruits_bigdata.linalg.sample import FeatureSample, share_for

N = 300


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(sample_module, "SAMPLE_SIZE", 40)


def sample(numbers: range, share: float = 1.0) -> FeatureSample:
    """Images whose features are their number."""
    features = np.array([[i, -i] for i in numbers], np.float32).reshape(-1, 2)
    return FeatureSample.of([f"é/{i}.jpg" for i in numbers], [f"{i % 7}" for i in numbers], features, share)


def test_a_sample_is_bounded_and_each_image_keeps_its_own_label_and_features():
    found = sample(range(N))
    assert len(found.paths) == 40
    numbers = [int(path[2:-4]) for path in found.paths]
    assert list(found.labels) == [f"{i % 7}" for i in numbers]
    np.testing.assert_array_equal(found.features, [[i, -i] for i in numbers])
    # No image is preferred for its place in the listing.
    assert 100 < np.mean(numbers) < 200


def test_samples_of_parts_add_up_to_that_of_the_whole_in_any_order():
    whole = sample(range(N))
    for cuts in ([0, 10, 200, N], [0, 0, N], [0, 299, N]):
        parts = [sample(range(a, b)) for a, b in pairwise(cuts)]
        for ordered in (parts, parts[::-1]):
            total = sum(ordered, FeatureSample.empty(2))
            assert total.paths == whole.paths
            assert total.labels == whole.labels
            np.testing.assert_array_equal(total.features, whole.features)


def test_a_share_of_the_hashes_holds_the_sample_and_little_more():
    n = 3_000
    parts = [sample(range(a, a + 30), share_for(n)) for a in range(0, n, 30)]
    assert sum(parts, FeatureSample.empty(2)).paths == sample(range(n)).paths
    assert sum(len(part.paths) for part in parts) < 120
    assert share_for(0) == share_for(10) == 1.0


def test_only_what_there_is_room_for_is_looked_at_in_what_is_added():
    before, whole = sample(range(200)), sample(range(N))
    added = sample(range(200, N), before.share)
    assert (before + added).paths == whole.paths
    assert 0 < len(added.paths) < 40
    assert sample(range(30)).share == 1.0


def test_nothing_has_an_empty_sample():
    nothing = sample(range(0)) + FeatureSample.empty(2)
    assert nothing.paths == ()
    assert nothing.features.shape == (0, 2)
