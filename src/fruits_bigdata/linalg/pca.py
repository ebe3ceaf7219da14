"""Exact principal component analysis from moments, with scikit-learn's names and conventions."""

from dataclasses import dataclass
from os import PathLike
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from fruits_bigdata.linalg.moments import Moments

Scale = Literal["none", "std"]


class PcaError(ValueError):
    """The data do not have the principal components that were asked for."""


@dataclass(frozen=True)
class Coverage:
    """Which rows of a store moments were summed over, so that a later fit adds the others to them.

    Attributes:
        files: Names of the data files.
        left_out: A fingerprint of the rows in them that were not summed, since they did not count.
    """

    files: frozenset[str] = frozenset()
    left_out: str = ""


@dataclass(frozen=True, eq=False)
class PcaModel:
    """A fitted PCA.

    Attributes:
        mean_: Mean of the features, float64, shape (d,).
        scale_: What centred features are divided by, float64, shape (d,): ones, or standard deviations.
        components_: Orthonormal rows, by falling variance, float64, shape (k, d).
        explained_variance_: Variance of each score (divisor n - 1), float64, shape (k,).
        explained_variance_ratio_: Its share of the total variance, float64, shape (k,).
        moments: What the model was made from.
        featurizer: Fingerprint of the features that it is for.
        coverage: What the moments were summed over.
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    components_: NDArray[np.float64]
    explained_variance_: NDArray[np.float64]
    explained_variance_ratio_: NDArray[np.float64]
    moments: Moments
    featurizer: str
    coverage: Coverage = Coverage()

    @property
    def n_components_(self) -> int:
        """Number of components, k."""
        return len(self.components_)

    def transform(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the centred scores of `features`, shape (n, d), as float64, shape (n, k)."""
        scores: NDArray[np.float64] = ((features - self.mean_) / self.scale_) @ self.components_.T
        return scores

    def save(self, file: str | PathLike[str] | IO[bytes]) -> None:
        """Write the model as an `.npz` of plain arrays."""
        np.savez(
            file,
            mean=self.mean_,
            scale=self.scale_,
            components=self.components_,
            explained_variance=self.explained_variance_,
            explained_variance_ratio=self.explained_variance_ratio_,
            moments_n=self.moments.n,
            moments_sum=self.moments.sum,
            moments_gram=self.moments.gram,
            featurizer=self.featurizer,
            covered_files=np.array(sorted(self.coverage.files), dtype=np.str_),
            covered_left_out=self.coverage.left_out,
        )

    @classmethod
    def load(cls, file: str | PathLike[str] | IO[bytes]) -> "PcaModel":
        """Read a model that `save` wrote; numpy alone is needed and nothing is unpickled."""
        with np.load(file, allow_pickle=False) as arrays:
            return cls(
                mean_=arrays["mean"],
                scale_=arrays["scale"],
                components_=arrays["components"],
                explained_variance_=arrays["explained_variance"],
                explained_variance_ratio_=arrays["explained_variance_ratio"],
                moments=Moments(int(arrays["moments_n"]), arrays["moments_sum"], arrays["moments_gram"]),
                featurizer=str(arrays["featurizer"]),
                # A model of before there was a coverage has none.
                coverage=Coverage(
                    frozenset(arrays["covered_files"].tolist()), str(arrays["covered_left_out"])
                )
                if "covered_files" in arrays
                else Coverage(),
            )


def fit_pca(
    moments: Moments, n_components: int | float, scale: Scale = "none", featurizer: str = ""
) -> PcaModel:
    """Return the PCA of the rows that `moments` sum up, by one symmetric eigenproblem.

    Equal to `sklearn.decomposition.PCA(n_components, svd_solver="full")`, signs included: the largest loading
    of each component is positive (sklearn.utils.extmath.svd_flip, u_based_decision=False).

    Args:
        moments: Of n rows of d features.
        n_components: A number of components, or a share of the variance in (0, 1): the fewest components
            that explain more than it.
        scale: "std" divides each feature by its standard deviation; constant features stay as they are.
        featurizer: Fingerprint of the features.

    Raises:
        PcaError: Fewer rows or features than components, no variance, or `n_components` is out of range.
    """
    n, d = moments.n, moments.sum.size
    check_n_components(n_components, d)
    whole = n_components >= 1
    if n == 0:
        raise PcaError("No image has features")
    if n < 2 or (whole and n_components > n):
        raise PcaError(
            f"n_components={n_components} needs at least {max(2, int(n_components))} images with features, "
            f"and there are {n}: add images or lower pca.n_components"
        )
    covariance = moments.covariance
    total = float(np.trace(covariance))
    # Moments carry rounding errors of some n eps times the mean square; less than that is no variance.
    if total <= 1e-12 * float(np.trace(moments.gram)) / n:
        raise PcaError(f"The features of all {n} images are equal: they have no variance to explain")
    deviations = np.ones(d)
    if scale == "std":
        variances = np.diag(covariance)
        deviations = np.sqrt(np.where(variances > 1e-12 * total / d, variances, 1.0))
        covariance = covariance / np.outer(deviations, deviations)
        total = float(np.trace(covariance))
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    variances = np.clip(eigenvalues[::-1], 0.0, None)
    ratios = variances / total
    if whole:
        k = int(n_components)
    else:
        k = min(int(np.searchsorted(np.cumsum(ratios), n_components, side="right")) + 1, min(n, d))
    return PcaModel(
        mean_=moments.mean,
        scale_=deviations,
        components_=fix_signs(eigenvectors[:, ::-1].T[:k]),
        explained_variance_=variances[:k],
        explained_variance_ratio_=ratios[:k],
        moments=moments,
        featurizer=featurizer,
    )


def check_n_components(n_components: int | float, n_features: int) -> None:
    """Raise PcaError unless `n_components` is a number of components or a share of the variance."""
    whole = float(n_components).is_integer() and 1 <= n_components <= n_features
    if not whole and not 0 < n_components < 1:
        raise PcaError(
            f"n_components={n_components}: give a whole number from 1 to {n_features} or a share of the "
            f"variance between 0 and 1, such as 0.95"
        )


def fix_signs(components: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `components`, shape (k, d), each turned so that its largest loading is positive."""
    largest = np.abs(components).argmax(axis=1)
    signs: NDArray[np.float64] = np.sign(components[np.arange(len(components)), largest])
    return components * signs[:, np.newaxis]
