"""What a PCA says of classes: how alike they are, and how much of each is lost. Bounded by the sample."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fruits_bigdata.linalg.pca import PcaModel
from fruits_bigdata.linalg.quality import label_accuracy, nearest

# As many as a heat map can show and a file of figures should hold: those with the most images.
MAX_CLASSES = 150


def measure_classes(model: PcaModel) -> dict[str, Any]:
    """Measure the classes of the sample in the model's summary, at most `MAX_CLASSES` of them.

    Returns:
        `classes`, all that the sample has; `labels` of those measured, in an order in which classes that are
        alike stand together; `images`, how many of each were sampled; `similarity`, the cosines between the
        classes' mean scores, which are centred, shape (c, c), from -1 to 1; `reconstruction_error` of each,
        the mean squared distance between its images and what their scores stand for, as a share of the
        variance of all images.

    Raises:
        ValueError: The model is one for the record and knows no current features.
    """
    sample, moments = model.current.sample, model.current.moments
    names, codes, counts = np.unique(
        np.array(sample.labels, dtype=object), return_inverse=True, return_counts=True
    )
    scores = model.transform(sample.features)
    missed = ((sample.features - model.inverse_transform(scores)) / model.scale_) ** 2
    variance = float((np.diag(moments.covariance) / model.scale_**2).sum())
    errors = np.bincount(codes, weights=missed.sum(axis=1)) / counts / variance
    means = np.zeros((len(names), scores.shape[1]))
    np.add.at(means, codes, scores)
    means /= counts[:, np.newaxis]
    largest = np.argsort(-counts, kind="stable")[:MAX_CLASSES]
    similarity = cosines(means[largest] - scores.mean(axis=0))
    order = order_by_likeness(similarity)
    shown = largest[order]
    return {
        "classes": len(names),
        "labels": [str(name) for name in names[shown]],
        "images": counts[shown].tolist(),
        "similarity": similarity[np.ix_(order, order)].round(4).tolist(),
        "reconstruction_error": errors[shown].tolist(),
    }


def cosines(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the cosine between each two of `rows`, shape (n, d); that of a row of zeros is 0."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.maximum(lengths, np.finfo(float).tiny)
    similarity: NDArray[np.float64] = np.clip(unit @ unit.T, -1.0, 1.0)
    return similarity


def order_by_likeness(similarity: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return an order of n things, by average-linkage clustering, the leaves turned so that likes touch.

    Args:
        similarity: Shape (n, n), symmetric, from -1 to 1.
    """
    if len(similarity) < 3:
        return np.arange(len(similarity))
    # Imported here, so that only a report waits for it.
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    distances = np.maximum(1.0 - similarity, 0.0)
    np.fill_diagonal(distances, 0.0)
    tree = hierarchy.linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    order: NDArray[np.intp] = hierarchy.leaves_list(tree).astype(np.intp)
    return order


def choose_neighbours(model: PcaModel, n_images: int = 8, n_neighbours: int = 5) -> dict[str, Any]:
    """Choose some sampled images and name those whose scores are nearest: the half that goes wrong most, if
    there are any, and images of other classes beside them.

    Returns:
        `sampled` images; `nearest_label_accuracy`, the share whose nearest has the same label, of those whose
        label another has too; `neighbour_label_accuracy`, the share of neighbours that have, of the same;
        `chosen_for_errors`, how many were chosen so; `examples`, each with `path`, `label` and `neighbours`,
        which have `path`, `label` and `distance`.

    Raises:
        ValueError: The model is one for the record and knows no current features.
    """
    sample = model.current.sample
    scores = model.transform(sample.features)
    near = nearest(scores, n_neighbours)
    labels = np.array(sample.labels, dtype=object)
    codes = np.unique(labels, return_inverse=True)[1]
    wrong = (codes[near] != codes[:, np.newaxis]).sum(axis=1)
    # Of an image that is alone in its class, the sample has no right neighbour.
    accompanied = np.bincount(codes)[codes] > 1
    worst = [i for i in np.argsort(-wrong, kind="stable") if wrong[i] and accompanied[i]]
    n_errors = min(n_images // 2, len({codes[i] for i in worst}))
    chosen = _of_different_classes(worst, codes, n_errors, set())
    for_errors = len(chosen)
    others = np.flatnonzero(accompanied & (wrong == 0)).tolist()
    chosen += _of_different_classes(others, codes, n_images - for_errors, {codes[i] for i in chosen})
    right = codes[near[accompanied]] == codes[accompanied, np.newaxis]
    return {
        "sampled": len(labels),
        "nearest_label_accuracy": label_accuracy(near, sample.labels) if near.size else None,
        "neighbour_label_accuracy": float(right.mean()) if right.size else None,
        "chosen_for_errors": for_errors,
        "examples": [
            {
                "path": sample.paths[i],
                "label": sample.labels[i],
                "neighbours": [
                    {
                        "path": sample.paths[j],
                        "label": sample.labels[j],
                        "distance": float(np.linalg.norm(scores[i] - scores[j])),
                    }
                    for j in near[i]
                ],
            }
            for i in chosen
        ],
    }


def _of_different_classes(found: list[int], codes: NDArray[np.intp], n: int, taken: set[int]) -> list[int]:
    """Return the first n of `found`, each of a class of its own as long as there are any."""
    first: list[int] = []
    others: list[int] = []
    seen = set(taken)
    for i in found:
        (others if codes[i] in seen else first).append(i)
        seen.add(codes[i])
    return [*first, *others][:n]
