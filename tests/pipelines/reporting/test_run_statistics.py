import time

from fruits_bigdata.pipelines.reporting.run_statistics import RunStatistics


def test_a_stage_has_the_time_of_its_nodes_saves_included():
    statistics = RunStatistics()
    statistics.start("run 1", "local", {"limit": 3})
    statistics.enter("a", "first")
    time.sleep(0.05)
    statistics.enter("a", "first")
    statistics.leave("a", "first")
    time.sleep(0.05)
    statistics.leave("a", "first")
    # Between nodes there is nothing to measure.
    time.sleep(0.2)
    statistics.enter("b", "second")
    statistics.leave("b", "second")
    said = statistics.as_dict()
    assert (said["run_id"], said["env"], said["parameters"]) == ("run 1", "local", {"limit": 3})
    assert 0.1 <= said["seconds_by_stage"]["a"] < said["seconds"] - 0.19
    assert said["seconds_by_stage"]["b"] < 0.05
    assert said["seconds"] >= 0.3


def test_only_a_node_that_has_begun_takes_time():
    statistics = RunStatistics()
    statistics.leave("a", "first")
    assert statistics.as_dict() == {"seconds": 0.0, "seconds_by_stage": {}}
    statistics.enter("a", "first")
    statistics.leave("b", "another")
    assert statistics.as_dict()["seconds_by_stage"] == {"a": 0.0}
