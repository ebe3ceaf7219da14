"""Kedro's context of the project: nobody is given a catalog whose data lies where it may not."""

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.io import CatalogProtocol

from fruits_bigdata.privacy.encryption import check_encryption
from fruits_bigdata.privacy.residency import bucket_of, check_residency


class GuardedContext(KedroContext):
    """Checks residency before it makes a catalog: for `kedro run`, for `kedro viz` and for a notebook.

    No hook can do this: `kedro viz` shows previews, which read datasets, without calling any.
    """

    def _get_catalog(self, *args: Any, **kwargs: Any) -> CatalogProtocol[Any, Any]:
        """Return the catalog.

        Raises:
            ResidencyError: A bucket in it, the client or this machine is outside the allowed regions, or
                nobody can tell.
            EncryptionError: A bucket does not encrypt what is written.
        """
        params = self.params
        places = dict(_buckets(self.config_loader["catalog"]))
        check_residency(places, params["s3"], params["allowed_regions"], params["allowed_endpoints"])
        check_encryption(places, params["s3"])
        return super()._get_catalog(*args, **kwargs)


def _buckets(catalog: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield an address in each bucket that a catalog's configuration names, with a dataset of it."""
    buckets: set[str | None] = {None}
    for name, config in catalog.items():
        for text in _texts(config):
            bucket = bucket_of(text)
            if bucket not in buckets:
                buckets.add(bucket)
                yield name, text


def _texts(config: Any) -> Iterator[str]:
    if isinstance(config, str):
        yield config
    elif isinstance(config, Mapping):
        for value in config.values():
            yield from _texts(value)
    elif isinstance(config, list):
        for value in config:
            yield from _texts(value)
