import os
import socket

from fruits_bigdata.vision.statistics import FeaturizationStatistics, this_worker


def test_statistics_of_two_tasks_add_up():
    left = FeaturizationStatistics(
        images=3,
        rejected=1,
        bytes_read=10,
        engine_seconds=0.5,
        waiting_seconds=0.25,
        engines_made={"a:1": 1},
        images_by_worker={"a:1": 3},
        peak_memory_bytes={"a:1": 100},
        rejections={"damaged": (1, [("p", "damaged: why")])},
    )
    right = FeaturizationStatistics(
        images=2,
        engines_made={"a:1": 1, "b:2": 1},
        images_by_worker={"a:1": 1, "b:2": 1},
        peak_memory_bytes={"a:1": 90, "b:2": 70},
        rejections={"empty file": (2, [("q", "empty file")])},
    )
    assert left.merge(right) == FeaturizationStatistics(
        images=5,
        rejected=1,
        bytes_read=10,
        engine_seconds=0.5,
        waiting_seconds=0.25,
        engines_made={"a:1": 2, "b:2": 1},
        images_by_worker={"a:1": 4, "b:2": 1},
        peak_memory_bytes={"a:1": 100, "b:2": 70},
        rejections={"damaged": (1, [("p", "damaged: why")]), "empty file": (2, [("q", "empty file")])},
    )
    assert left.merge(right) == right.merge(left)


def test_a_worker_signs_with_its_host_process_and_memory():
    statistics = FeaturizationStatistics(images=4)
    statistics.sign()
    assert this_worker().endswith(f":{os.getpid()}")
    assert statistics.images_by_worker == {this_worker(): 4}
    # This process has loaded numpy and more: between 30 MB and 10 GB, so the unit is right.
    assert 30e6 < statistics.peak_memory_bytes[this_worker()] < 10e9


def test_rejected_images_are_counted_by_kind_and_a_few_are_named():
    one, other = FeaturizationStatistics(), FeaturizationStatistics()
    for i in range(5):
        one.reject(f"{i}.jpg", f"too large: {i} bytes: really")
        other.reject(f"{i}.png", "too large: never mind")
    other.reject("e.png", "empty file")
    both = one.merge(other)
    assert both.rejected == 11
    large = [(f"{i}.jpg", f"too large: {i} bytes: really") for i in range(3)]
    assert both.rejections == {"too large": (10, large), "empty file": (1, [("e.png", "empty file")])}


def test_each_image_that_is_dealt_with_is_on_the_timeline_of_its_host():
    one, other = FeaturizationStatistics(), FeaturizationStatistics()
    one.tick()
    other.tick()
    other.tick()
    ((host, stretches),) = one.merge(other).timeline.images.items()
    assert host == socket.gethostname()
    assert sum(stretches.values()) == 3
