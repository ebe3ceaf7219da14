"""Hooks for what a run needs while it works: the settings of S3, the output's lock, the Spark session."""

import atexit
import logging
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pyspark.sql import SparkSession

from fruits_bigdata.hooks.common import flag, place_of
from fruits_bigdata.output_lock import OutputLock
from fruits_bigdata.spark_session import create_session, java_process_id, start_python_workers
from fruits_bigdata.storage import configure_s3, is_s3

_COMMITTER = "spark.hadoop.fs.s3a.committer.name"

logger = logging.getLogger(__name__)


class StorageHooks:
    """Gives the S3 settings of `globals.yml` to Python; `spark.yml` gives the same to Spark."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read them before any dataset is made."""
        configure_s3(context.params["s3"])


class LockHooks:
    """Holds the output's lock while a run writes."""

    def __init__(self) -> None:
        self._break_lock = False
        self._lock: OutputLock | None = None
        self._java_noted = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the parameter."""
        self._break_lock = flag(context, "break_lock")

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Take the lock, unless the run keeps nothing.

        Raises:
            OutputLockedError: Another run holds it.
        """
        if all(place_of(catalog[name]) is None for name in pipeline.all_outputs()):
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
        self._s3a: Mapping[str, Any] = {}
        self._own: Future[SparkSession] | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the settings."""
        self._settings = context.config_loader["spark"]
        self._s3a = context.config_loader["s3a"]

    # Last, so that what refuses a run does so before anything is started.
    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Let the session start, unless no node needs it or a notebook has one, which is then used."""
        if (
            not any("spark" in node.tags for node in pipeline.nodes)
            or SparkSession.getActiveSession() is not None
        ):
            return
        starter = ThreadPoolExecutor(1, thread_name_prefix="spark")
        self._own = starter.submit(self._start, _on_s3(pipeline, catalog))
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

    def _start(self, on_s3: bool) -> SparkSession:
        if not on_s3:
            return create_session(self._settings)
        packages = self._s3a.get("spark.jars.packages")
        if packages:
            logger.info("S3 for Spark: %s, fetched once", packages)
        session = create_session({**self._settings, **self._s3a})
        logger.info("Spark writes to S3 by S3A's committer %r", session.conf.get(_COMMITTER))
        return session

    def _stop(self) -> None:
        if self._own is not None:
            if self._own.exception() is None:
                self._own.result().stop()
            self._own = None
            atexit.unregister(self._stop)


def _on_s3(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> bool:
    places = (place_of(catalog[name]) for name in pipeline.datasets() if name in catalog)
    return any(place is not None and is_s3(place) for place in places)


def _exit(signal_number: int, frame: object) -> NoReturn:
    """End as Ctrl-C does, when a machine or a cluster is shut down: Spark stops, the lock is given back."""
    raise SystemExit(128 + signal_number)
