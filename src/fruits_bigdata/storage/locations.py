"""Places: a local path or an S3 address, as each library names it."""

import os
from pathlib import Path

import fsspec
from fsspec import AbstractFileSystem

_S3_SCHEMES = ("s3://", "s3a://")


def is_s3(url: str) -> bool:
    """Tell whether `url` names a place on S3; `s3://` and `s3a://` mean the same."""
    return url.startswith(_S3_SCHEMES)


def url_to_fs(url: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of `url` and the path of `url` in it, without a slash at the end.

    Args:
        url: A local path, with `file:` or without, or an `s3://` or `s3a://` address.
    """
    if is_s3(url):
        return fsspec.filesystem("s3"), url.split("://", 1)[1].rstrip("/")
    if url.startswith("file:"):
        url = "/" + url.removeprefix("file:").lstrip("/")
    return fsspec.filesystem("file"), str(Path(url).absolute())


def expand_home(url: str | None) -> str | None:
    """Return `url` with a `~` at its beginning replaced by the home folder.

    The configuration calls it (`${home:...}`) before Kedro, to which `~/images` is a relative path.

    Raises:
        ValueError: YAML has read the path as something else than text.
    """
    if url is None:
        return None
    if not isinstance(url, str):
        raise ValueError(f"A path is given as {url!r}, which YAML takes for no text: put it in quotes")
    return os.path.expanduser(url)


def spark_location(url: str) -> str:
    """Return `url` as Hadoop's file systems name it: `s3a://...` or `file:/...`."""
    _, path = url_to_fs(url)
    return f"s3a://{path}" if is_s3(url) else f"file:{path}"
