"""Models with a sample of the features that they were fitted to."""

from dataclasses import replace

import numpy as np

from fruits_bigdata.linalg.moments import Moments
from fruits_bigdata.linalg.pca import PcaModel, fit_pca
from fruits_bigdata.linalg.sample import FeatureSample
from fruits_bigdata.linalg.summary import FeatureSummary


def model_of(rows: np.ndarray, labels: list[str], k: int, scale: str = "none") -> PcaModel:
    """Fit k components; the sample is all rows, `<label>/<number>.jpg`."""
    sample = FeatureSample.of([f"{label}/{i}.jpg" for i, label in enumerate(labels)], labels, rows)
    summary = FeatureSummary(Moments.of(rows), sample)
    return replace(fit_pca(summary.moments, k, scale=scale), summary=summary)
