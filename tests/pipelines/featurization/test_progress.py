import time

import pytest
from pyspark.sql import SparkSession

from fruits_bigdata.pipelines.featurization.progress import StatisticsParam, show_progress
from fruits_bigdata.vision.statistics import FeaturizationStatistics


def test_tasks_add_up(spark: SparkSession) -> None:
    counted = spark.sparkContext.accumulator(FeaturizationStatistics(), StatisticsParam())
    spark.sparkContext.parallelize(range(4), 4).foreach(
        lambda i: counted.add(FeaturizationStatistics(images=i))
    )
    assert counted.value.images == 6


def test_the_bar_shows_images_speed_and_time_left(
    spark: SparkSession, capfd: pytest.CaptureFixture[str]
) -> None:
    counted = spark.sparkContext.accumulator(FeaturizationStatistics(), StatisticsParam())
    with show_progress(10, counted):
        counted.add(FeaturizationStatistics(images=4))
        time.sleep(1.2)
        counted.add(FeaturizationStatistics(images=6))
    shown = capfd.readouterr().err
    assert "4/10" in shown
    assert "10/10" in shown
    assert "images/s" in shown
    assert "<" in shown


def test_a_task_that_ran_twice_does_not_overfill_the_bar(
    spark: SparkSession, capfd: pytest.CaptureFixture[str]
) -> None:
    counted = spark.sparkContext.accumulator(FeaturizationStatistics(), StatisticsParam())
    with show_progress(10, counted):
        counted.add(FeaturizationStatistics(images=14))
    assert "10/10" in capfd.readouterr().err


def test_nothing_to_do_shows_no_bar(spark: SparkSession, capfd: pytest.CaptureFixture[str]) -> None:
    counted = spark.sparkContext.accumulator(FeaturizationStatistics(), StatisticsParam())
    with show_progress(0, counted):
        pass
    assert capfd.readouterr().err == ""
