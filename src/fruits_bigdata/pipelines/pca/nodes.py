"""Nodes of the PCA pipeline."""

import json
import logging
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial, reduce
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from fruits_bigdata.feature_files import FeatureFiles
from fruits_bigdata.linalg.pca import PcaError, PcaModel, Scale, check_n_components, drift, fit_pca
from fruits_bigdata.linalg.sample import share_for
from fruits_bigdata.linalg.summary import Coverage, FeatureSummary
from fruits_bigdata.pipelines.current import count_stored, select_current
from fruits_bigdata.pipelines.pca.batches import project_batches, summarize, summary_of_row
from fruits_bigdata.pipelines.pca.spark_ml import with_spark_ml
from fruits_bigdata.pipelines.rejections import count_rejections, describe_rejections
from fruits_bigdata.schemas import FEATURES, FEATURIZER, LABEL, N_FEATURES, PATH, PCA_SCHEMA
from fruits_bigdata.table_source import source_of, with_source

# Partial summaries of 7 MB and a share of the sample: so many fit the driver's spark.driver.maxResultSize.
_MAX_PARTIALS = 32
# Of features; a task leaves one file of scores, a twentieth of what it has read.
_MAX_FILES_PER_TASK = 16
# What is read of the features.
_COLUMNS = [PATH, LABEL, FEATURES]

logger = logging.getLogger(__name__)


class PcaParameters(BaseModel):
    """Parameters of the PCA.

    Attributes:
        n_components: A number of components or a share of the variance, as in scikit-learn.
        solver: "moments", or "spark_ml" for Spark ML's own components, for comparison.
        scale: "std" divides each feature by its standard deviation.
        refit: "auto" keeps the axes of the model before while the drift is within `refit_tolerance`, "always"
            fits anew, "never" keeps them whatever the drift.
        refit_tolerance: The largest drift (see `linalg.pca.drift`) with which "auto" keeps the axes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_components: int | float
    solver: Literal["moments", "spark_ml"]
    scale: Scale
    refit: Literal["auto", "always", "never"] = "auto"
    refit_tolerance: float = Field(default=0.01, ge=0, le=1)

    @field_validator("n_components")
    @classmethod
    def _is_possible(cls, n_components: int | float) -> int | float:
        check_n_components(n_components, N_FEATURES)
        return n_components

    @property
    def of_the_axes(self) -> str:
        """The parameters that the axes depend on, as JSON."""
        return self.model_dump_json(include={"n_components", "solver", "scale"})


def summarize_features(features: DataFrame, images: DataFrame, pca_model: PcaModel | None) -> FeatureSummary:
    """Sum up the current features: count, sum, Gram matrix and a sample, partition by partition.

    Args:
        features: The store.
        images: The listing.
        pca_model: The model of the run before. If the files that its summary covers are all there, with the
            same rows in them that do not count, only the rows of other files are added to it.
    """
    files = FeatureFiles.of(features)
    stored = count_stored(features, images)
    coverage = Coverage(frozenset() if files is None else files.names, stored.fingerprint)
    before = None if pca_model is None else pca_model.summary
    if before is None or not coverage.extends(before.coverage):
        rows = select_current(features, images) if stored.stale else features
        share = share_for(stored.total - stored.stale)
        return replace(_summarize(rows, None if stored.stale else files, share), coverage=coverage)
    if coverage == before.coverage:
        logger.info("The moments of the run before cover all %s rows", f"{before.moments.n:,}")
        return before
    assert files is not None
    # The same rows are stale as before, so none in these files.
    added = _summarize(features, files.named(coverage.files - before.coverage.files), before.sample.share)
    logger.info("Added %s rows to the moments of %s", f"{added.moments.n:,}", f"{before.moments.n:,}")
    return replace(before + added, coverage=coverage)


def fit_pca_model(
    feature_summary: FeatureSummary,
    features: DataFrame,
    rejected: DataFrame,
    images: DataFrame,
    pca_model: PcaModel | None,
    parameters: PcaParameters,
) -> tuple[PcaModel, dict[str, Any]]:
    """Fit the PCA of the current features, or keep the axes of the model before.

    Args:
        feature_summary: Of the current features.
        features: The store.
        rejected: The rejected images, for the error that names their reasons.
        images: The listing.
        pca_model: The model of the run before.
        parameters: Of this run.

    Returns:
        The model, with the summary of the current features, and for the report: its `model` name, whether it
        was `refitted`, the model before, the `drift` of that model's axes and the tolerance.

    Raises:
        PcaError: Fewer images than components, or no variance; if images were rejected, it says why. Or the
            axes are never to be refitted and are not those that the parameters ask for.
    """
    stored = features.select(FEATURIZER).first()
    featurizer = "" if stored is None else stored[FEATURIZER]
    asked = (parameters.of_the_axes, featurizer)
    are_asked_for = pca_model is not None and (pca_model.fitted_with, pca_model.featurizer) == asked
    if pca_model is not None and not are_asked_for and parameters.refit == "never":
        raise PcaError(
            f"pca.refit=never keeps the axes of the model {pca_model.name}, which was fitted with "
            f"{pca_model.fitted_with} to features of {pca_model.featurizer}, and this run asks for "
            f"{asked[0]} and has features of {featurizer}: give the same, or pca.refit=auto"
        )
    moved = None
    try:
        if pca_model is not None and are_asked_for:
            moved = drift(pca_model, feature_summary.moments)
        if pca_model is not None and moved is not None and _are_kept(moved, parameters):
            model = pca_model
        else:
            model = _fit(feature_summary, features, images, featurizer, parameters)
    except PcaError as error:
        rejections = count_rejections(select_current(rejected, images))
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


def project_features(
    features: DataFrame, images: DataFrame, pca_model: PcaModel, pca: DataFrame
) -> DataFrame:
    """Project the current features onto the components: rows of `schemas.PCA_SCHEMA`, centred scores.

    Args:
        features: The store.
        images: The listing.
        pca_model: The model.
        pca: The scores that are published. Those of the same model are kept, and only rows of files that are
            new to them are projected.
    """
    files = FeatureFiles.of(features)
    if pca_model.summary is None or files is None:
        return _project(select_current(features, images), None, pca_model)
    coverage = pca_model.summary.coverage
    source = _to_source(pca_model.name, coverage)
    seen = source_of(pca)
    if seen == source:
        return pca
    model_seen, coverage_seen = _from_source(seen)
    if model_seen == pca_model.name and coverage.extends(coverage_seen):
        added = _project(features, files.named(coverage.files - coverage_seen.files), pca_model)
        return with_source(pca.unionByName(added), source)
    current = select_current(features, images)
    # It is the store itself if no row is stale.
    return with_source(_project(current, files if current is features else None, pca_model), source)


def _summarize(rows: DataFrame, files: FeatureFiles | None, share: float) -> FeatureSummary:
    """Sum up `files` or, if there are none, `rows`."""
    session = rows.sparkSession
    n_partials = min(_MAX_PARTIALS, session.sparkContext.defaultParallelism)
    worker = partial(summarize, share=share)
    if files is not None:
        found = files.collect(session, worker, _COLUMNS, n_partials)
    else:
        # Java hands binaries on as they are, and takes its time with lists.
        def pickled(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            yield pa.RecordBatch.from_pydict({"summary": [pickle.dumps(worker(batches))]})

        partials = rows.select(_COLUMNS).coalesce(n_partials).mapInArrow(pickled, "summary binary")
        found = [pickle.loads(row[0]) for row in partials.collect()]
    return reduce(FeatureSummary.__add__, map(summary_of_row, found), FeatureSummary.empty(N_FEATURES))


def _are_kept(moved: float, parameters: PcaParameters) -> bool:
    within = parameters.refit == "auto" and moved <= parameters.refit_tolerance
    return within or parameters.refit == "never"


def _fit(
    feature_summary: FeatureSummary,
    features: DataFrame,
    images: DataFrame,
    featurizer: str,
    parameters: PcaParameters,
) -> PcaModel:
    model = fit_pca(feature_summary.moments, parameters.n_components, parameters.scale, featurizer)
    if parameters.solver == "spark_ml":
        model = with_spark_ml(model, select_current(features, images))
    return replace(model, fitted_with=parameters.of_the_axes)


def _describe_fit(model: PcaModel, fit: dict[str, Any], parameters: PcaParameters) -> str:
    assert model.summary is not None
    n, moved = f"{model.summary.moments.n:,}", fit["drift"]
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


def _project(rows: DataFrame, files: FeatureFiles | None, pca_model: PcaModel) -> DataFrame:
    """Project `files` or, if there are none, `rows`."""
    session = rows.sparkSession
    rotation = (pca_model.components_ / pca_model.scale_).T
    model = session.sparkContext.broadcast((pca_model.mean_, rotation))

    def project(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return project_batches(batches, *model.value)

    if files is None:
        return rows.select(_COLUMNS).mapInArrow(project, from_arrow_schema(PCA_SCHEMA))
    n_tasks = max(session.sparkContext.defaultParallelism, len(files.urls) // _MAX_FILES_PER_TASK)
    return files.map_in_arrow(session, project, _COLUMNS, PCA_SCHEMA, n_tasks)


def _to_source(model: str, coverage: Coverage) -> str:
    made_from = {"model": model, "files": sorted(coverage.files), "left_out": coverage.left_out}
    return json.dumps(made_from)


def _from_source(source: str | None) -> tuple[str | None, Coverage]:
    if source is None:
        return None, Coverage()
    made_from = json.loads(source)
    return made_from["model"], Coverage(frozenset(made_from["files"]), made_from["left_out"])
