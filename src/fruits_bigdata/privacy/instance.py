"""What the machine that this process runs on says of itself, if it is one of AWS."""

import os
import urllib.request
from pathlib import Path

_ADDRESSES = {"ipv4": "http://169.254.169.254", "ipv6": "http://[fd00:ec2::254]"}
_TIMEOUT_SECONDS = 1.0
_TOKEN_SECONDS = "60"
# What the firmware says, by which an instance is known without a request: Nitro's vendor, Xen's uuid.
_MARKS = {"/sys/devices/virtual/dmi/id/sys_vendor": "amazon", "/sys/hypervisor/uuid": "ec2"}


class MetadataError(RuntimeError):
    """An instance does not say what it is."""


def is_instance() -> bool:
    """Tell whether this machine is an EC2 instance, without a request.

    `AWS_EC2_METADATA_SERVICE_ENDPOINT`, AWS' own variable, says so as well: somebody has named its metadata.
    """
    if os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        return True
    return any(_read(Path(path)).lower().startswith(mark) for path, mark in _MARKS.items())


def instance_metadata(path: str) -> str:
    """Return what the instance metadata service (IMDSv2) says, such as of `placement/region`.

    Raises:
        MetadataError: It does not answer within a second, or is disabled, or answers nothing.
    """
    mode = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv4").lower()
    service = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _ADDRESSES.get(mode, _ADDRESSES["ipv4"])
    service = service.rstrip("/")
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "false").lower() == "true":
        raise MetadataError("AWS_EC2_METADATA_DISABLED is true")
    # The service is on the machine itself: no proxy knows the way to it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_SECONDS}
    try:
        request = urllib.request.Request(f"{service}/latest/api/token", method="PUT", headers=lifetime)
        token = opener.open(request, timeout=_TIMEOUT_SECONDS).read().decode()
        request = urllib.request.Request(
            f"{service}/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token}
        )
        answer = str(opener.open(request, timeout=_TIMEOUT_SECONDS).read().decode()).strip()
    # A service that is none raises HTTPException or UnicodeError, which are no OSErrors.
    except Exception as error:
        raise MetadataError(f"{service} does not answer: {error}") from error
    if not answer:
        raise MetadataError(f"{service} answers nothing to {path}")
    return answer


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
