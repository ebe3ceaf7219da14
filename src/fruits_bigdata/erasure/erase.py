"""An erasure from its beginning to its proof."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DatasetError, MemoryDataset
from kedro.io.core import generate_timestamp
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from fruits_bigdata.erasure.objects import Stored, find_history, find_objects, remove_objects
from fruits_bigdata.erasure.request import ErasureError, Request
from fruits_bigdata.erasure.traces import Trace, files_at, find_traces
from fruits_bigdata.images.folder import ENDINGS, ImageFolder
from fruits_bigdata.spark.session import map_parts, stop_session
from fruits_bigdata.storage.errors import in_short
from fruits_bigdata.storage.locations import is_s3
from fruits_bigdata.tables.comparison import compare, rows_by_file
from fruits_bigdata.tables.delta import Change, Table, begin_run
from fruits_bigdata.tables.rewriting import rewrite
from fruits_bigdata.tables.schemas import IMAGES_SCHEMA, PATH

# The listing comes last: as long as it names an image, an erasure that was cut off can be started again.
_LISTING = "images"
_TABLES = ("pca", "rejected", "features", _LISTING)
# What holds an image's part in sums, or its name, and is made anew from the tables.
_DERIVED = ("pca_model", "pca_models", "pca_csv", "report")
_STATISTICS = "featurization_statistics"
# What was set for the user's runs decides nothing here.
_PARAMETERS = {
    "dry_run": False,
    "limit": None,
    "retry_rejected": False,
    "max_rejected_share": 1.0,
    "repair": False,
}
_PCA_PARAMETERS = {"refit": "always", "refit_tolerance": 0.01}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Findings:
    """What there is of the images of a request.

    Attributes:
        request: The request.
        photographs: By path in the images folder what S3 keeps of each; nothing of one on disk.
        traces: The files of the project that tell of them.
    """

    request: Request
    photographs: Mapping[str, list[Stored]]
    traces: list[Trace]

    @cached_property
    def places(self) -> dict[str, list[str]]:
        """What holds or names such images, by path or prefix of the request."""
        places: dict[str, list[str]] = {}
        for path in self.photographs:
            for name in self.request.matching(path):
                places.setdefault(name, []).append(f"the photograph {path}")
        for trace in self.traces:
            for name in trace.names:
                places.setdefault(name, []).append(str(trace))
        return places


@dataclass(frozen=True)
class Erasure:
    """What became of a request.

    Attributes:
        before: What there was.
        after: What is left.
        failures: What else went wrong, in sentences.
        is_empty: No image is left in the tables, so there is no PCA and no report.
    """

    before: Findings
    after: Findings
    failures: list[str] = field(default_factory=list)
    is_empty: bool = False

    @property
    def answers(self) -> dict[str, str]:
        """What became of each path and prefix of the request."""
        answers = dict.fromkeys(self.before.request.names, "not found")
        answers |= dict.fromkeys(self.before.places, "erased")
        return answers | {name: f"still in {', '.join(left)}" for name, left in self.after.places.items()}

    @property
    def is_complete(self) -> bool:
        """Whether everything that was named was there and is erased."""
        return not self.failures and set(self.answers.values()) == {"erased"}


def erase(
    project: Path, request: Request, env: str | None = None, params: Mapping[str, Any] | None = None
) -> Erasure:
    """Erase images, every row and picture of them, and their part in the PCA; then look for what is left.

    The models, the CSV and the report go first, then the photographs with all their versions, then the rows.
    The PCA is fitted anew to what is left: with the model before, two means would tell the features of the
    one image between them. In the end the outputs' older versions go, and every file is searched. What was
    cut off is started again.

    Args:
        project: The project's folder; `bootstrap_project` has been called with it.
        request: Whose images.
        env: Kedro's environment.
        params: As `kedro run --params` has them.

    Raises:
        ErasureError: A photograph cannot be removed, or nobody can tell whether it is there.
        DatasetError: A table is damaged, so nobody can tell what it holds.
    """
    with _opened(project, env, params) as output:
        before = output.find(request)
        if not before.places:
            return Erasure(before, before)
        changes = output.changes(request)
        output.remove_derived(before.traces)
        output.remove_photographs(before.photographs)
        failures = []
        try:
            failures += output.commit(changes)
        except Exception as error:
            logger.debug("The erasure came to no end", exc_info=True)
            failures.append(f"{in_short(error)}. Start the erasure again")
        failures += output.remove_history()
        return Erasure(before, output.find(request), failures, output.is_empty)


def preview(
    project: Path, request: Request, env: str | None = None, params: Mapping[str, Any] | None = None
) -> Findings:
    """Return what `erase`, whose arguments these are, would find; nothing is removed."""
    with _opened(project, env, params) as output:
        return output.find(request)


def outputs(context: KedroContext) -> dict[str, str]:
    """Return where each output of the project lies, by the name of its folder in `globals.yml`."""
    folders, root = context.config_loader["globals"]["folders"], context.params["output_path"]
    return {name: f"{os.path.expanduser(root).rstrip('/')}/{folder}" for name, folder in folders.items()}


@contextmanager
def _opened(project: Path, env: str | None, params: Mapping[str, Any] | None) -> Iterator["_Output"]:
    params = dict(params or {})
    used = params | _PARAMETERS | {"pca": params.get("pca", {}) | _PCA_PARAMETERS}
    with KedroSession.create(project, env=env, runtime_params=used) as session:
        try:
            yield _Output(session.load_context(), project, env, params)  # type: ignore[attr-defined]
        finally:
            stop_session()


class _Output:
    """The images of a project, and all that is made of them."""

    def __init__(self, context: KedroContext, project: Path, env: str | None, params: dict[str, Any]) -> None:
        self._catalog = context.catalog
        self._run = f"erasure {generate_timestamp()}"
        begin_run(self._run)
        self._catalog["run_statistics"].load().start(self._run, env or "local", params)
        self._places = outputs(context)
        self._viz = str(project / ".viz")
        self._models = os.path.expanduser(context.params["models_path"])
        self.is_empty = False
        url = self._catalog["image_folder"]._describe()["filepath"]
        # On S3 a folder without an object is none, and after an erasure there may be none.
        self._folder = ImageFolder(url) if is_s3(url) else self._catalog["image_folder"].load()
        listed = Table(self._places[_LISTING], IMAGES_SCHEMA).metadata.get("images_path", url)
        if listed != url:
            raise ErasureError(
                f"{context.params['output_path']} is made of the images in {listed}, and images_path is "
                f"{url}: give the images_path and the output_path of one run"
            )

    def find(self, request: Request) -> Findings:
        """Return what there is of the images of a request.

        Raises:
            ErasureError: A folder that may hold some cannot be listed, or one is a link.
        """
        photographs = self._objects(request) if is_s3(self._folder.url) else self._files(request)
        traces = find_traces([*self._places.values(), self._models, self._viz], request)
        return Findings(request, photographs, traces)

    def _files(self, request: Request) -> dict[str, list[Stored]]:
        unlisted: list[str] = []
        photographs: dict[str, list[Stored]] = {}
        for batch in self._folder.list_batches(unlisted):
            paths = pa.chunked_array([batch.column(PATH)])
            photographs |= {path: [] for path in paths.filter(pa.array(request.mask(paths))).to_pylist()}
        for folder in unlisted:
            for name in request.below(folder):
                raise ErasureError(
                    f"The folder {folder} in {self._folder.url} cannot be listed, and may hold {name}: let "
                    f"this user read it, then start the erasure again"
                )
        for file in map(self._folder.location, photographs):
            if os.path.islink(file):
                raise ErasureError(
                    f"{file} is a link, and the image itself is {os.path.realpath(file)}: remove both by "
                    f"hand, then start the erasure again for what was made of them"
                )
        return photographs

    def _objects(self, request: Request) -> dict[str, list[Stored]]:
        bucket, _, root = self._folder.location("").partition("/")
        photographs: dict[str, list[Stored]] = {}

        def wanted(key: str) -> bool:
            path = key.removeprefix(root)
            return path.lower().endswith(ENDINGS) and bool(request.matching(path))

        # Not by a listing: an image that was deleted before may have older versions.
        for name in request.names:
            for entry in find_objects(bucket, f"{root}{name}", wanted):
                photographs.setdefault(entry["Key"].removeprefix(root), []).append(entry)
        return photographs

    def changes(self, request: Request) -> dict[str, Change]:
        """Write what replaces the data files that hold rows of a request; no log names it yet.

        Each table gets a change, also one that loses no row: after its commit, no run that read the table
        before can commit what it has made of these images.
        """
        changes = {}
        for name in _TABLES:
            table: Table = self._catalog[name].load()
            if table.version is None:
                continue
            mask = request.mask(table.read([PATH]).column(PATH))
            # All scores, which are made anew: with those of the others on the axes before, and their
            # features, the part of the erased images in these axes could be told.
            stale = rows_by_file(list(table.files.values()), mask | (name == "pca"))
            changes[name] = Change(table, *rewrite(table, stale, map_parts), metadata={"erasure": self._run})
        return changes

    def remove_derived(self, traces: Iterable[Trace] = ()) -> None:
        """Remove what is made of the tables, but how fast the last run was, which no other run can tell.

        Args:
            traces: Of these also what kedro viz keeps.
        """
        kept = None
        # There may be none, or a damaged one.
        with suppress(DatasetError):
            # They name images that were rejected.
            statistics = {**self._catalog[_STATISTICS].load(), "rejections": []}
            kept = None if self.is_empty else f"/{_STATISTICS}.json"
            self._catalog[_STATISTICS].save(statistics)
        for name in _DERIVED:
            for file in files_at(self._places[name]):
                if file.below != kept:
                    file.fs.rm_file(file.path)
        for trace in traces:
            if trace.url.startswith(f"{self._viz}/"):
                os.remove(trace.url)

    def remove_photographs(self, photographs: Mapping[str, list[Stored]]) -> None:
        """Remove images: files on disk, on S3 every version.

        Raises:
            ErasureError: S3 refuses it.
        """
        bucket = self._folder.location("").partition("/")[0]
        for path, entries in photographs.items():
            if is_s3(self._folder.url):
                remove_objects(bucket, entries)
            else:
                os.remove(self._folder.location(path))
        # Without their names, which a log would keep.
        logger.info("Removed %s photographs", f"{len(photographs):,}")

    def commit(self, changes: Mapping[str, Change]) -> list[str]:
        """Commit changes to the tables, and make what is derived anew before that to the listing.

        Returns:
            Why it cannot be made anew, if it cannot.

        Raises:
            ConcurrentRunError: Another run has committed to a table since the change was made.
        """
        failures = []
        for name in [name for name in changes if name != _LISTING]:
            changes[name].table.commit(changes[name])
        listing: Table = self._catalog[_LISTING].load()
        if change := changes.get(_LISTING):
            # As it will be.
            files = [*listing.files.values(), *change.added]
            listing.files = {file.name: file for file in files if file.name not in change.removed}
        features, rejected = self._catalog["features"].load(), self._catalog["rejected"].load()
        self.is_empty = bool(changes) and not features.rows
        if self.is_empty:
            self.remove_derived()
        elif features.version is not None:
            try:
                self._make_anew(listing, features, rejected)
            except Exception as error:
                logger.debug("The outputs cannot be made anew", exc_info=True)
                failures.append(
                    f"The PCA, the CSV and the report cannot be made anew: {in_short(error)}. Mend that, "
                    f"then start `kedro run`"
                )
        if change:
            change.table.commit(change)
        return failures

    def _make_anew(self, listing: Table, features: Table, rejected: Table) -> None:
        """Run the pipelines after the featurization, without the hooks of a run."""
        counts = compare(listing.read(), features, rejected)[1]
        self._catalog["comparison"].save({**counts, "postponed": counts["new"] + counts["changed"]})
        self._catalog["listing"] = MemoryDataset(listing, copy_mode="assign")
        # A run that was cut off before its end has no report.
        names = ["pca", "export", *(["reporting"] if self._catalog[_STATISTICS].exists() else [])]
        whole = sum((pipelines[name] for name in names), Pipeline([]))
        SequentialRunner().run(Pipeline(whole, inputs={_LISTING: "listing"}), self._catalog)

    def remove_history(self) -> list[str]:
        """Remove older versions and unfinished uploads of the outputs, and say which are still there."""
        left = []
        for place in self._places.values():
            bucket = place.split("://")[-1].partition("/")[0]
            remove_objects(bucket, find_history(place))
            left += [f"s3://{bucket}/{entry['Key']}" for entry in find_history(place)]
        return [f"S3 still keeps older versions, as of {left[0]}. Start the erasure again"] if left else []
