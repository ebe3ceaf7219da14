from typing import Any

import numpy as np

from fruits_bigdata.pipelines.reporting.plots.throughput import plot_throughput
from tests.pipelines.reporting.plots.conftest import Draw, title


def statistics(n_hosts: int) -> dict[str, Any]:
    hosts = [
        {"host": f"host {i}", "images": 30 * (i + 1), "images_per_second": [5.0 * (i + 1), 10.0 * (i + 1)]}
        for i in range(n_hosts)
    ]
    timeline = {"seconds_per_step": 2, "starts": [0, 2], "hosts": hosts}
    return {"images": sum(host["images"] for host in hosts), "seconds": 4.5, "timeline": timeline}


def test_hosts_are_stacked_over_time_and_counted(draw: Draw) -> None:
    figure = plot_throughput(statistics(3))
    finding = title(figure)
    assert finding == "180 images in 4.5 s: 40 images/s on 3 hosts"
    over_time, by_host = figure.axes
    tops = [stairs.get_data().values.tolist() for stairs in over_time.patches]
    # The one with most images lies below the others, and the last is the outline of all.
    assert tops == [[15, 30], [25, 50], [30, 60], [30, 60]]
    np.testing.assert_array_equal(over_time.patches[0].get_data().edges, [0, 2, 4])
    assert [bar.get_height() for bar in by_host.patches] == [90, 60, 30]
    said = draw(figure)
    assert {"host 2", "host 1", "host 0", "90", "images/s", "images by host"} <= set(said)
    assert [label.get_text() for label in by_host.get_xticklabels()] == ["host 2", "host 1", "host 0"]


def test_hosts_beyond_the_palette_are_added_up(draw: Draw) -> None:
    figure = plot_throughput(statistics(20))
    finding = title(figure)
    over_time, by_host = figure.axes
    assert finding.endswith("on 20 hosts")
    assert [bar.get_height() for bar in by_host.patches][-1] == 30 * sum(range(1, 14))
    assert over_time.patches[-1].get_data().values.tolist() == [5 * 210, 10 * 210]
    assert "13 others" in draw(figure)


def test_that_nothing_was_featurized_is_said(draw: Draw) -> None:
    nothing = {"images": 0, "seconds": 0.0, "timeline": {"seconds_per_step": 1, "starts": [], "hosts": []}}
    figure = plot_throughput(nothing)
    finding = title(figure)
    assert finding == "No image was featurized in this run"
    assert len(draw(figure)) > 1
