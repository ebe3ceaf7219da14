"""Exact principal component analysis from moments, with scikit-learn's names and conventions."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary

Scale = Literal["none", "std"]


class PcaError(ValueError):
    """The data do not have the principal components that were asked for."""


@dataclass(frozen=True, eq=False)
class PcaModel:
    """A fitted PCA, and what is known of the features that are there now.

    Attributes:
        mean_: Mean of the features, float64, shape (d,).
        scale_: What centred features are divided by, float64, shape (d,): ones, or standard deviations.
        components_: Orthonormal rows, by falling variance, float64, shape (k, d).
        explained_variance_: Variance of each score (divisor n - 1), float64, shape (k,).
        explained_variance_ratio_: Its share of the total variance, float64, shape (k,).
        n_samples_: Number of images that the model was fitted to.
        featurizer: Fingerprint of the features that it is for.
        fitted_with: The parameters of the fit, in words of the caller's.
        summary: Of all current features, those that came after the fit too; None in a model that is kept for
            the record.
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    components_: NDArray[np.float64]
    explained_variance_: NDArray[np.float64]
    explained_variance_ratio_: NDArray[np.float64]
    n_samples_: int
    featurizer: str
    fitted_with: str = ""
    summary: FeatureSummary | None = None

    @property
    def current(self) -> FeatureSummary:
        """The summary of the current features.

        Raises:
            ValueError: The model is one for the record and knows no current features.
        """
        if self.summary is None:
            raise ValueError(f"The model {self.name} is kept for the record and knows no features")
        return self.summary

    @property
    def n_components_(self) -> int:
        """Number of components, k."""
        return len(self.components_)

    @property
    def n_features_in_(self) -> int:
        """Number of features, d."""
        return int(self.mean_.size)

    @property
    def name(self) -> str:
        """Twelve hexadecimal digits that change whenever the scores would."""
        parts = (self.mean_, self.scale_, self.components_, np.array(self.featurizer))
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:12]

    def transform(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the centred scores of `features`, shape (n, d), as float64, shape (n, k).

        Raises:
            ValueError: They have another shape.
        """
        _check_width("features", features, self.n_features_in_)
        scores: NDArray[np.float64] = ((features - self.mean_) / self.scale_) @ self.components_.T
        return scores

    def inverse_transform(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the features that `scores`, shape (n, k), stand for, as float64, shape (n, d).

        Raises:
            ValueError: They have another shape.
        """
        _check_width("scores", scores, self.n_components_)
        features: NDArray[np.float64] = (scores @ self.components_) * self.scale_ + self.mean_
        return features

    def without_summary(self) -> "PcaModel":
        """Return the model alone, without the summary of the current features."""
        return replace(self, summary=None)

    def save(self, file: str | PathLike[str] | IO[bytes]) -> None:
        """Write the model as an `.npz` of plain arrays."""
        np.savez(
            file,
            mean=self.mean_,
            scale=self.scale_,
            components=self.components_,
            explained_variance=self.explained_variance_,
            explained_variance_ratio=self.explained_variance_ratio_,
            n_samples=self.n_samples_,
            featurizer=self.featurizer,
            fitted_with=self.fitted_with,
            **(_to_arrays(self.summary) if self.summary is not None else {}),
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
                n_samples_=int(arrays["n_samples"]),
                featurizer=str(arrays["featurizer"]),
                fitted_with=str(arrays["fitted_with"]),
                summary=_from_arrays(arrays) if "moments_n" in arrays else None,
            )


def _check_width(name: str, matrix: NDArray[np.floating], width: int) -> None:
    if matrix.ndim != 2 or matrix.shape[1] != width:
        raise ValueError(f"The {name} have the shape {matrix.shape}, and this model takes (n, {width:,})")


def _to_arrays(summary: FeatureSummary) -> dict[str, Any]:
    return {
        "moments_n": summary.moments.n,
        "moments_sum": summary.moments.sum,
        "moments_gram": summary.moments.gram,
        "features_state": summary.state,
        # An array of strings would give each the room of the longest.
        "sample_images": json.dumps([summary.sample.paths, summary.sample.labels]),
        "sample_features": summary.sample.features,
    }


def _from_arrays(arrays: Mapping[str, Any]) -> FeatureSummary:
    paths, labels = json.loads(str(arrays["sample_images"]))
    return FeatureSummary(
        Moments(int(arrays["moments_n"]), arrays["moments_sum"], arrays["moments_gram"]),
        FeatureSample(tuple(paths), tuple(labels), arrays["sample_features"]),
        str(arrays["features_state"]),
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
    if n and (n < 2 or (whole and n_components > n)):
        raise PcaError(
            f"n_components={n_components} needs at least {max(2, int(n_components))} images with features, "
            f"and there are {n}: add images or lower pca.n_components"
        )
    _check_variance(moments)
    covariance = moments.covariance
    total = float(np.trace(covariance))
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
        n_samples_=n,
        featurizer=featurizer,
    )


def explained_variance_ratio(model: PcaModel, moments: Moments) -> NDArray[np.float64]:
    """Return the share of the variance of the rows that `moments` sum up which each axis keeps, shape (k,).

    The variance is that of the rows divided by the model's scale. For the rows that the model was fitted to,
    these are its own `explained_variance_ratio_`.
    """
    covariance = _scaled_covariance(model, moments)
    kept: NDArray[np.float64] = np.einsum("kd,kd->k", model.components_ @ covariance, model.components_)
    kept /= np.trace(covariance)
    return kept


def reconstruction_error(model: PcaModel, moments: Moments) -> float:
    """Return the mean squared distance between rows and what their scores stand for, as a share of variance.

    Distances are between rows divided by the model's scale. Unlike the explained variance, the figure also
    counts how far the rows' mean has moved away from the model's, as far as the axes do not follow it.
    """
    covariance = _scaled_covariance(model, moments)
    moved = (moments.mean - model.mean_) / model.scale_
    missed = moved - (moved @ model.components_.T) @ model.components_
    # The covariance has the divisor n - 1.
    offset = float(missed @ missed) * moments.n / (moments.n - 1)
    return 1.0 - float(explained_variance_ratio(model, moments).sum()) + offset / float(np.trace(covariance))


def spectrum(model: PcaModel, moments: Moments) -> NDArray[np.float64]:
    """Return the shares of the variance which the best axes would keep, in the model's scale, shape (d,)."""
    covariance = _scaled_covariance(model, moments)
    shares: NDArray[np.float64] = np.linalg.eigvalsh(covariance)[::-1] / np.trace(covariance)
    return shares


def drift(model: PcaModel, moments: Moments) -> float:
    """Return how much less a model keeps of the rows that `moments` sum up than the best axes would.

    Returns:
        1 - (1 - `reconstruction_error`) / (share of variance that the best k axes explain), in the model's
        scale: 0 for a model that was fitted to these rows.

    Raises:
        PcaError: There are no rows, or they have no variance.
    """
    _check_variance(moments)
    best = float(spectrum(model, moments)[: model.n_components_].sum())
    return max(0.0, 1.0 - (1.0 - reconstruction_error(model, moments)) / best)


def _check_variance(moments: Moments) -> None:
    if moments.n == 0:
        raise PcaError("No image has features")
    # Moments carry rounding errors of some n eps times the mean square; less than that is no variance.
    noise = 1e-12 * float(np.trace(moments.gram)) / moments.n
    if moments.n == 1 or float(np.trace(moments.covariance)) <= noise:
        raise PcaError(f"The features of all {moments.n} images are equal: they have no variance to explain")


def _scaled_covariance(model: PcaModel, moments: Moments) -> NDArray[np.float64]:
    covariance: NDArray[np.float64] = moments.covariance / np.outer(model.scale_, model.scale_)
    return covariance


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
