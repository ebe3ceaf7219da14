"""How the images of a run are cut into chunks, and chunks into Spark tasks."""

from collections.abc import Iterator

# Of a small run, tasks end often enough for a progress bar and for a last one that nobody waits for; fewer
# images would cost Spark more than it gains.
_LARGEST_SMALL_TASK, _SMALLEST_TASK = 192, 96
# So that a chunk's commit is worth its while, and what a killed run loses is little.
_TASKS_PER_CORE = 4


def chunk_sizes(n: int, n_cores: int, images_per_task: int) -> Iterator[tuple[int, int]]:
    """Yield the images and the tasks of each chunk of n images.

    Tasks get smaller towards the end, so that all cores end at about the same time (guided self-scheduling:
    Polychronopoulos and Kuck, IEEE Transactions on Computers C-36(12), 1987).
    """
    largest = min(images_per_task, max(_LARGEST_SMALL_TASK, n // (16 * n_cores)))
    while n:
        size = max(1, min(largest, max(_SMALLEST_TASK, n // (4 * n_cores))))
        n_images = min(n, size * _TASKS_PER_CORE * n_cores)
        yield n_images, -(-n_images // size)
        n -= n_images
