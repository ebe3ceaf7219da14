"""All that is kept in memory of a store of features: its moments, a sample, and the files that they cover."""

from dataclasses import dataclass

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.sample import FeatureSample


@dataclass(frozen=True)
class Coverage:
    """Which rows of a store were summed up, so that a later run adds the others.

    Attributes:
        files: Names of the data files.
        left_out: A fingerprint of the rows in them that were not summed, since they did not count.
    """

    files: frozenset[str] = frozenset()
    left_out: str = ""

    def extends(self, earlier: "Coverage") -> bool:
        """Tell whether this is `earlier` and more files, with the same rows left out."""
        return bool(earlier.files) and earlier.files <= self.files and earlier.left_out == self.left_out


@dataclass(frozen=True, eq=False)
class FeatureSummary:
    """What a PCA and its report need to know of rows of features.

    Attributes:
        moments: Count, sum and Gram matrix.
        sample: Some of the images.
        coverage: Where the rows lie.
    """

    moments: Moments
    sample: FeatureSample
    coverage: Coverage = Coverage()

    @classmethod
    def empty(cls, n_features: int) -> "FeatureSummary":
        """Return the summary of no rows."""
        return cls(Moments.zero(n_features), FeatureSample.empty(n_features))

    def __add__(self, other: "FeatureSummary") -> "FeatureSummary":
        """Return the summary of both; whoever adds knows what it covers."""
        return FeatureSummary(self.moments + other.moments, self.sample + other.sample)
