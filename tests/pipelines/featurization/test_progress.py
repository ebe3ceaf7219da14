import time

from fruits_bigdata.pipelines.featurization.progress import show_progress


def test_the_bar_shows_images_speed_and_time_left(spark, capfd):
    images_done = spark.sparkContext.accumulator(0)
    with show_progress(10, images_done):
        images_done.add(4)
        time.sleep(1.2)
        images_done.add(6)
    shown = capfd.readouterr().err
    assert "4/10" in shown
    assert "10/10" in shown
    assert "images/s" in shown
    assert "<" in shown


def test_tasks_add_up_and_one_that_ran_twice_does_not_overfill_the_bar(spark, capfd):
    images_done = spark.sparkContext.accumulator(0)
    with show_progress(10, images_done):
        spark.sparkContext.parallelize([5, 5, 4], 3).foreach(images_done.add)
    assert images_done.value == 14
    assert "10/10" in capfd.readouterr().err
