from pyspark.sql import SparkSession

from fruits_bigdata.pipelines.rejections import count_rejections, describe_rejections


def test_reasons_are_grouped_by_their_kind_the_most_frequent_first(spark: SparkSession) -> None:
    rows = [("b", "too large: 9"), ("c", "empty file"), ("a", "too large: 8"), ("d", "damaged: x: y")]
    counted = count_rejections(spark.createDataFrame(rows, "path string, reason string"))
    assert counted == [
        {"kind": "too large", "images": 2, "examples": [{"path": "a", "reason": "too large: 8"}]},
        {"kind": "damaged", "images": 1, "examples": [{"path": "d", "reason": "damaged: x: y"}]},
        {"kind": "empty file", "images": 1, "examples": [{"path": "c", "reason": "empty file"}]},
    ]
    assert describe_rejections(counted) == (
        "2 too large (such as 'a': too large: 8), 1 damaged (such as 'd': damaged: x: y), "
        "1 empty file (such as 'c': empty file)"
    )


def test_a_phrase_stays_a_phrase() -> None:
    kinds = [{"kind": f"k{i}", "images": 9 - i, "examples": [{"path": "p", "reason": "r"}]} for i in range(8)]
    said = describe_rejections(kinds)
    assert "k4" in said
    assert said.endswith(", 3 other kinds")
