"""What the workers report, and how a person sees it while they work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import Accumulator
from pyspark.accumulators import AccumulatorParam
from tqdm.auto import tqdm

from fruits_bigdata.vision.statistics import FeaturizationStatistics

_SECONDS_BETWEEN_LOOKS = 0.5


class StatisticsParam(AccumulatorParam[FeaturizationStatistics]):
    """Lets Spark add up the statistics of tasks as they end."""

    def zero(self, value: FeaturizationStatistics) -> FeaturizationStatistics:
        """Return the statistics of nothing."""
        return FeaturizationStatistics()

    def addInPlace(
        self, value1: FeaturizationStatistics, value2: FeaturizationStatistics
    ) -> FeaturizationStatistics:
        """Return the statistics of both."""
        return value1.merge(value2)


@contextmanager
def show_progress(total: int, statistics: Accumulator[FeaturizationStatistics]) -> Iterator[None]:
    """Show a bar with images done, images/s and time left, in a terminal or a notebook, while the block runs.

    Args:
        total: Images to do; with none there is no bar.
        statistics: Counts of the tasks that have ended.
    """
    done = threading.Event()
    with tqdm(total=total, desc="Featurizing", unit=" images", disable=not total, smoothing=0.1) as bar:

        def look() -> None:
            # A task that is run twice counts twice.
            bar.update(min(statistics.value.images, total) - bar.n)

        def watch() -> None:
            while not done.wait(_SECONDS_BETWEEN_LOOKS):
                look()

        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        except GeneratorExit:
            # A chunk could not be saved, which has been said: the bar does not come after it.
            bar.leave = False
            raise
        finally:
            done.set()
            watcher.join()
            look()
