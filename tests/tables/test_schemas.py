from fruits_bigdata.tables.schemas import pca_column_names


def test_score_columns_sort_in_the_order_of_the_components():
    for n, last in ((1, "pca_00"), (50, "pca_49"), (100, "pca_99"), (101, "pca_100")):
        names = pca_column_names(n)
        assert names[-1] == last
        assert names == sorted(set(names))
