"""Whether what is written to S3 is encrypted: by the run, or by the bucket."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fruits_bigdata.privacy.residency import bucket_of
from fruits_bigdata.storage.locations import url_to_fs

# AWS encrypts every bucket since January 2023, so this is another server's answer.
_NONE = "ServerSideEncryptionConfigurationNotFoundError"


class EncryptionError(RuntimeError):
    """What a run writes would lie on S3 as it is."""


def check_encryption(places: Mapping[str, str], s3: Mapping[str, Any]) -> None:
    """Refuse buckets that do not encrypt, unless the run says how each object is to be encrypted.

    Args:
        places: What is to be read or written, by name: local paths and `s3://` addresses.
        s3: As in `conf/<env>/globals.yml`.

    Raises:
        EncryptionError: A bucket has no default encryption, and `s3.encryption` is null.
    """
    if s3.get("encryption"):
        return
    for name, url in places.items():
        bucket = bucket_of(url)
        if bucket is not None and not _encrypts(bucket):
            raise EncryptionError(
                f"{name} lies in s3://{bucket}, which does not encrypt what is written: give the bucket a "
                f"default encryption, or --params s3.encryption=AES256"
            )


@cache
def _encrypts(bucket: str) -> bool:
    fs, _ = url_to_fs(f"s3://{bucket}")
    try:
        fs.call_s3("get_bucket_encryption", Bucket=bucket)
    except Exception as error:
        # Who may not ask is told nothing; AWS has no bucket without.
        return _NONE not in str(error.__cause__ or error)
    return True
