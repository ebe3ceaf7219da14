"""What a PCA keeps: of the variance, of each image's neighbours, and of what tells the classes apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fruits_bigdata.linalg.pca import PcaModel, explained_variance_ratio, reconstruction_error, spectrum

N_NEIGHBOURS = 10
_CLOSEST = 5
# Percent of the variance.
_SHARES = (80, 90, 95, 99)


def measure_quality(model: PcaModel, n_neighbours: int = N_NEIGHBOURS) -> dict[str, Any]:
    """Measure what the scores of a model keep of the current features.

    Variance and reconstruction error are exact, from the moments; all else is of the sample in the model's
    summary, at most `linalg.sample.SAMPLE_SIZE` images.

    Returns:
        `explained_variance_ratio` of each axis, on the current features, and `..._sum`; `components_for`, how
        many of the best axes would keep a share of the variance, by that share in percent;
        `best_explained_variance_ratio`, of the best axes, half as many again as the model has;
        `reconstruction_error`, as a share of the variance; `sampled` images; `neighbours`, how many of an
        image's nearest are looked at; `neighbour_overlap`, the share of them that are the same among scores
        as among features; `nearest_label_accuracy` of `features` and of `scores`; `closest_classes`, the
        pairs that are nearest to each other.

    Raises:
        ValueError: The model is one for the record and knows no current features.
    """
    moments, sample = model.current.moments, model.current.sample
    scores = model.transform(sample.features)
    near = nearest(sample.features, n_neighbours)
    near_by_scores = nearest(scores, n_neighbours)
    ratios = explained_variance_ratio(model, moments)
    best = spectrum(model, moments)
    # Rounding may leave the whole at a hair less than 1.
    kept = np.minimum(best.cumsum(), 1.0)
    return {
        "explained_variance_ratio": ratios.tolist(),
        "explained_variance_ratio_sum": float(ratios.sum()),
        "components_for": {str(s): int(np.searchsorted(kept, s / 100 - 1e-12)) + 1 for s in _SHARES},
        "best_explained_variance_ratio": best[: max(10, len(ratios) * 3 // 2)].tolist(),
        "reconstruction_error": reconstruction_error(model, moments),
        "sampled": len(sample.paths),
        "neighbours": near.shape[1],
        "neighbour_overlap": overlap(near, near_by_scores),
        "nearest_label_accuracy": {
            "features": label_accuracy(near, sample.labels),
            "scores": label_accuracy(near_by_scores, sample.labels),
        },
        "closest_classes": closest_classes(scores, sample.labels, _CLOSEST),
    }


def nearest(points: NDArray[np.floating], k: int) -> NDArray[np.intp]:
    """Return for each of `points`, shape (n, d), the k nearest others by Euclidean distance, shape (n, k).

    With fewer than k others, all of them. The nearest comes first; the memory is that of an (n, n) matrix.
    """
    distances = _squared_distances(points)
    np.fill_diagonal(distances, np.inf)
    k = min(k, len(points) - 1)
    neighbours: NDArray[np.intp] = np.argsort(distances, axis=1, kind="stable")[:, : max(k, 0)]
    return neighbours


def overlap(near: NDArray[np.intp], other: NDArray[np.intp]) -> float | None:
    """Return the mean share of neighbours, both shape (n, k), that are the same; None if there are none."""
    if not near.size:
        return None
    return float((near[:, :, np.newaxis] == other[:, np.newaxis, :]).any(axis=2).mean())


def label_accuracy(near: NDArray[np.intp], labels: Sequence[str]) -> float | None:
    """Return the share of points whose nearest has the same label, of those whose label another has too.

    None if all labels differ.
    """
    codes = np.unique(np.array(labels, dtype=object), return_inverse=True)[1]
    counted = np.bincount(codes)[codes] > 1
    if not counted.any():
        return None
    return float((codes[near[counted, 0]] == codes[counted]).mean())


def closest_classes(scores: NDArray[np.floating], labels: Sequence[str], n: int) -> list[dict[str, Any]]:
    """Return the n pairs of classes that lie closest, the closest first.

    Returns:
        For each pair its `classes` and their `separation`: the distance between the two means, divided by the
        larger root mean square distance of a class' images from their own mean. Below 1 they overlap. Classes
        of a single image are left out.
    """
    names, codes, counts = np.unique(np.array(labels, dtype=object), return_inverse=True, return_counts=True)
    means = np.zeros((len(names), scores.shape[1]))
    np.add.at(means, codes, scores)
    means /= counts[:, np.newaxis]
    spread = np.zeros(len(names))
    np.add.at(spread, codes, ((scores - means[codes]) ** 2).sum(axis=1))
    spread = np.sqrt(spread / counts)
    several = counts > 1
    names, means, spread = names[several], means[several], spread[several]
    left, right = np.triu_indices(len(names), 1)
    distances = np.sqrt(np.maximum(_squared_distances(means)[left, right], 0))
    separation = distances / np.maximum(np.maximum(spread[left], spread[right]), np.finfo(float).tiny)
    closest = np.argsort(separation, kind="stable")[:n]
    return [
        {"classes": [str(names[left[i]]), str(names[right[i]])], "separation": float(separation[i])}
        for i in closest
    ]


def _squared_distances(points: NDArray[np.floating]) -> NDArray[np.float64]:
    x = points.astype(np.float64)
    squares = (x * x).sum(axis=1)
    distances: NDArray[np.float64] = squares[:, np.newaxis] + squares - 2 * (x @ x.T)
    return distances
