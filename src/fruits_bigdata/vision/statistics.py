"""What the workers did, as figures that add up."""

import os
import resource
import socket
import sys
from dataclasses import dataclass, field
from time import time

from fruits_bigdata.vision.timeline import Timeline

# Linux reports the peak in KiB, macOS in bytes (getrusage(2)).
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


# Rejected images of each kind that are named.
_EXAMPLES = 3


def rejection_kind(reason: str) -> str:
    """Return what a reason has in common with others: the words before the colon."""
    return reason.partition(":")[0]


def this_worker() -> str:
    """Return the name of this process, `host:pid`."""
    return f"{this_host()}:{os.getpid()}"


def this_host() -> str:
    """Return the name of this machine; in a container of YARN, the name that YARN has for its node."""
    return os.environ.get("NM_HOST") or socket.gethostname()


@dataclass
class FeaturizationStatistics:
    """Counts of one task or, merged, of many.

    Attributes:
        images: Images dealt with, featurized or rejected.
        rejected: Images without features.
        bytes_read: Bytes of the images that could be decoded.
        engine_seconds: Time in the model, summed over workers.
        waiting_seconds: Time the model waited for pixels, summed over workers.
        engines_made: Interpreters made by each worker.
        images_by_worker: Images by worker.
        peak_memory_bytes: Largest resident size of each worker's process.
        rejections: Kinds of reasons, each with its number of images and some of them, `(path, reason)`.
        timeline: When each host dealt with how many images.
    """

    images: int = 0
    rejected: int = 0
    bytes_read: int = 0
    engine_seconds: float = 0.0
    waiting_seconds: float = 0.0
    engines_made: dict[str, int] = field(default_factory=dict)
    images_by_worker: dict[str, int] = field(default_factory=dict)
    peak_memory_bytes: dict[str, int] = field(default_factory=dict)
    rejections: dict[str, tuple[int, list[tuple[str, str]]]] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)

    def merge(self, other: "FeaturizationStatistics") -> "FeaturizationStatistics":
        """Return the statistics of both together."""
        return FeaturizationStatistics(
            images=self.images + other.images,
            rejected=self.rejected + other.rejected,
            bytes_read=self.bytes_read + other.bytes_read,
            engine_seconds=self.engine_seconds + other.engine_seconds,
            waiting_seconds=self.waiting_seconds + other.waiting_seconds,
            engines_made=_sums(self.engines_made, other.engines_made),
            images_by_worker=_sums(self.images_by_worker, other.images_by_worker),
            peak_memory_bytes={
                worker: max(self.peak_memory_bytes.get(worker, 0), other.peak_memory_bytes.get(worker, 0))
                for worker in self.peak_memory_bytes | other.peak_memory_bytes
            },
            rejections={
                kind: (mine[0] + theirs[0], [*mine[1], *theirs[1]][:_EXAMPLES])
                for kind in self.rejections | other.rejections
                for mine, theirs in [
                    (self.rejections.get(kind, (0, [])), other.rejections.get(kind, (0, [])))
                ]
            },
            timeline=self.timeline + other.timeline,
        )

    def tick(self) -> None:
        """Note that this host has dealt with one more image now."""
        self.timeline.add(this_host(), time())

    def reject(self, path: str, reason: str) -> None:
        """Count an image without features."""
        kind = rejection_kind(reason)
        n, examples = self.rejections.get(kind, (0, []))
        self.rejections[kind] = (n + 1, [*examples, (path, reason)][:_EXAMPLES])
        self.rejected += 1

    def sign(self) -> None:
        """Note which worker counted these images and how much memory it has needed so far."""
        worker = this_worker()
        self.images_by_worker[worker] = self.images
        self.peak_memory_bytes[worker] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT


def _sums(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in left | right}
