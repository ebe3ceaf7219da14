"""How a person sees what the workers have done while they work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import Accumulator
from tqdm.auto import tqdm

_SECONDS_BETWEEN_LOOKS = 0.5


@contextmanager
def show_progress(total: int, images_done: Accumulator[int]) -> Iterator[None]:
    """Show a bar with images done, images/s and time left, in a terminal or a notebook, while the block runs.

    Args:
        total: Images to do.
        images_done: Images of the tasks that have ended.
    """
    done = threading.Event()
    with tqdm(total=total, desc="Featurizing", unit=" images", smoothing=0.1) as bar:

        def look() -> None:
            # A task that is run twice counts twice.
            bar.update(min(images_done.value, total) - bar.n)

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
