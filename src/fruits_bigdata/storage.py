"""Where files live: one way to reach a local folder and an S3 bucket, from Python and from Spark."""

import os
import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

import fsspec
from fsspec import AbstractFileSystem

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

# The variables that delta-rs takes for a session's token, in small letters.
_TOKENS = {"aws_session_token", "aws_token", "session_token", "token"}

_ASK_AGAIN_AFTER = timedelta(minutes=5)
_S3_SCHEMES = ("s3://", "s3a://")

# An object that keeps arriving may take long: this is enough for the largest image on a slow line.
_WHOLE_ANSWER = timedelta(minutes=10)
# "Amazon S3 endpoints and quotas", AWS General Reference.
_AWS_ENDPOINT = "https://s3.{}.amazonaws.com"
# As AWS' own clients have them; conf/base/globals.yml says what they mean.
_TIMEOUT_SECONDS, _ATTEMPTS = 15, 5


# As Hadoop's S3A documents fs.s3a.encryption.algorithm.
_KMS = "aws:kms"
_S3A_ENCRYPTIONS = {None: None, "AES256": "AES256", _KMS: "SSE-KMS"}

# Whose exceptions, other than OSErrors, tell of S3 or of the way to it.
_S3_CLIENTS = ("obstore", "botocore", "aiobotocore", "aiohttp")
# What botocore's exceptions say of an object that is not there.
_NOT_THERE = ("NoSuchKey", "404")
_S3_ERROR = re.compile(
    r"(?:<\?xml[^>]*>)?\s*<Error><Code>(\w+)</Code>\s*<Message>([^<]*)</Message>.*</Error>"
)
_MAX_LENGTH = 500


class StorageError(RuntimeError):
    """A storage failed, in a way that says nothing about the object that was asked for."""

    @classmethod
    def of_s3(cls, doing: str, error: BaseException, options: Mapping[str, Any]) -> "StorageError":
        """Return the error of a run to which S3 did not answer as it should.

        Args:
            doing: What was being done, and where: "reading s3://bucket/Test/a.jpg".
            error: What S3's client raised.
            options: What `configure_s3` has given to fsspec.
        """
        endpoint = options.get("endpoint_url") or "AWS"
        return cls(
            f"S3 ({endpoint}) failed while {doing}: {in_short(error)}. Check the bucket, the network and the "
            f"credentials, then start the run again: it goes on where it was"
        )


def in_short(error: BaseException) -> str:
    """Return what an exception says as one line of at most 500 characters, without its debugging output."""
    # delta-rs colours its messages, and draws arrows from one to the next.
    plain = re.sub("\x1b\\[[0-9;]*m|\u21b3", "", str(error))
    said = " ".join(plain.partition("\n\nDebug source")[0].split()) or type(error).__name__
    said = _S3_ERROR.sub(r"\1: \2", said)
    return (said if len(said) <= _MAX_LENGTH else f"{said[:_MAX_LENGTH]} ...").rstrip(".")


def is_s3_failure(error: BaseException) -> bool:
    """Tell whether S3 or the way to it failed, rather than that one object is not there or not to be had."""
    if isinstance(error, FileNotFoundError):
        # Of s3fs' error, the cause knows S3's own word.
        return "NoSuchBucket" in f"{error} {error.__cause__}"
    if any(f"({code}) when" in str(error) for code in _NOT_THERE):
        return False
    # s3fs raises an OSError for what its client has raised.
    told_by = [error, error.__cause__] if isinstance(error, OSError) else [error]
    return any(type(one).__module__.partition(".")[0] in _S3_CLIENTS for one in told_by)


def is_storage_failure(error: BaseException) -> bool:
    """Tell whether a disk or S3 failed, rather than the program."""
    return isinstance(error, OSError) or is_s3_failure(error)


def is_s3(url: str) -> bool:
    """Tell whether `url` names a place on S3; `s3://` and `s3a://` mean the same."""
    return url.startswith(_S3_SCHEMES)


def configure_s3(settings: Mapping[str, Any]) -> None:
    """Make every S3 file system that this process opens from now on use `settings`.

    Args:
        settings: `endpoint_url` (None for AWS itself), `region`, `path_style`, `timeout_seconds` and
            `attempts`, `encryption` and `kms_key`, as in `conf/<env>/globals.yml`.

    Raises:
        ValueError: There is no such encryption, or it has no key.
    """
    region, seconds = settings["region"], settings.get("timeout_seconds", _TIMEOUT_SECONDS)
    options: dict[str, Any] = {
        # A cached listing would hide what a worker, another process, writes.
        "use_listings_cache": False,
        # Named also for AWS: each client has variables of its own by which it would go elsewhere.
        "endpoint_url": settings.get("endpoint_url") or _AWS_ENDPOINT.format(region),
        "client_kwargs": {"region_name": region},
        "config_kwargs": {
            "connect_timeout": seconds,
            "read_timeout": seconds,
            "retries": {"mode": "standard", "total_max_attempts": settings.get("attempts", _ATTEMPTS)},
        },
    }
    if settings.get("path_style"):
        options["config_kwargs"]["s3"] = {"addressing_style": "path"}
    encryption, key = settings.get("encryption"), settings.get("kms_key")
    if s3a_encryption(encryption):
        if (encryption == _KMS) != bool(key):
            raise ValueError(
                f"s3.encryption={encryption} with s3.kms_key={key}: {_KMS} wants the ARN of a key, and "
                f"nothing else does"
            )
        given = {"ServerSideEncryption": encryption, "SSEKMSKeyId": key}
        # What s3fs sends with each request that knows such a thing.
        options["s3_additional_kwargs"] = {name: value for name, value in given.items() if value}
    fsspec.config.conf["s3"] = options


def s3a_encryption(encryption: str | None) -> str | None:
    """Return what S3A calls an encryption that S3 calls AES256 or aws:kms; None stays the bucket's own.

    The configuration calls it (`${s3a_encryption:...}`).

    Raises:
        ValueError: There is no such encryption.
    """
    if encryption not in _S3A_ENCRYPTIONS:
        raise ValueError(f"s3.encryption={encryption}: give null, AES256 or {_KMS}")
    return _S3A_ENCRYPTIONS[encryption]


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


@dataclass(frozen=True)
class _Connection:
    """What the clients written in Rust, obstore and delta-rs, are told of a bucket, by object_store's names.

    Attributes:
        bucket: Of the bucket itself.
        client: Of the HTTP client.
        retries: How often a request is sent again.
        retry_timeout: And for how long.
    """

    bucket: dict[str, Any]
    client: dict[str, Any]
    retries: int
    retry_timeout: timedelta

    @classmethod
    def to(cls, bucket: str, options: Mapping[str, Any]) -> "_Connection":
        config, encryption = options.get("config_kwargs", {}), options.get("s3_additional_kwargs", {})
        region = options.get("client_kwargs", {}).get("region_name")
        endpoint = options.get("endpoint_url")
        path_style = config.get("s3", {}).get("addressing_style") == "path"
        # They put no bucket's name before an address that they are given, and no certificate has one with a
        # dot.
        virtual_hosted = bool(region) and endpoint == _AWS_ENDPOINT.format(region)
        virtual_hosted = virtual_hosted and not path_style and "." not in bucket
        if virtual_hosted:
            endpoint = _AWS_ENDPOINT.format(region).replace("//", f"//{bucket}.")
        named = {
            "aws_region": region,
            # By each name that object_store knows: of one that is not given, a variable goes before the rest.
            "aws_endpoint_url": endpoint,
            "aws_endpoint_url_s3": endpoint,
            "aws_virtual_hosted_style_request": str(virtual_hosted).lower(),
            "aws_server_side_encryption": encryption.get("ServerSideEncryption"),
            "aws_sse_kms_key_id": encryption.get("SSEKMSKeyId"),
            "aws_s3_express": "false",
            "aws_skip_signature": "false",
        }
        timeout = timedelta(seconds=config.get("read_timeout", _TIMEOUT_SECONDS))
        attempts = config.get("retries", {}).get("total_max_attempts", _ATTEMPTS)
        client = {
            "allow_http": str(str(endpoint).startswith("http://")).lower(),
            "connect_timeout": _milliseconds(timeout),
            "read_timeout": _milliseconds(timeout),
            "timeout": _milliseconds(_WHOLE_ANSWER),
        }
        return cls(
            {name: value for name, value in named.items() if value}, client, 2 * attempts, attempts * timeout
        )


def _milliseconds(time: timedelta) -> str:
    return f"{time.total_seconds() * 1000:.0f}ms"


def _credentials(bucket: str) -> Any:
    """Return botocore's credentials, which renews those that end, such as a role's, when asked for them.

    Raises:
        StorageError: AWS' default chain (environment, profile, instance role) has none.
    """
    # Imported here, so that only what reads from S3 waits for it.
    import botocore.session

    credentials = botocore.session.Session().get_credentials()
    if credentials is None:
        raise StorageError(
            f"There are no AWS credentials to read s3://{bucket}: set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY, or give the machine a role"
        )
    return credentials


def open_bucket(name: str, options: Mapping[str, Any]) -> "S3Store":
    """Return a bucket for many small reads: obstore takes a tenth of s3fs' time, and one request, for each.

    Args:
        name: The bucket.
        options: What `configure_s3` has given to fsspec.

    Raises:
        StorageError: AWS' default chain (environment, profile, instance role) has no credentials.
    """
    from obstore.store import S3Store

    credentials = _credentials(name)

    def current() -> "S3Credential":
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _ASK_AGAIN_AFTER,
        }

    to = _Connection.to(name, options)
    return S3Store(
        name,
        credential_provider=current,
        config=to.bucket,  # type: ignore[arg-type]
        client_options=to.client,  # type: ignore[arg-type]
        # A pause is drawn between the first and four times the last one, so they double; from 2 they hardly
        # grow, and all is over in 3 s.
        retry_config={
            "backoff": {"base": 4},
            "max_retries": to.retries,
            "retry_timeout": to.retry_timeout,
        },
    )


def delta_options(url: str) -> dict[str, str]:
    """Return the `storage_options` by which delta-rs reaches a table; none for one on disk.

    The credentials in them are those of the moment: open the table anew rather than keep it.

    Args:
        url: The table's folder: a local path or an `s3://` address.

    Raises:
        StorageError: AWS' default chain (environment, profile, instance role) has no credentials.
    """
    if not is_s3(url):
        return {}
    bucket = url.split("://", 1)[1].partition("/")[0]
    to = _Connection.to(bucket, fsspec.config.conf.get("s3", {}))
    frozen = _credentials(bucket).get_frozen_credentials()
    options: dict[str, str] = {
        **to.bucket,
        **to.client,
        "aws_access_key_id": frozen.access_key,
        "aws_secret_access_key": frozen.secret_key,
        "allow_invalid_certificates": "false",
        # Nothing unsets AWS_PROXY_URL, which no other client knows; HTTPS_PROXY is for all.
        "proxy_excludes": str(urlsplit(str(to.bucket.get("aws_endpoint_url"))).hostname),
        # If-None-Match, by which two writers cannot both commit.
        "aws_conditional_put": "etag",
        "max_retries": str(to.retries),
        "retry_timeout": _milliseconds(to.retry_timeout),
    }
    # An empty token is sent as well, so only to keep a variable's from being sent.
    if frozen.token or _TOKENS & {name.lower() for name in os.environ}:
        options["aws_session_token"] = frozen.token or ""
    return options


@contextmanager
def as_local_file(url: str) -> Iterator[str]:
    """Yield the path of a local file with what `url` holds, one version of it whoever replaces it meanwhile.

    An S3 object is copied to a temporary file by one request, which the client only ever continues with the
    same version.
    """
    _, path = open_location(url)
    if not is_s3(url):
        yield path
        return
    bucket, _, key = path.partition("/")
    with tempfile.NamedTemporaryFile() as file:
        for part in open_bucket(bucket, fsspec.config.conf.get("s3", {})).get(key):
            file.write(part)
        file.flush()
        yield file.name


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
