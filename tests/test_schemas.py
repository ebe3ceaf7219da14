import pytest

from fruits_bigdata.schemas import pca_column_names


@pytest.mark.parametrize(
    ("n", "first", "last"),
    [
        (1, "pca_00", "pca_00"),
        (50, "pca_00", "pca_49"),
        (100, "pca_00", "pca_99"),
        (101, "pca_000", "pca_100"),
    ],
)
def test_score_columns_sort_in_the_order_of_the_components(n: int, first: str, last: str) -> None:
    names = pca_column_names(n)
    assert (names[0], names[-1]) == (first, last)
    assert names == sorted(set(names))
    assert len(names) == n
