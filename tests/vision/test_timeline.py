import numpy as np

from fruits_bigdata.vision.timeline import Timeline


def test_images_are_counted_by_host_and_second():
    timeline = Timeline()
    for host, moment in [("a", 100.2), ("a", 100.9), ("b", 102.0), ("a", 103.5)]:
        timeline.add(host, moment)
    assert timeline.rates() == ([0, 1, 2, 3], {"a": [2, 0, 0, 1], "b": [0, 0, 1, 0]})


def test_no_images_have_no_rate():
    assert Timeline().rates() == ([], {})
    assert (Timeline() + Timeline()).rates() == ([], {})


def test_a_long_run_takes_no_more_room_and_loses_no_image():
    moments = np.random.default_rng(0).uniform(1e9, 1e9 + 86_400, 5_000)
    timeline = Timeline()
    for i, moment in enumerate(moments):
        timeline.add("ab"[i % 2], moment)
    starts, rates = timeline.rates()
    assert 120 <= len(starts) <= 240
    assert timeline.width == 512
    assert np.diff(starts).tolist() == [512] * (len(starts) - 1)
    assert sum(rates["a"]) * 512 == sum(rates["b"]) * 512 == 2_500
    expected = np.bincount((moments // 512 - moments.min() // 512).astype(int))
    np.testing.assert_allclose(512 * (np.array(rates["a"]) + rates["b"]), expected)


def test_what_tasks_counted_adds_up_whatever_their_order():
    rng = np.random.default_rng(1)
    parts = []
    whole = Timeline()
    for span in (10, 4_000, 300):
        part = Timeline()
        for moment in rng.uniform(1e9, 1e9 + span, 200):
            part.add(f"host {span % 3}", moment)
            whole.add(f"host {span % 3}", moment)
        parts.append(part)
    one, two, three = parts
    assert one + two + three == three + (two + one) == whole
    assert len(whole.images) == 2
    # What was added up stays as it was.
    assert one.width == 1
