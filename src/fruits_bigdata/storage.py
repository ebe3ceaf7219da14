"""Where files live: one way to reach a local folder and an S3 bucket, from Python and from Spark."""

import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import fsspec
from fsspec import AbstractFileSystem

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

_ASK_AGAIN_AFTER = timedelta(minutes=5)
_S3_SCHEMES = ("s3://", "s3a://")


def is_s3(url: str) -> bool:
    """Tell whether `url` names a place on S3; `s3://` and `s3a://` mean the same."""
    return url.startswith(_S3_SCHEMES)


def configure_s3(settings: Mapping[str, Any]) -> None:
    """Make every S3 file system that this process opens from now on use `settings`.

    Args:
        settings: `endpoint_url` (None for AWS itself), `region` and `path_style`, as in
            `conf/<env>/globals.yml`.
    """
    # A cached listing would hide what Spark, another process, writes.
    options: dict[str, Any] = {"use_listings_cache": False}
    if settings.get("endpoint_url"):
        options["endpoint_url"] = settings["endpoint_url"]
    if settings.get("region"):
        options["client_kwargs"] = {"region_name": settings["region"]}
    if settings.get("path_style"):
        options["config_kwargs"] = {"s3": {"addressing_style": "path"}}
    fsspec.config.conf["s3"] = options


def open_location(url: str) -> tuple[AbstractFileSystem, str]:
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
    _, path = open_location(url)
    return f"s3a://{path}" if is_s3(url) else f"file:{path}"


def open_bucket(name: str, options: Mapping[str, Any]) -> "S3Store":
    """Return a bucket for many small reads: obstore takes a tenth of s3fs' time, and one request, for each.

    Args:
        name: The bucket.
        options: What `configure_s3` has given to fsspec.

    Raises:
        RuntimeError: AWS' default chain (environment, profile, instance role) has no credentials.
    """
    # Imported here, so that only what reads from S3 waits for them.
    import botocore.session
    from obstore.store import S3Store

    credentials = botocore.session.Session().get_credentials()
    if credentials is None:
        raise RuntimeError(
            f"There are no AWS credentials to read s3://{name}: set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY, or give the machine a role"
        )

    def current() -> "S3Credential":
        # botocore renews those that end, such as a role's, when it is asked for them.
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _ASK_AGAIN_AFTER,
        }

    endpoint = options.get("endpoint_url")
    given = {"endpoint": endpoint, "region": options.get("client_kwargs", {}).get("region_name")}
    path_style = options.get("config_kwargs", {}).get("s3", {}).get("addressing_style") == "path"
    return S3Store(
        name,
        credential_provider=current,
        client_options={"allow_http": str(endpoint).startswith("http://")},
        # obstore puts the bucket's name before AWS' own address only, and no certificate has one with a dot.
        virtual_hosted_style_request=not (path_style or endpoint or "." in name),
        **{key: value for key, value in given.items() if value},
    )


@contextmanager
def whole_file(url: str) -> Iterator[IO[bytes]]:
    """Open `url` for writing such that a reader sees the whole new file or none of it.

    A local file is written under a temporary name and renamed; an S3 object appears when its upload is
    complete. If the block raises, what was there before stays.
    """
    fs, path = open_location(url)
    if is_s3(url):
        with tempfile.NamedTemporaryFile() as file:
            yield file
            file.flush()
            fs.put_file(file.name, path)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
