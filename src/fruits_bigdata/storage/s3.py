"""S3: endpoint, region, credentials, encryption and patience, told to every client from one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import fsspec

from fruits_bigdata.storage.errors import StorageError
from fruits_bigdata.storage.locations import is_s3

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

# The variables that delta-rs takes for a session's token, in small letters.
_TOKENS = {"aws_session_token", "aws_token", "session_token", "token"}

_ASK_AGAIN_AFTER = timedelta(minutes=5)

# An object that keeps arriving may take long: this is enough for the largest image on a slow line.
_WHOLE_ANSWER = timedelta(minutes=10)
# "Amazon S3 endpoints and quotas", AWS General Reference.
_AWS_ENDPOINT = "https://s3.{}.amazonaws.com"
# As AWS' own clients have them; conf/base/globals.yml says what they mean.
_TIMEOUT_SECONDS, _ATTEMPTS = 15, 5

# As Hadoop's S3A documents fs.s3a.encryption.algorithm.
_KMS = "aws:kms"
_S3A_ENCRYPTIONS = {None: None, "AES256": "AES256", _KMS: "SSE-KMS"}


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
        fields = {"ServerSideEncryption": encryption, "SSEKMSKeyId": key}
        # What s3fs sends with each request that knows such a thing.
        options["s3_additional_kwargs"] = {name: value for name, value in fields.items() if value}
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
        retry_config={"backoff": {"base": 4}, "max_retries": to.retries, "retry_timeout": to.retry_timeout},
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
