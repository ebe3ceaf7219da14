"""Count, sum and Gram matrix of the rows of a matrix: all that a PCA needs, and they add up."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of n rows of d values.

    Attributes:
        n: Number of rows.
        sum: Sum of the rows, float64, shape (d,).
        gram: Sum of the rows' outer products, X^T X, float64, shape (d, d).
    """

    n: int
    sum: NDArray[np.float64]
    gram: NDArray[np.float64]

    @classmethod
    def zero(cls, n_features: int) -> "Moments":
        """Return the moments of no rows."""
        return cls(0, np.zeros(n_features), np.zeros((n_features, n_features)))

    @classmethod
    def of(cls, rows: NDArray[np.floating]) -> "Moments":
        """Return the moments of `rows`, shape (n, d), summed in float64."""
        return cls.of_blocks([rows], rows.shape[1])

    @classmethod
    def of_blocks(cls, blocks: Iterable[NDArray[np.floating]], n_features: int) -> "Moments":
        """Return the moments of the rows of all `blocks`, each of shape (n, d), added up in place."""
        n, total = 0, np.zeros(n_features)
        gram, product = np.zeros((n_features, n_features)), np.empty((n_features, n_features))
        room = np.empty((0, n_features))
        for block in blocks:
            if len(block) > len(room):
                room = np.empty(block.shape)
            x = room[: len(block)]
            x[:] = block
            n += len(x)
            total += x.sum(axis=0)
            # numpy sees that both factors are one array and computes half of the product (BLAS syrk).
            gram += np.matmul(x.T, x, out=product)
        return cls(n, total, gram)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Moments":
        """Return the moments that `to_bytes` wrote."""
        values = np.frombuffer(data, dtype="<f8")
        # 1 + d + d (d + 1) / 2 values.
        d = int((np.sqrt(8 * values.size + 1) - 3) / 2)
        gram = np.zeros((d, d))
        gram[np.triu_indices(d)] = values[d + 1 :]
        gram += np.triu(gram, 1).T
        return cls(int(values[0]), values[1 : d + 1], gram)

    def to_bytes(self) -> bytes:
        """Return n, sum and the upper triangle of gram, row by row, as little-endian float64."""
        upper = self.gram[np.triu_indices(self.sum.size)]
        return b"".join((np.array([self.n], "<f8").tobytes(), self.sum.tobytes(), upper.tobytes()))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.n + other.n, self.sum + other.sum, self.gram + other.gram)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the rows, shape (d,)."""
        return self.sum / self.n

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Unbiased covariance (divisor n - 1), shape (d, d)."""
        return (self.gram - np.outer(self.sum, self.mean)) / (self.n - 1)
