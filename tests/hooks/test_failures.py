import errno
import logging
from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Node
from py4j.protocol import Py4JNetworkError
from pyspark.errors import PythonException

from fruits_bigdata.hooks.failures import FailureHooks, explain, scratch_folder
from fruits_bigdata.storage.errors import StorageError


def wrapped(cause: BaseException) -> DatasetError:
    """An error as Kedro passes it on."""
    error = DatasetError("Failed while saving data to dataset x")
    error.__cause__ = cause
    return error


def said_by_spark(said: str) -> PythonException:
    return PythonException(said)


FULL = "Job aborted: java.io.IOException: No space left on device\n\tat "
TRACEBACK = """
An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "image_folder.py", line 91, in read
fruits_bigdata.storage.StorageError: S3 (AWS) failed while reading s3://b/1.jpg: SlowDown. Check the bucket

\tat org.apache.spark.api.python.BasePythonRunner
"""


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/models/a/weights.h5"),
            ["No space left on device: the disk of /models/a was full while saving x", "MB are free in"],
        ),
        (said_by_spark(FULL + "RawLocalFileSystem"), ["the disk of /out/x was full", "output_path"]),
        (said_by_spark(FULL + "DiskBlockObjectWriter"), ["the disk of /scratch was full", "spark.local.dir"]),
        (
            said_by_spark(f"OSError: [Errno {errno.ENOSPC}] No space left on device: '/out/y/.part.tmp'"),
            ["the disk of /out/y was full"],
        ),
        (OSError(errno.EDQUOT, "..."), ["Disk quota exceeded: the disk of /out/x"]),
        (OSError(errno.EROFS, "..."), ["Read-only file system: /out/x was not to be had while saving x"]),
        (PermissionError(errno.EACCES, "...", "/a/b"), ["Permission denied: /a was not to be had"]),
        (StorageError("no credentials"), ["no credentials"]),
        (
            said_by_spark(TRACEBACK),
            ["S3 (AWS) failed while reading s3://b/1.jpg: SlowDown. Check the bucket"],
        ),
        (
            said_by_spark(
                TRACEBACK.replace("storage.StorageError: S3", "vision.featurize.FeaturesNotFiniteError: S3")
            ),
            ["S3 (AWS) failed while reading"],
        ),
        (
            Py4JNetworkError("Answer from Java side is empty"),
            ["Java, which runs Spark, ended while saving x"],
        ),
        (ConnectionRefusedError(111, "refused"), ["Java, which runs Spark, ended"]),
        (said_by_spark("Python worker exited unexpectedly (crashed)"), ["Spark's workers ended", "memory"]),
    ],
)
def test_what_happened_where_and_the_way_out_are_said(error, parts):
    for one in (error, wrapped(error)):
        said = explain(one, "saving x", "/out/x", "/scratch")
        assert said is not None
        assert "\n" not in said
        for part in parts:
            assert part in said


@pytest.mark.parametrize(
    "error",
    [
        ValueError("limit=0"),
        # What is quoted is no failure of this run.
        ValueError("34 unreadable (such as 'a/1.jpg': [Errno 13] Permission denied)"),
        FileNotFoundError(errno.ENOENT, "No such file", "/a"),
    ],
)
def test_what_is_not_the_platforms_fault_is_left_alone(error):
    assert explain(wrapped(error), "saving x", "/out/x", "/scratch") is None


def test_an_error_that_leads_to_itself_ends():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert explain(one, "saving x", None, "/scratch") is None


def test_the_log_and_the_traceback_end_with_it(caplog, tmp_path):
    class Placed(MemoryDataset):
        def _describe(self) -> dict[str, object]:
            return {"filepath": str(tmp_path)}

    catalog = DataCatalog({"a": Placed(), "b": MemoryDataset()})
    node = Node(len, "a", "b", name="count")
    hooks = FailureHooks()
    steps = {
        f"loading a ({tmp_path})": lambda: hooks.before_dataset_loaded("a"),
        "running count": lambda: hooks.before_node_run(node),
        "saving b": lambda: hooks.before_dataset_saved("b"),
        # A generator goes on after each chunk.
        "running count;": lambda: hooks.after_dataset_saved(node),
    }
    for doing, step in steps.items():
        step()
        error = OSError(errno.ENOSPC, "No space left on device")
        with caplog.at_level(logging.ERROR):
            hooks.on_pipeline_error(error, catalog)
        (note,) = error.__notes__
        assert f"was full while {doing}" in note
        assert note in caplog.text
    plain = ValueError("limit=0")
    hooks.on_pipeline_error(plain, catalog)
    assert not hasattr(plain, "__notes__")


def test_sparks_scratch_folder_is_found(monkeypatch):
    monkeypatch.delenv("SPARK_LOCAL_DIRS", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert scratch_folder({"spark.local.dir": "/a,/b"}) == "/a"
    assert Path(scratch_folder({})).is_dir()
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "/c")
    assert scratch_folder({"spark.local.dir": "/a"}) == "/c"


def test_a_workers_own_words_are_found_in_what_java_says(spark):
    def fail(batches):  # type: ignore[no-untyped-def]
        from fruits_bigdata.storage.errors import StorageError

        raise StorageError("S3 (AWS) failed while reading s3://b/1.jpg: SlowDown. Check the bucket")

    with pytest.raises(Exception) as error:  # noqa: PT011
        spark.range(1).mapInArrow(fail, "id long").write.format("noop").mode("overwrite").save()
    said = explain(wrapped(error.value), "running featurize_images", None, "/scratch")
    assert said == "S3 (AWS) failed while reading s3://b/1.jpg: SlowDown. Check the bucket"
