"""An erasure from its beginning to its proof."""

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession

from fruits_bigdata.erasure.objects import remove_folder, remove_objects, remove_old_versions
from fruits_bigdata.erasure.request import ErasureError, Request
from fruits_bigdata.erasure.traces import Trace, count_others, find_traces
from fruits_bigdata.image_folder import ENDINGS, ImageFolder
from fruits_bigdata.output_lock import OutputLock
from fruits_bigdata.schemas import PATH
from fruits_bigdata.storage import is_s3

# Of the output's folders, those whose rows were computed; all others are made from them and the images.
_STORES = ("features", "rejected")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Erasure:
    """What an erasure did.

    Attributes:
        images: Where the images were that it removed.
        rows: Rows of tables that were of such images before.
        versions: Older versions of outputs that it removed from a bucket.
    """

    images: list[str]
    rows: int
    versions: int


def erase(
    project: Path, request: Request, env: str | None = None, params: Mapping[str, Any] | None = None
) -> Erasure:
    """Erase images, every row and picture of them, and their part in the PCA; then look for what is left.

    The images go first, with all their versions; then, under the output's lock, all that is made from them
    but the stores. The pipeline `compaction` rids the stores of their rows, and a whole run makes the rest
    anew: its PCA is fitted to what is left, since with the model before, which is removed, two means would
    tell the features of the one image between them. In the end the outputs' older versions go, and every file
    of the outputs is searched. What died half-way is started again.

    Args:
        project: The project's folder; `bootstrap_project` has been called with it.
        request: Whose images.
        env: Kedro's environment.
        params: As `kedro run --params` has them.

    Raises:
        ErasureError: There is nothing of the sort, an image cannot be removed, or something is left.
        OutputLockedError: A run is writing to the output.
    """
    given = dict(params or {})
    with KedroSession.create(project, env=env, runtime_params=given) as session:
        context = session.load_context()  # type: ignore[attr-defined]
        folder: ImageFolder = context.catalog["image_folder"].load()
        places = outputs(context)
        before = _traces(places, request, folder)
        stays = any(not request.matches(path) for path in _listed(folder))
        if not stays:
            _check_that_all_go(places, request, folder)
        lock: OutputLock = context.catalog["output_lock"].load()
        lock.acquire(f"erasure of {datetime.now(UTC).isoformat(timespec='seconds')}")
        try:
            images = _remove_images(folder, request)
            if images or before:
                for name, place in places.items():
                    if name not in _STORES or not stays:
                        remove_folder(place)
        finally:
            lock.release()
    # Without their names, which a log would keep.
    logger.info("Removed %s images", f"{len(images):,}")
    failure = None
    if (images or before) and stays:
        failure = _make_anew(project, env, given)
    versions = sum(remove_old_versions(place) for place in places.values())
    left = _what_is_left(places, request, folder)
    if left or failure is not None:
        failed = f"The run that makes the outputs anew failed: {failure}. " if failure is not None else ""
        raise ErasureError(
            f"{failed}{left}: start the erasure again"
            if left
            else f"{failed}Nothing of these images is left: mend that, and start `kedro run`"
        ) from failure
    if not images and not before and not versions:
        raise ErasureError(
            f"There is nothing of {_named(request)} in the images or the outputs: check the spelling, "
            f"which is that of the column path"
        )
    rows = sum(trace.rows for trace in before)
    return Erasure(images, rows, versions)


def outputs(context: KedroContext) -> dict[str, str]:
    """Return where each output of the project lies, by the name of its folder in `globals.yml`."""
    folders, root = context.config_loader["globals"]["folders"], context.params["output_path"]
    return {name: f"{os.path.expanduser(root).rstrip('/')}/{folder}" for name, folder in folders.items()}


def preview(
    project: Path, request: Request, env: str | None = None, params: Mapping[str, Any] | None = None
) -> tuple[list[str], list[Trace]]:
    """Return the listed images that an erasure would remove, and the files that tell of them.

    The arguments are those of `erase`; nothing is removed.
    """
    with KedroSession.create(project, env=env, runtime_params=dict(params or {})) as session:
        context = session.load_context()  # type: ignore[attr-defined]
        folder: ImageFolder = context.catalog["image_folder"].load()
        images = [path for path in _listed(folder) if request.matches(path)]
        return images, _traces(outputs(context), request, folder)


def _remove_images(folder: ImageFolder, request: Request) -> list[str]:
    if is_s3(folder.url):
        return _remove_from_bucket(folder, request)
    doomed = [path for path in _listed(folder) if request.matches(path)]
    files = [folder.location(path) for path in doomed]
    for file in files:
        if os.path.islink(file):
            raise ErasureError(
                f"{file} is a link, and the image itself is {os.path.realpath(file)}: remove both by hand, "
                f"then start the erasure again for what was made of them"
            )
    for file in files:
        os.remove(file)
    return files


def _remove_from_bucket(folder: ImageFolder, request: Request) -> list[str]:
    bucket, _, root = folder.location("").partition("/")
    removed = []

    def wanted(key: str) -> bool:
        path = key.removeprefix(root)
        return path.lower().endswith(ENDINGS) and request.matches(path)

    # Not by the listing: an image that was deleted before may have older versions.
    for name in request.names:
        removed += remove_objects(bucket, f"{root}{name}", wanted)
    return [f"s3://{bucket}/{key}" for key in removed]


def _listed(folder: ImageFolder) -> Iterator[str]:
    for batch in folder.list_batches():
        yield from batch.column(PATH).to_pylist()


def _make_anew(project: Path, env: str | None, params: dict[str, Any]) -> Exception | None:
    """Run the compaction and then everything; return what failed."""
    # How many images of the folder are broken is not this run's concern.
    params = params | {"max_rejected_share": 1.0}
    try:
        for pipeline in ("compaction", "__default__"):
            with KedroSession.create(project, env=env, runtime_params=params) as session:
                session.run(pipeline_names=[pipeline])  # type: ignore[call-arg]
    except Exception as error:
        return error
    return None


def _check_that_all_go(places: Mapping[str, str], request: Request, folder: ImageFolder) -> None:
    """Raise ErasureError if stores hold rows of other images, though no other is listed.

    As in a compaction: with a wrong images folder, everything would go.
    """
    others = sum(count_others(places[name], request) for name in _STORES)
    if others:
        raise ErasureError(
            f"{folder.url} holds no other image, and {others:,} stored rows are of others, so nothing would "
            f"be left: is images_path the right folder? If it is, remove the whole output"
        )


def _what_is_left(places: Mapping[str, str], request: Request, folder: ImageFolder) -> str:
    """Say what images are listed, or which files of the outputs tell of one; nothing if there are none."""
    listed = [path for path in _listed(folder) if request.matches(path)]
    if listed:
        return f"{len(listed):,} of these images are still there, such as {listed[0]!r}"
    traces = _traces(places, request, folder)
    return f"{len(traces):,} files still tell of these images, such as {traces[0]}" if traces else ""


def _traces(places: Mapping[str, str], request: Request, folder: ImageFolder) -> list[Trace]:
    staying = (path for path in _listed(folder) if not request.matches(path))
    return find_traces(places.values(), request, staying)


def _named(request: Request) -> str:
    names = request.names
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"{names[0]!r}{more}"
