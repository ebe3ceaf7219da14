"""Nodes of the PCA pipeline."""

import logging
from collections.abc import Collection
from dataclasses import replace
from functools import partial, reduce
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fruits_bigdata.linalg.pca import PcaError, PcaModel, drift, fit_pca
from fruits_bigdata.linalg.sample import share_for
from fruits_bigdata.linalg.summary import FeatureSummary
from fruits_bigdata.pipelines.parameters import PcaParameters
from fruits_bigdata.pipelines.pca.batches import SummaryRow, project_batches, summarize, summary_of_row
from fruits_bigdata.pipelines.pca.spark_ml import with_spark_ml
from fruits_bigdata.pipelines.rejections import count_rejections, describe_rejections
from fruits_bigdata.spark.session import map_parts
from fruits_bigdata.tables.data_files import DataFile, DataFolder, share_out
from fruits_bigdata.tables.delta import Change, DamagedTableError, Table
from fruits_bigdata.tables.schemas import FEATURES, FEATURIZER, LABEL, MODEL, N_FEATURES, PATH

# Partial summaries of 7 MB and a share of the sample: so many fit the driver's spark.driver.maxResultSize.
_MAX_PARTIALS = 32
_BYTES_PER_PARTIAL = 50_000_000
# Features of 250 MB; their scores are a file of 10 MB.
_ROWS_PER_SCORES_FILE = 50_000
# Scores of so many small files are written anew as few.
_MAX_SCORES_FILES = 64
# What is read of the features.
_COLUMNS = [PATH, LABEL, FEATURES]

logger = logging.getLogger(__name__)


def summarize_features(features: Table, pca_model: PcaModel | None) -> FeatureSummary:
    """Sum up the features: count, sum, Gram matrix and a sample, part by part.

    Args:
        features: The table.
        pca_model: The model of the run before. If no row of the table has gone since, only the rows that came
            are added to its summary.

    Raises:
        DamagedTableError: The files hold another number of rows than the log says.
    """
    before = None if pca_model is None else pca_model.summary
    since = None if before is None else features.since(before.state)
    summary = None
    if before is not None and since is not None and not since[1]:
        added, _ = since
        summary = before + _summarize(features, added, before.sample.share)
        logger.info("Added %s rows to the moments of %s", f"{_rows(added):,}", f"{before.moments.n:,}")
    if summary is None or summary.moments.n != features.rows:
        summary = _summarize(features, features.files.values(), share_for(features.rows))
    if summary.moments.n != features.rows:
        raise DamagedTableError(
            f"The files of {features.url} hold {summary.moments.n:,} rows, and its log says "
            f"{features.rows:,}: start the run again with --params repair=true"
        )
    return replace(summary, state=features.state)


def fit_pca_model(
    feature_summary: FeatureSummary,
    features: Table,
    rejected: Table,
    pca_model: PcaModel | None,
    parameters: PcaParameters,
) -> tuple[PcaModel, dict[str, Any]]:
    """Fit the PCA of the features, or keep the axes of the model before.

    Args:
        feature_summary: Of the features.
        features: The table.
        rejected: The rejected images, for the error that names their reasons.
        pca_model: The model of the run before.
        parameters: Of this run.

    Returns:
        The model, with the summary of the features, and for the report: its `model` name, whether it was
        `refitted`, the model before, the `drift` of that model's axes and the tolerance.

    Raises:
        PcaError: Fewer images than components, or no variance; if images were rejected, it says why. Or the
            axes are never to be refitted and are not those that the parameters ask for.
    """
    featurizer = str(features.metadata.get(FEATURIZER, ""))
    request = (parameters.of_the_axes, featurizer)
    are_asked_for = pca_model is not None and (pca_model.fitted_with, pca_model.featurizer) == request
    if pca_model is not None and not are_asked_for and parameters.refit == "never":
        raise PcaError(
            f"pca.refit=never keeps the axes of the model {pca_model.name}, which was fitted with "
            f"{pca_model.fitted_with} to features of {pca_model.featurizer}, and this run asks for "
            f"{request[0]} and has features of {featurizer}: give the same, or pca.refit=auto"
        )
    moved = None
    try:
        if pca_model is not None and are_asked_for:
            moved = drift(pca_model, feature_summary.moments)
        if pca_model is not None and moved is not None and _are_kept(moved, parameters):
            model = pca_model
        else:
            model = _fit(feature_summary, features, featurizer, parameters)
    except PcaError as error:
        rejections = count_rejections(rejected)
        why = f". Rejected: {describe_rejections(rejections)}" if rejections else ""
        raise PcaError(f"{error}{why}") from error
    model = replace(model, summary=feature_summary)
    fit = {
        "model": model.name,
        "refitted": pca_model is None or model.name != pca_model.name,
        "model_before": None if pca_model is None else pca_model.name,
        "drift": moved,
        "tolerance": parameters.refit_tolerance,
    }
    logger.info("%s", _describe_fit(model, fit, parameters))
    return model, fit


def project_features(features: Table, pca_model: PcaModel, pca: Table) -> Change:
    """Project the features onto the components: rows of `schemas.PCA_SCHEMA`, centred scores.

    Args:
        features: The table.
        pca_model: The model.
        pca: The scores of the run before. If they are of the same model and no features have gone since, only
            the features that came are projected.
    """
    facts = {MODEL: pca_model.name, "features_state": features.state}
    since = None
    if pca.metadata.get(MODEL) == pca_model.name and len(pca.files) <= _MAX_SCORES_FILES:
        since = features.since(pca.metadata.get("features_state"))
    if since is not None and not since[1] and pca.rows + _rows(since[0]) == features.rows:
        added, _ = since
        return Change(pca, _project(features, added, pca_model, pca), metadata=facts if added else {})
    scores = _project(features, features.files.values(), pca_model, pca)
    return Change(pca, scores, list(pca.files), metadata=facts)


def _summarize(features: Table, files: Collection[DataFile], share: float) -> FeatureSummary:
    worker = partial(_summarize_files, folder=features.folder, share=share)
    n_bytes = sum(file.size for file in files)
    n_parts = min(_MAX_PARTIALS, 1 + n_bytes // _BYTES_PER_PARTIAL)
    rows = map_parts(worker, share_out(files, n_parts), n_bytes)
    return reduce(FeatureSummary.__add__, map(summary_of_row, rows), FeatureSummary.empty(N_FEATURES))


def _summarize_files(files: list[DataFile], folder: DataFolder, share: float) -> SummaryRow:
    return summarize(chain.from_iterable(folder.batches(file, _COLUMNS) for file in files), share)


def _project(features: Table, files: Collection[DataFile], pca_model: PcaModel, pca: Table) -> list[DataFile]:
    """Project some files, and write the scores into the folder of `pca`."""
    worker = partial(
        _project_files,
        folder=features.folder,
        scores_folder=pca.folder,
        model=pca_model.name,
        mean=pca_model.mean_,
        rotation=(pca_model.components_ / pca_model.scale_).T,
    )
    parts = share_out(files, -(-_rows(files) // _ROWS_PER_SCORES_FILE))
    return map_parts(worker, parts, sum(file.size for file in files))


def _project_files(
    files: list[DataFile],
    folder: DataFolder,
    scores_folder: DataFolder,
    model: str,
    mean: NDArray[np.float64],
    rotation: NDArray[np.float64],
) -> DataFile:
    features = chain.from_iterable(folder.batches(file, _COLUMNS) for file in files)
    return scores_folder.write(pa.Table.from_batches(project_batches(features, model, mean, rotation)))


def _rows(files: Collection[DataFile]) -> int:
    return sum(file.rows for file in files)


def _are_kept(moved: float, parameters: PcaParameters) -> bool:
    within = parameters.refit == "auto" and moved <= parameters.refit_tolerance
    return within or parameters.refit == "never"


def _fit(
    feature_summary: FeatureSummary, features: Table, featurizer: str, parameters: PcaParameters
) -> PcaModel:
    model = fit_pca(feature_summary.moments, parameters.n_components, parameters.scale, featurizer)
    if parameters.solver == "spark_ml":
        model = with_spark_ml(model, features)
    return replace(model, fitted_with=parameters.of_the_axes)


def _describe_fit(model: PcaModel, fit: dict[str, Any], parameters: PcaParameters) -> str:
    n, moved = f"{model.current.moments.n:,}", fit["drift"]
    if fit["refitted"] or moved is None:
        before = "" if moved is None else f"; the axes before had drifted by {moved:.2%}"
        return (
            f"{model.n_components_} components explain {model.explained_variance_ratio_.sum():.2%} of the "
            f"variance of {n} images: model {model.name} (solver: {parameters.solver}){before}"
        )
    return (
        f"Kept the {model.n_components_} axes of model {model.name}, fitted to {model.n_samples_:,} of {n} "
        f"images: they keep {moved:.2%} less than the best axes would (tolerance "
        f"{parameters.refit_tolerance:.2%})"
    )
