from fruits_bigdata.pipelines.reporting.plots.stages import plot_stages
from tests.pipelines.reporting.plots.conftest import Draw, title


def test_the_seconds_of_each_stage_are_in_order_and_the_rest_is_between(
    draw: Draw,
) -> None:
    run = {"seconds": 20.0, "seconds_by_stage": {"loading": 1.0, "featurization": 12.0, "pca": 3.0}}
    figure = plot_stages({"run": run})
    finding = title(figure)
    assert finding == "Featurization took 60 % of the run's 20 s"
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [12, 3, 1, 4]
    said = draw(figure)
    assert {"12.0 s (60 %)", "4.0 s (20 %)"} <= set(said)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["featurization", "pca", "loading", "starting, and between nodes"]
