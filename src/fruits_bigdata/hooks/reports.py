"""Hooks that say what a run would do, how long it took, and where it left its results."""

import logging
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner

from fruits_bigdata.hooks.common import flag, place_of
from fruits_bigdata.pipelines.reporting.run_statistics import RunStatistics

# The pipeline that says what a run would do.
_PLAN = "plan"

logger = logging.getLogger(__name__)


class DryRunHooks:
    """Says what a run would do, instead of doing it, if the parameter `dry_run` is true."""

    def __init__(self) -> None:
        self._dry_run = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the parameter."""
        self._dry_run = flag(context, "dry_run")

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], catalog: CatalogProtocol[Any, Any]) -> None:
        """Run the pipeline `plan` in place of the one that was asked for, and end."""
        if not self._dry_run or run_params["pipeline_names"] == [_PLAN]:
            return
        logger.info("dry_run=true: nothing is written")
        SequentialRunner().run(pipelines[_PLAN], catalog)
        raise SystemExit(0)


class StatisticsHooks:
    """Times the stages of a run; the report reads the dataset `run_statistics`."""

    def __init__(self) -> None:
        self._statistics = RunStatistics()

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol[Any, Any]) -> None:
        """Put a new clock into the catalog."""
        self._statistics = RunStatistics()
        catalog["run_statistics"].save(self._statistics)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Start the clock."""
        self._statistics.start(
            run_params["run_id"], run_params["env"] or "local", run_params["runtime_params"]
        )

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Begin the node's time with the first dataset that it loads."""
        self._statistics.enter(str(node.namespace), node.name)

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Add the time up to each dataset that the node saves."""
        self._statistics.leave(str(node.namespace), node.name)


class ResultHooks:
    """Says where a run left its results."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Log the place of everything that the run wrote."""
        names: dict[str | None, str] = {}
        # A table has several names; the shortest is the one to load it by.
        for name in sorted(pipeline.all_outputs(), key=len, reverse=True):
            names[place_of(catalog[name])] = name
        names.pop(None, None)
        for place, name in sorted(names.items(), key=lambda item: item[1]):
            logger.info("Written: %-25s %s", name, place)
