"""A bounded sample of a collection's features that, like moments, can be added up."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Neighbours of each among all others: 2,000 x 2,000 distances, 32 MB and less than a second.
SAMPLE_SIZE = 2_000
# Hashes are whole numbers below it.
_HASHES = 2**63


@dataclass(frozen=True, eq=False)
class FeatureSample:
    """The images of a collection whose paths have the smallest hashes, at most `SAMPLE_SIZE` of them.

    Which they are depends on the paths alone, so samples of the parts of a collection, added, are the sample
    of the whole (bottom-k sampling: Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007).

    Attributes:
        paths: Paths of the images, in the order of their hashes.
        labels: Their labels.
        features: float32, shape (n, d).
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    features: NDArray[np.float32]

    @classmethod
    def empty(cls, n_features: int) -> "FeatureSample":
        """Return the sample of nothing."""
        return cls((), (), np.zeros((0, n_features), np.float32))

    @classmethod
    def of(
        cls, paths: Sequence[str], labels: Sequence[str], features: NDArray[np.float32], share: float = 1.0
    ) -> "FeatureSample":
        """Return the sample of some images.

        Args:
            paths: Paths of n images.
            labels: Their labels.
            features: float32, shape (n, d).
            share: Take only hashes in this lowest share of all: with far more images than the sample holds,
                what their parts send to be added is little more than the sample.
        """
        hashes = np.array([path_hash(path) for path in paths], dtype=np.uint64)
        order = np.argsort(hashes, kind="stable")[:SAMPLE_SIZE]
        chosen = order[hashes[order] < np.uint64(share * _HASHES)]
        return cls(tuple(paths[i] for i in chosen), tuple(labels[i] for i in chosen), features[chosen])

    @property
    def share(self) -> float:
        """The lowest share of all hashes that can hold an image which this sample still has room for."""
        if len(self.paths) < SAMPLE_SIZE:
            return 1.0
        return (path_hash(self.paths[-1]) + 1) / _HASHES

    def __add__(self, other: "FeatureSample") -> "FeatureSample":
        if not other.paths:
            return self
        paths, labels = self.paths + other.paths, self.labels + other.labels
        return FeatureSample.of(paths, labels, np.concatenate([self.features, other.features]))


def share_for(n_images: int) -> float:
    """Return the share of hashes that holds the sample of so many images for certain, and few others.

    A quarter more than the sample is expected, ten standard deviations.
    """
    return min(1.0, 1.25 * SAMPLE_SIZE / n_images) if n_images else 1.0


def path_hash(path: str) -> int:
    """Return a hash of a path, a whole number below 2 ** 63: who has the smallest are a fair sample."""
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "big") % _HASHES
