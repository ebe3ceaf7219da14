"""Memory that the threads of a worker share."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# The largest file, and all together that a worker has at hand before they are decoded. A photograph of 50
# megapixels has some 20 MB as a JPEG; what is allowed here and in `pixels.MAX_DECODING_BYTES` a worker needs.
MAX_FILE_BYTES = 50_000_000


class MemoryBudget:
    """So many bytes, of which each thread takes what it needs; who asks for more than is left waits its turn.

    A thread that holds some of a budget must not wait for more of the same, or all may wait forever.

    Args:
        limit: All that there is, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, n_bytes: int) -> Iterator[None]:
        """Hold `n_bytes` while the block runs.

        Raises:
            ValueError: It is more than there ever is.
        """
        if n_bytes > self.limit:
            raise ValueError(f"{n_bytes:,} bytes of a budget of {self.limit:,}")
        with self._changed:
            self._changed.wait_for(lambda: self._held + n_bytes <= self.limit)
            self._held += n_bytes
        try:
            yield
        finally:
            with self._changed:
                self._held -= n_bytes
                self._changed.notify_all()
