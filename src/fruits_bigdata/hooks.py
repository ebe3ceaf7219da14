"""Kedro's hooks of the project, each for one small thing."""

import atexit
import difflib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession
from kedro.io import AbstractDataset, CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pyspark.sql import SparkSession

from fruits_bigdata.command_line import find_comment, quote_parameter
from fruits_bigdata.output_lock import OutputLock
from fruits_bigdata.run_statistics import RunStatistics
from fruits_bigdata.spark_session import create_session, java_process_id, start_python_workers
from fruits_bigdata.storage import configure_s3, is_s3, open_location

# The pipeline that says what a run would do.
_PLAN = "plan"

# Hadoop's globs (org.apache.hadoop.fs.FileSystem.globStatus).
_PATTERN_CHARACTERS = frozenset("*?[]{}\\")
# Hadoop's globs take what comes before it for a scheme, and Spark reads the CSV through them.
_SCHEME_CHARACTER = ":"

logger = logging.getLogger(__name__)


class UnknownParameterError(ValueError):
    """A run was given a parameter that nothing reads."""


class CutParameterError(ValueError):
    """The command line gives a value of which only the beginning would arrive."""


class ParameterHooks:
    """Refuses a parameter of the command line that no configuration file knows, or that is cut off."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Compare the names given with those in the parameters files.

        Raises:
            UnknownParameterError: No file has the name.
            CutParameterError: YAML takes a part of a value for a comment.
        """
        cut = find_comment(sys.argv)
        if cut is not None:
            name, _, value = cut.partition("=")
            raise CutParameterError(
                f"Of the parameter {cut!r}, YAML takes what follows the # for a comment: put the value in "
                f"quotes, --params '{name}={quote_parameter(value)}'"
            )
        loader = context.config_loader
        given = set(_names(loader.runtime_params or {}))
        # A loader of its own, since this one merges what was given into what it knows.
        from kedro.framework.project import settings

        plain = type(loader)(conf_source=loader.conf_source, env=loader.env, **settings.CONFIG_LOADER_ARGS)
        known = set(_names(plain["parameters"]))
        for name in sorted(given - known):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
            raise UnknownParameterError(f"There is no parameter {name!r}: {hint}")


class StorageHooks:
    """Gives the S3 settings of `globals.yml` to Python; `spark.yml` gives the same to Spark."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read them before any dataset is made."""
        configure_s3(context.params["s3"])


class PlaceError(ValueError):
    """A run was given places that do not go together."""


class PlaceHooks:
    """Refuses a run whose output cannot go where it was told to."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Refuse to write among the images, or where Spark would take the path for something else."""
        images = _place(catalog["image_folder"])
        for name in sorted(pipeline.all_outputs()):
            path, place = _filepath(catalog[name]), _place(catalog[name])
            if path is None or place is None:
                continue
            # As Spark is given it: what links lead to does not matter to it.
            _, given = open_location(path)
            if _SCHEME_CHARACTER in given:
                raise PlaceError(
                    f"{name} would be written to {given}, and Hadoop takes what comes before the colon for a "
                    f"scheme: choose another output_path"
                )
            if set(given) & _PATTERN_CHARACTERS:
                raise PlaceError(
                    f"{name} would be written to {given}, and Spark takes "
                    f"{' '.join(sorted(_PATTERN_CHARACTERS))} for a pattern: choose another output_path"
                )
            if images is not None and f"{place}/".startswith(f"{images}/"):
                raise PlaceError(
                    f"{name} would be written to {place}, among the images of {images}, and be listed as one "
                    f"of them: choose an output_path and a models_path outside images_path"
                )


class DryRunHooks:
    """Says what a run would do, instead of doing it, if the parameter `dry_run` is true."""

    def __init__(self) -> None:
        self._dry_run = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the parameter."""
        self._dry_run = _flag(context, "dry_run")

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Run the pipeline `plan` in place of the one that was asked for, and end."""
        if not self._dry_run or run_params["pipeline_names"] == [_PLAN]:
            return
        logger.info("dry_run=true: nothing is written")
        session = KedroSession.create(
            run_params["project_path"], env=run_params["env"], runtime_params=run_params["runtime_params"]
        )
        session.run(pipeline_names=[_PLAN])
        raise SystemExit(0)


class LockHooks:
    """Holds the output's lock while a run writes."""

    def __init__(self) -> None:
        self._break_lock = False
        self._lock: OutputLock | None = None
        self._java_noted = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the parameter."""
        self._break_lock = _flag(context, "break_lock")

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Take the lock, unless the run keeps nothing.

        Raises:
            OutputLockedError: Another run holds it.
        """
        if all(_place(catalog[name]) is None for name in pipeline.all_outputs()):
            return
        lock: OutputLock = catalog["output_lock"].load()
        lock.acquire(run_params["run_id"], self._break_lock)
        self._lock, self._java_noted = lock, False
        # Ctrl-C is no Exception, so no hook hears of it.
        atexit.register(self._release)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _exit)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Name the run's Java in the lock before it can write anything: it may outlive this process."""
        if self._lock is not None and not self._java_noted and "spark" in node.tags:
            self._lock.add_process(java_process_id())
            self._java_noted = True

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Give the lock back."""
        self._release()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Give the lock back."""
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
            atexit.unregister(self._release)


class SparkHooks:
    """Starts the Spark session of `spark.yml` for a run that needs one, and stops it again.

    Java and the Python workers start beside the nodes that need no Spark; the first that does waits for Java.
    """

    def __init__(self) -> None:
        self._settings: Mapping[str, Any] = {}
        self._own: Future[SparkSession] | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the settings."""
        self._settings = context.config_loader["spark"]

    # Last, so that what refuses a run does so before anything is started.
    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Let the session start, unless no node needs it or a notebook has one, which is then used."""
        if (
            not any("spark" in node.tags for node in pipeline.nodes)
            or SparkSession.getActiveSession() is not None
        ):
            return
        starter = ThreadPoolExecutor(1, thread_name_prefix="spark")
        self._own = starter.submit(create_session, self._settings)
        starter.submit(lambda own: start_python_workers(own.result()), self._own)
        starter.shutdown(wait=False)
        # Ctrl-C is no Exception, so no hook hears of it.
        atexit.register(self._stop)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Wait for the session before a node that needs it loads anything.

        Raises:
            RuntimeError: There is no Java that Spark runs on.
        """
        if self._own is not None and "spark" in node.tags:
            self._own.result()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Stop the session."""
        self._stop()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Stop the session."""
        self._stop()

    def _stop(self) -> None:
        if self._own is not None:
            if self._own.exception() is None:
                self._own.result().stop()
            self._own = None
            atexit.unregister(self._stop)


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
        self._statistics.enter(_stage(node), node.name)

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Add the time up to each dataset that the node saves."""
        self._statistics.leave(_stage(node), node.name)


class ResultHooks:
    """Says where a run left its results."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Log the place of everything that the run wrote."""
        names: dict[str | None, str] = {}
        # A store has several names; the shortest is the one to load it by.
        for name in sorted(pipeline.all_outputs(), key=len, reverse=True):
            names[_place(catalog[name])] = name
        names.pop(None, None)
        for place, name in sorted(names.items(), key=lambda item: item[1]):
            logger.info("Written: %-25s %s", name, place)


def _exit(signal_number: int, frame: object) -> NoReturn:
    """End as Ctrl-C does, when a machine or a cluster is shut down: Spark stops, the lock is given back."""
    raise SystemExit(128 + signal_number)


def _flag(context: KedroContext, name: str) -> bool:
    value = context.params[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name}={value}: give true or false")
    return value


def _place(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Return where a dataset lies: an absolute path or `s3://bucket/...`, None if in memory."""
    path = _filepath(dataset)
    if path is None:
        return None
    _, place = open_location(path)
    return f"s3://{place}" if is_s3(path) else os.path.realpath(place)


def _filepath(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Return the path that a dataset was given; None if it is in memory."""
    description = dataset._describe()
    if "filepath" not in description:
        return None
    path = str(description["filepath"])
    return f"s3://{path}" if description.get("protocol") == "s3" else path


def _stage(node: Node) -> str:
    return next(iter(sorted(node.tags - {"spark"})), node.name)


def _names(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _names(value, f"{name}.")
        else:
            yield name
