"""Where data may lie and be worked on: nothing is read or written outside the allowed regions.

A plain function for the catalog, for a notebook and for the command line:

    check_residency({"my images": "s3://bucket/Test"}, s3, allowed_regions)
"""

import ipaddress
import json
import logging
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from fruits_bigdata.privacy.instance import MetadataError, instance_metadata, is_instance
from fruits_bigdata.storage.errors import in_short
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.storage.s3 import configure_s3

# AWS' regions in member states of the EU: "Regions and Availability Zones" in AWS' documentation.
EU_REGIONS = frozenset({"eu-west-1", "eu-west-3", "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2"})
# A reason of fewer letters is none.
_SHORTEST_REASON = 10
_S3_ADDRESS = re.compile("s3[an]?://([^/]*)", re.IGNORECASE)
# "Amazon S3 endpoints and quotas" in AWS' General Reference, and "AWS PrivateLink for Amazon S3": with or
# without the bucket's name, IPv6, and in the form of older regions. What begins with s3-fips is of the United
# States.
_S3_HOST = re.compile(
    r"(?:[a-z0-9.-]+\.)?(?:s3[.-]|s3\.dualstack\.)(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)(?:\.vpce)?\.amazonaws\.com"
)
_AWS_DOMAINS = (".amazonaws.com", ".api.aws")
# How GetBucketLocation names the two oldest regions.
_OLD_NAMES = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}
_REGION_HEADER = "x-amz-bucket-region"

logger = logging.getLogger(__name__)


class ResidencyError(RuntimeError):
    """Data lies, or would be worked on, where it may not, or nobody can tell where."""


def check_residency(
    places: Mapping[str, str],
    s3: Mapping[str, Any],
    allowed_regions: Mapping[str, str | None],
    allowed_endpoints: Mapping[str, str | None] | None = None,
) -> None:
    """Refuse places, a client and a cluster outside the allowed regions, before a byte is read or listed.

    A bucket is asked where it lies once in a process, through the settings by which it is read. On an EC2
    instance, an EMR node for example, the instance is asked too. Local paths cost nothing.

    Args:
        places: What is to be read or written, by name: local paths and `s3://` addresses.
        s3: `endpoint_url`, `region` and so on, as in `conf/<env>/globals.yml`.
        allowed_regions: The place of each region or, for one outside the EU, the reason why it is allowed;
            None takes a region out.
        allowed_endpoints: The reason for each endpoint that is neither AWS nor of this machine. None of them
            may be without TLS.

    Raises:
        ResidencyError: In one sentence: what, where, and the way out.
    """
    regions = _with_reasons(allowed_regions, "allowed_regions", free=EU_REGIONS)
    endpoints = _with_reasons(allowed_endpoints or {}, "allowed_endpoints")
    allowed = ", ".join(sorted(regions))
    if is_instance():
        try:
            region = instance_metadata("placement/region")
        except MetadataError as error:
            raise ResidencyError(
                f"This machine is one of AWS, and nobody can tell in which region, since {error}: let it "
                f"reach its instance metadata (IMDSv2, on a container with a hop limit of 2)"
            ) from error
        if region not in regions:
            raise ResidencyError(
                f"This machine runs in {region}, and data may be worked on in {allowed} only: start the "
                f"cluster in one of these, or {_way_in(region)}"
            )
    buckets = {name: bucket for name, url in places.items() if (bucket := bucket_of(url))}
    if not buckets:
        return
    if s3["region"] not in regions:
        raise ResidencyError(
            f"The client would work in {s3['region']}, and data may be worked on in {allowed} only: set "
            f"s3.region in conf/<env>/globals.yml to one of these, or {_way_in(s3['region'])}"
        )
    configure_s3(s3)
    settings = json.dumps(s3, sort_keys=True, default=str)
    for name, bucket in buckets.items():
        endpoint = _told(name, bucket, _endpoint, settings)
        if not _keeps_secrets(endpoint):
            raise ResidencyError(
                f"{name} lies in s3://{bucket} at {endpoint}, and without TLS whoever is on the way can read "
                f"the data and the credentials: give the server's https:// address in s3.endpoint_url "
                f"(http:// is for a server on this machine only, whatever allowed_endpoints says)"
            )
        if endpoint in endpoints:
            _say_once(f"Allowed, wherever it may be: {endpoint} ({endpoints[endpoint]})")
            continue
        if not _is_of_this_machine(endpoint):
            addressed = region_of_s3(endpoint)
            if addressed is None:
                raise ResidencyError(
                    f"{name} lies in s3://{bucket} at {endpoint}, which is not AWS' S3 in a region: nobody "
                    f"can tell where. Use a bucket of AWS in {allowed}, or add this endpoint with the "
                    f"reason to allowed_endpoints in conf/<env>/globals.yml"
                )
            if addressed not in regions:
                raise ResidencyError(
                    f"{name} would be reached at {endpoint}, in {addressed}, and data may lie in {allowed} "
                    f"only: give the endpoint of one of these in s3.endpoint_url, or {_way_in(addressed)}"
                )
        region = _told(name, bucket, _region, settings)
        if region not in regions:
            raise ResidencyError(
                f"{name} lies in s3://{bucket} in {region}, and data may lie in {allowed} only: move it to a "
                f"bucket in one of these, or {_way_in(region)}"
            )
        if region not in EU_REGIONS:
            _say_once(f"Allowed outside the EU: {region} ({regions[region]})")


def bucket_of(url: str) -> str | None:
    """Return the bucket of an S3 address, in any spelling that Hadoop takes for one; None of other places."""
    match = _S3_ADDRESS.match(url)
    return match[1] if match else None


def _with_reasons(
    allowed: Mapping[str, str | None], setting: str, free: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Return what is allowed, without what was taken out; the names in `free` need no reason."""
    if not isinstance(allowed, Mapping):
        raise ResidencyError(f"{setting}={allowed}: give each with its reason, see conf/base/globals.yml")
    kept = {}
    for name, reason in allowed.items():
        if reason is None:
            continue
        if name not in free and (not isinstance(reason, str) or len(reason.strip()) < _SHORTEST_REASON):
            raise ResidencyError(
                f"{setting} allows {name} and gives {reason!r} for a reason: say in words why data may go "
                f"there, and who decided it"
            )
        kept[name] = str(reason)
    return kept


def _way_in(region: str) -> str:
    return f"allow it with the reason: --params 'allowed_regions.{region}=why, and who decided it'"


def _keeps_secrets(endpoint: str) -> bool:
    """Tell whether nobody can read what is said to an endpoint: by TLS, or since it stays on this machine."""
    return urlsplit(endpoint).scheme == "https" or _is_of_this_machine(endpoint)


def region_of_s3(endpoint: str) -> str | None:
    """Return the region of an address of AWS' S3; None of others, and of addresses that name no region."""
    match = _S3_HOST.fullmatch(urlsplit(endpoint).hostname or "")
    return match["region"] if match else None


def knows_regions(endpoint: str) -> bool:
    """Tell whether an endpoint knows where things lie: AWS, or a server on this machine."""
    host = urlsplit(endpoint).hostname or ""
    return host.endswith(_AWS_DOMAINS) or _is_of_this_machine(endpoint)


def _is_of_this_machine(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _told(name: str, bucket: str, ask: Callable[[str, str], str], settings: str) -> str:
    try:
        return ask(bucket, settings)
    except Exception as error:
        raise ResidencyError(
            f"{name} lies in s3://{bucket}, and nobody can tell where that is, since {in_short(error)}: "
            f"check the bucket's name, the credentials and their right to s3:GetBucketLocation"
        ) from error


# The settings say which server is asked. What fails is not kept.
@cache
def _endpoint(bucket: str, settings: str) -> str:
    """Return the endpoint that s3fs uses, wherever it has it from: a variable of AWS' may name one, too."""
    fs, _ = url_to_fs(f"s3://{bucket}")
    fs.connect()
    return str(fs.s3.meta.endpoint_url).rstrip("/")


@cache
def _region(bucket: str, settings: str) -> str:
    fs, _ = url_to_fs(f"s3://{bucket}")
    try:
        region = fs.call_s3("get_bucket_location", Bucket=bucket)["LocationConstraint"]
    except Exception as denied:
        # Who may list a bucket need not be allowed to ask this; every answer to HeadBucket has the region.
        try:
            response = fs.call_s3("head_bucket", Bucket=bucket)
        except Exception as error:
            response = getattr(error.__cause__ or error, "response", {})
        region = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(_REGION_HEADER)
        if not region:
            raise denied
    return str(_OLD_NAMES.get(region, region))


@cache
def _say_once(words: str) -> None:
    logger.warning("%s", words)
