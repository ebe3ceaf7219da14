"""moto's S3 in a process of its own, with a bucket as infra/storage.yml makes it.

Beside S3Proxy (`tests.support.s3_server`), the faster one: moto keeps the encryption of each object and knows
where its buckets lie, as AWS does.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3

from tests.support.processes import free_ports

REGION = "eu-west-3"
BUCKET = "fruits-bench"


class MotoS3:
    """moto's server and the bucket.

    Args:
        folder: For the server's log and the credentials that it is asked with.
        access_key: The key that is planted: it must be found nowhere afterwards.
        secret_key: The same.
    """

    def __init__(self, folder: Path, access_key: str, secret_key: str) -> None:
        self._log = folder / "s3.log"
        self.credentials_file = folder / "credentials"
        self.credentials_file.write_text(
            f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n"
        )
        self.credentials_file.chmod(0o600)
        self._keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}

    def __enter__(self) -> "MotoS3":
        """Start the server, make the key and the bucket."""
        (port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._make_bucket()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, and with it all that it holds."""
        self._process.kill()
        self._process.wait()

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its clients, who find the credentials as AWS' default chain does."""
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials_file),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @staticmethod
    def params(endpoint: str) -> dict[str, object]:
        """Return the parameters of a run whose S3 is at `endpoint`: the server's own or a proxy's."""
        return {"s3.endpoint_url": endpoint, "s3.region": REGION, "s3.path_style": "true"}

    def upload(self, folder: Path, prefix: str) -> int:
        """Put every file of `folder` under `prefix`; return their number."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda path: self._put(path, f"{prefix}/{path.relative_to(folder)}"), files))
        return len(files)

    def download(self, prefix: str, folder: Path) -> Path:
        """Copy what lies under `prefix` into `folder`, and return that."""
        for key in self.keys(prefix):
            # S3A's mark of a folder.
            if key.endswith("/"):
                continue
            target = folder / key.removeprefix(prefix).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        return folder

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the key of every object under `prefix`."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
            yield from (entry["Key"] for entry in page.get("Contents", []))

    def encrypted_otherwise(self, prefix: str, key_arn: str) -> list[str]:
        """Return the keys of the objects under `prefix` that are not encrypted with that key of KMS."""
        heads = ((key, self.client.head_object(Bucket=BUCKET, Key=key)) for key in self.keys(prefix))
        return [key for key, head in heads if head.get("SSEKMSKeyId") != key_arn]

    def _put(self, path: Path, key: str) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    def _make_bucket(self) -> None:
        self.client: Any = self._service("s3")
        kms: Any = self._service("kms")
        self._wait()
        self.key_arn, self.other_key_arn = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        place = {"LocationConstraint": REGION}
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key_arn}
        rule = {"ApplyServerSideEncryptionByDefault": encryption, "BucketKeyEnabled": True}
        self.client.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _service(self, name: str) -> Any:
        return boto3.client(name, endpoint_url=self.endpoint, region_name=REGION, **self._keys)  # type: ignore[call-overload]

    def _wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                self.client.list_buckets()
                return
            except Exception:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise RuntimeError(f"moto's server does not answer: {self._log.read_text()}") from None
                time.sleep(0.2)
