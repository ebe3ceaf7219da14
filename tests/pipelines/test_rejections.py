from fruits_bigdata.pipelines.rejections import count_rejections, describe_rejections
from tests.pipelines.conftest import reject


def test_reasons_are_grouped_by_their_kind_the_most_frequent_first(rejected):
    assert count_rejections(rejected) == []
    for number, reason in ((1, "too large: 9"), (2, "empty file"), (0, "too large: 8"), (3, "damaged: x: y")):
        reject(rejected, [number], reason)
    counted = count_rejections(rejected)
    assert counted == [
        {
            "kind": "too large",
            "images": 2,
            "examples": [{"path": "class 0/000.jpg", "reason": "too large: 8"}],
        },
        {
            "kind": "damaged",
            "images": 1,
            "examples": [{"path": "class 3/003.jpg", "reason": "damaged: x: y"}],
        },
        {
            "kind": "empty file",
            "images": 1,
            "examples": [{"path": "class 2/002.jpg", "reason": "empty file"}],
        },
    ]
    assert describe_rejections(counted).startswith(
        "2 too large (such as 'class 0/000.jpg': too large: 8), 1 d"
    )


def test_a_phrase_stays_a_phrase():
    kinds = [{"kind": f"k{i}", "images": 9 - i, "examples": [{"path": "p", "reason": "r"}]} for i in range(8)]
    phrase = describe_rejections(kinds)
    assert "k4" in phrase
    assert phrase.endswith(", 3 other kinds")
