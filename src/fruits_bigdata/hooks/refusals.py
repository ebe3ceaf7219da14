"""Hooks that refuse a run which cannot do what it was told."""

import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from fruits_bigdata.cli.command_line import find_comment, quote_parameter, refuse_references
from fruits_bigdata.datasets.delta_table_dataset import DeltaTableDataset
from fruits_bigdata.hooks.common import filepath_of, place_of
from fruits_bigdata.pipelines.parameters import check_parameters
from fruits_bigdata.storage.locations import url_to_fs

# Hadoop's globs (org.apache.hadoop.fs.FileSystem.globStatus).
_PATTERN_CHARACTERS = frozenset("*?[]{}\\")
# Hadoop's globs take what comes before it for a scheme, and Spark reads the CSV through them.
_SCHEME_CHARACTER = ":"
# The library that commits the tables reads the log of such a folder in another one, or not at all.
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f]")
# Mappings whose names are the user's.
_OPEN_MAPPINGS = ("allowed_regions.",)


class UnknownParameterError(ValueError):
    """A run was given a parameter that nothing reads."""


class CutParameterError(ValueError):
    """The command line gives a value of which only the beginning would arrive."""


class PlaceError(ValueError):
    """A run was given places that do not go together."""


class ParameterHooks:
    """Refuses parameters that nothing knows, that would not arrive whole or whose values are not allowed."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Compare the names given with those in the parameters files, then check every value.

        Raises:
            ParameterError: A value is not allowed.
            ReferenceInParameterError: A value holds a reference to another.
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
        # Before anything is read of the configuration, which would look the references up.
        refuse_references(loader.runtime_params or {})
        names = set(_names(loader.runtime_params or {}))
        # A loader of its own, since this one merges what was given into what it knows.
        from kedro.framework.project import settings

        plain = type(loader)(conf_source=loader.conf_source, env=loader.env, **settings.CONFIG_LOADER_ARGS)
        known_names = set(_names(plain["parameters"]))
        for name in sorted(name for name in names - known_names if not name.startswith(_OPEN_MAPPINGS)):
            close = difflib.get_close_matches(name, known_names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known_names))}"
            raise UnknownParameterError(f"There is no parameter {name!r}: {hint}")
        check_parameters(loader["parameters"])


class PlaceHooks:
    """Refuses a run whose output cannot go where it was told to."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Refuse to write among the images, or where Spark would take the path for something else."""
        images = place_of(catalog["image_folder"])
        for name in sorted(pipeline.all_outputs()):
            path, place = filepath_of(catalog[name]), place_of(catalog[name])
            if path is None or place is None:
                continue
            # As Spark is given it: what links lead to does not matter to it.
            _, location = url_to_fs(path)
            if _SCHEME_CHARACTER in location:
                raise PlaceError(
                    f"{name} would be written to {location}, and Hadoop takes what comes before the colon "
                    f"for a scheme: choose another output_path"
                )
            if set(location) & _PATTERN_CHARACTERS:
                raise PlaceError(
                    f"{name} would be written to {location}, and Spark takes "
                    f"{' '.join(sorted(_PATTERN_CHARACTERS))} for a pattern: choose another output_path"
                )
            if isinstance(catalog[name], DeltaTableDataset) and (escape := _ESCAPE.search(location)):
                raise PlaceError(
                    f"{name} would be written to {location!r}, and readers of Delta tables take "
                    f"{escape[0]!r} for another character: choose another output_path"
                )
            if images is not None and f"{place}/".startswith(f"{images}/"):
                raise PlaceError(
                    f"{name} would be written to {place}, among the images of {images}, and be listed as one "
                    f"of them: choose an output_path and a models_path outside images_path"
                )


def _names(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _names(value, f"{name}.")
        else:
            yield name
