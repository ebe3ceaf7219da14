import numpy as np
import pytest

from fruits_bigdata.linalg.moments import Moments


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).gamma(0.5, 1.0, (200, 12)).astype(np.float32)


def test_moments_are_those_of_the_rows(rows):
    moments = Moments.of(rows)
    assert moments.n == 200
    np.testing.assert_allclose(moments.mean, rows.astype(np.float64).mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.covariance, np.cov(rows.T.astype(np.float64)), rtol=1e-9, atol=1e-12)


def test_products_are_summed_in_double_precision():
    rows = np.full((3, 1), 1 / 3, dtype=np.float32)
    assert Moments.of(rows).gram[0, 0] == pytest.approx(3 * float(np.float32(1 / 3)) ** 2, rel=1e-15)


def test_moments_add_up(rows):
    together = sum((Moments.of(part) for part in np.split(rows, [3, 100])), Moments.zero(12))
    whole = Moments.of(rows)
    assert together.n == whole.n
    np.testing.assert_allclose(together.sum, whole.sum, rtol=1e-14)
    np.testing.assert_allclose(together.gram, whole.gram, rtol=1e-14)


def test_moments_survive_the_way_to_the_driver(rows):
    moments = Moments.of(rows)
    back = Moments.from_bytes(moments.to_bytes())
    assert back.n == moments.n
    np.testing.assert_array_equal(back.sum, moments.sum)
    np.testing.assert_array_equal(back.gram, moments.gram)
