"""The AWS account that `fruits-emr` works in: its clients, each held to one region of the EU."""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from fruits_bigdata.privacy.residency import EU_REGIONS, ResidencyError, check_residency, knows_regions

THREADS = 16
# Operations of AWS' that change nothing begin so.
_READS = ("Describe", "Get", "Head", "List")
# Longer texts of a request, which are files of the clone, are printed by their length.
_LONGEST_TEXT = 2_000


class CloudError(RuntimeError):
    """Something cannot be done on AWS; the message says why, and the way out."""


class Account:
    """One account in one region.

    With `dry_run`, what would change something is printed and not sent, whoever asks for it: the clients
    themselves hold it back. What only reads is printed and sent.

    Args:
        project: Begins the name of everything, as the templates' parameter of that name.
        region: AWS' name of the region.
        dry_run: Change nothing.
        say: Takes each line that is to be read.

    Raises:
        ResidencyError: The region, or the machine that this runs on, lies outside the EU.
    """

    def __init__(self, project: str, region: str, dry_run: bool, say: Callable[[str], None]) -> None:
        if region not in EU_REGIONS:
            raise ResidencyError(
                f"{region} is no region of the EU that this project is deployed in: give --region with one "
                f"of {', '.join(sorted(EU_REGIONS))}"
            )
        # No place yet: this asks the machine itself, if it is one of AWS'.
        check_residency({}, {}, dict.fromkeys(EU_REGIONS, "EU"))
        self.project = project
        self.region = region
        self.dry_run = dry_run
        self.say = say
        self._session = botocore.session.Session()
        self.client = cache(self._client)

    def did(self, words: str) -> None:
        """Say what has been done, unless nothing is."""
        if not self.dry_run:
            self.say(words)

    @cached_property
    def id(self) -> str:
        """The account's twelve digits."""
        return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def bucket(self) -> str:
        """The name of the project's bucket, as storage.yml makes it."""
        return f"{self.project}-{self.id}-{self.region}"

    def has_bucket(self) -> bool:
        """Tell whether the bucket is there and, if it is, ask where it lies.

        Raises:
            ResidencyError: It lies outside the EU, or nobody can tell where.
        """
        try:
            self.client("s3").head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                return False
            # Of any other answer the guard makes its own.
        regions = dict.fromkeys(EU_REGIONS, "EU")
        s3 = {"endpoint_url": self.client("s3").meta.endpoint_url, "region": self.region}
        check_residency({"the bucket": f"s3://{self.bucket}"}, s3, regions)
        return True

    def _client(self, service: str, region: str | None = None) -> Any:
        region = region or self.region
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=15,
            read_timeout=60,
            max_pool_connections=THREADS,
        )
        client = self._session.create_client(service, region_name=region, config=config)
        endpoint = client.meta.endpoint_url
        host = urlsplit(endpoint).hostname or ""
        if not knows_regions(endpoint) or (host.endswith((".com", ".aws")) and region not in host.split(".")):
            raise ResidencyError(
                f"Requests to {service} would go to {endpoint}, and nobody can tell that this is in "
                f"{region}: unset AWS_ENDPOINT_URL and its like, or the endpoint_url of your AWS profile"
            )
        if self.dry_run:
            client.meta.events.register("before-parameter-build", self._print)
            client.meta.events.register("before-call", self._hold_back)
        return client

    def _print(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        done = "sent" if model.name.startswith(_READS) else "not sent"
        shown = json.dumps(_shown(params), ensure_ascii=False, default=str)
        self.say(f"{done}: {model.service_model.service_name} {model.name} {shown}")

    def _hold_back(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]] | None:
        if model.name.startswith(_READS):
            return None
        return SimpleNamespace(status_code=200, headers={}), {}


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until a request that starts something has its answer: half of one helps nobody."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def keep(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, keep) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def clone() -> Path:
    """Return the folder of the project, which has the templates.

    Raises:
        CloudError: The current folder is another.
    """
    folder = Path.cwd()
    if not (folder / "infra" / "cluster.yml").exists():
        raise CloudError(f"{folder} is not the project: run this in the clone, where infra/ lies")
    return folder


def _shown(value: Any) -> Any:
    """Return a request's parameters as they are printed."""
    if isinstance(value, Mapping):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shown(one) for one in value]
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value.splitlines()[1]} ... ({len(value):,} characters)"
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    if hasattr(value, "getbuffer"):
        return f"({len(value.getbuffer()):,} bytes)"
    if hasattr(value, "name"):
        return str(value.name)
    return value
