"""What the platform did to a run that failed, in one sentence: what, where, and the way out."""

import errno
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from fruits_bigdata.storage.errors import StorageError, is_s3_failure
from fruits_bigdata.storage.locations import is_s3

_AGAIN = "then start the run again: it goes on where it was"

# Java says it in the system's words, in English, whatever the locale of Python is.
_FULL = {errno.ENOSPC: "No space left on device", errno.EDQUOT: "Disk quota exceeded"}
_NOT_WRITABLE = {errno.EROFS: "Read-only file system", errno.EACCES: "Permission denied"}
# Classes of Spark that write shuffled, spilled and broadcast data, in a Java trace, and its folders.
_SCRATCH = re.compile(r"/blockmgr-|/spark-[0-9a-f-]{36}|DiskBlockObjectWriter|DiskStore|Spill|ShuffleWriter")
# A worker's exception reaches the driver as text; its own traceback ends with this line.
_SAID_BY_A_WORKER = re.compile(r"^(?:\w+\.)*(?:StorageError|FeaturesNotFiniteError): (.+)$", re.MULTILINE)
# What its traceback says of an OSError that has a number and names a file.
_SAID_OF_A_FILE = re.compile(r"\[Errno (\d+)\] [^\n]*?: '([^'\n]+)'")
_JAVA_IS_GONE = ("Answer from Java side is empty", "Py4JNetworkError", "ConnectionRefusedError")
_WORKER_IS_GONE = ("Python worker exited unexpectedly", "ExecutorLostFailure")

logger = logging.getLogger(__name__)


class FailureHooks:
    """Says why a run failed if the platform made it fail, in the log and below the traceback."""

    def __init__(self) -> None:
        self._spark: Mapping[str, Any] = {}
        self._doing = ""
        self._dataset: str | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the settings of Spark."""
        self._spark = context.config_loader["spark"]

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str) -> None:
        """Note what the run is doing."""
        self._doing, self._dataset = f"loading {dataset_name}", dataset_name

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note what the run is doing."""
        self._doing, self._dataset = f"running {node.name}", None

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Note what the run is doing."""
        self._doing, self._dataset = f"saving {dataset_name}", dataset_name

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Note that a generator node goes on."""
        self.before_node_run(node)

    @hook_impl
    def on_pipeline_error(self, error: Exception, catalog: CatalogProtocol[Any, Any]) -> None:
        """Say it: Python shows an exception's notes last, below all that Java has to say."""
        place = None
        if self._dataset is not None:
            place = catalog[self._dataset]._describe().get("filepath")
        doing = f"{self._doing} ({place})" if place else self._doing
        sentence = explain(error, doing, None if place is None else str(place), scratch_folder(self._spark))
        if sentence is not None:
            logger.error("%s", sentence)
            error.add_note(sentence)


def scratch_folder(settings: Mapping[str, Any]) -> str:
    """Return the folder where Spark keeps what it shuffles, spills and broadcasts on this machine."""
    folders = os.environ.get("SPARK_LOCAL_DIRS") or settings.get("spark.local.dir") or tempfile.gettempdir()
    return str(folders).split(",")[0]


def explain(error: BaseException, doing: str, place: str | None, scratch: str) -> str | None:
    """Return what the platform did to a run and the way out; None if it was not the platform's fault.

    Args:
        error: What ended the run.
        doing: What the run was doing.
        place: Where the dataset lies that it was loading or saving, if it was.
        scratch: Where Spark keeps what it shuffles, spills and broadcasts.
    """
    errors = list(_chain(error))
    # What others quote, such as the reason of a rejected image, is no failure.
    text = "\n".join(str(one) for one in errors if type(one).__module__.startswith(("py4j", "pyspark")))
    reason = _reason(errors, text, _FULL)
    if reason is not None:
        where = _folder(errors, text, _FULL)
        if where is None:
            where = scratch if place is None or is_s3(place) or _SCRATCH.search(text) else place
        return (
            f"{reason}: the disk of {where} was full while {doing}; {_free(where, scratch)}. Make space "
            f"there, or choose another place (output_path; spark.local.dir for what Spark moves), {_AGAIN}"
        )
    reason = _reason(errors, text, _NOT_WRITABLE)
    if reason is not None and not any(map(is_s3_failure, errors)):
        where = _folder(errors, text, _NOT_WRITABLE) or place or scratch
        return (
            f"{reason}: {where} was not to be had while {doing}. Let this user have it, or choose another "
            f"place, {_AGAIN}"
        )
    message = next((str(one) for one in errors if isinstance(one, StorageError)), None)
    worker_said = _SAID_BY_A_WORKER.search(text)
    if message is None and worker_said is not None:
        message = worker_said[1]
    if message is not None:
        return message
    failure = next((one for one in errors if is_s3_failure(one)), None)
    if failure is not None:
        return str(StorageError.of_s3(doing, failure, fsspec.config.conf.get("s3", {})))
    if any(words in f"{text} {type(one).__name__}" for words in _JAVA_IS_GONE for one in errors):
        return (
            f"Java, which runs Spark, ended while {doing}: see whether the machine has memory left, {_AGAIN}"
        )
    if any(words in text for words in _WORKER_IS_GONE):
        return (
            f"Spark's workers ended several times while {doing}, as they do when the machine has no memory "
            f"left: give it more, or fewer tasks at once (spark.master), {_AGAIN}"
        )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what led to it, the last first."""
    ids: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in ids:
        ids.add(id(following))
        yield following
        context = None if following.__suppress_context__ else following.__context__
        following = following.__cause__ or context


def _reason(errors: list[BaseException], text: str, words: Mapping[int, str]) -> str | None:
    numbers = {one.errno for one in errors if isinstance(one, OSError)}
    return next((word for number, word in words.items() if number in numbers or word in text), None)


def _folder(errors: list[BaseException], text: str, words: Mapping[int, str]) -> str | None:
    """Return the folder of the file that an error names, of this process or of a worker."""
    files = [(one.errno, one.filename) for one in errors if isinstance(one, OSError)]
    files += [(int(number), file) for number, file in _SAID_OF_A_FILE.findall(text)]
    return next(
        (
            os.path.dirname(os.path.abspath(file))
            for number, file in files
            if number in words and isinstance(file, str)
        ),
        None,
    )


def _free(*folders: str) -> str:
    """Return what is free now on the disks of these folders, or of what there is of them."""
    free = {}
    for folder in folders:
        there = next(path for path in (Path(folder), *Path(folder).absolute().parents) if path.exists())
        free[folder] = f"now {shutil.disk_usage(there).free / 1e6:,.0f} MB are free in {folder}"
    return ", ".join(free.values())
