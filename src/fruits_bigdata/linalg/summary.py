"""All that is kept in memory of a table of features: its moments and a sample."""

from dataclasses import dataclass

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.sample import FeatureSample


@dataclass(frozen=True, eq=False)
class FeatureSummary:
    """What a PCA and its report need to know of rows of features.

    Attributes:
        moments: Count, sum and Gram matrix.
        sample: Some of the images.
        state: The version of the table whose rows these are, all of them; empty if that is not known.
    """

    moments: Moments
    sample: FeatureSample
    state: str = ""

    @classmethod
    def empty(cls, n_features: int) -> "FeatureSummary":
        """Return the summary of no rows."""
        return cls(Moments.zero(n_features), FeatureSample.empty(n_features))

    def __add__(self, other: "FeatureSummary") -> "FeatureSummary":
        """Return the summary of both; whoever adds knows of which version they are."""
        return FeatureSummary(self.moments + other.moments, self.sample + other.sample)
