"""Hooks for what a run needs: S3's settings, its name in the tables' logs, the Spark session."""

import atexit
import gc
import signal
import threading
from typing import Any, NoReturn

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from fruits_bigdata.spark.session import (
    SparkEnvironmentError,
    check_environment,
    configure,
    start_session,
    stop_session,
)
from fruits_bigdata.storage.locations import is_s3
from fruits_bigdata.storage.s3 import configure_s3
from fruits_bigdata.tables.delta import begin_run

_FEATURES = "features"
# What `compare_images` finds to do.
_WORK = "work"
# What Spark's own Java reads: only this needs its way to S3.
_READ_BY_SPARK = "images_binary"


class StorageHooks:
    """Gives the S3 settings of `globals.yml` to Python; `spark.yml` gives the same to Spark."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read them before any dataset is made."""
        configure_s3(context.params["s3"])


class SparkHooks:
    """Starts the Spark session of `spark.yml` when a run has work for it, and stops it again.

    Java and the Python workers start as soon as images are known to be featurized, beside the nodes that need
    no Spark. A run with nothing new needs none.
    """

    def __init__(self) -> None:
        self._settings: dict[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Hand over the settings, for a run and for a notebook, where Spark itself may read from S3."""
        self._settings = context.config_loader["spark"]
        on_s3 = is_s3(str(context.params["images_path"]))
        configure({**self._settings, **context.config_loader["s3a"]} if on_s3 else self._settings)

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Let commits carry the run's id, and let the session end with the process whatever ends it.

        Raises:
            ClickException: Spark would not start in this environment; shown without a traceback.
        """
        try:
            check_environment()
        except SparkEnvironmentError as error:
            raise click.ClickException(str(error)) from error
        begin_run(run_params["run_id"])
        if _READ_BY_SPARK not in pipeline.datasets():
            configure(self._settings)
        # This process shares its cores with Java and the workers, and OpenBLAS' threads spin while they wait
        # for each other: on two busy cores the PCA's equations took 21 s by two threads, and 0.5 s by one.
        threadpool_limits(1, user_api="blas")
        # Python ends sooner if it need not look through all that it has loaded.
        atexit.register(gc.freeze)
        # Ctrl-C is no Exception, so no hook hears of it.
        atexit.register(stop_session)
        if _FEATURES in pipeline.all_outputs() and not catalog[_FEATURES].exists():
            # Every image will be new.
            start_session()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _exit)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Start the session when there are images to featurize."""
        if dataset_name == _WORK and data.new.num_rows:
            start_session()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Stop the session."""
        stop_session()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Stop the session."""
        stop_session()


def _exit(signal_number: int, frame: object) -> NoReturn:
    """End as Ctrl-C does, when a machine or a cluster is shut down: Spark stops."""
    raise SystemExit(128 + signal_number)
