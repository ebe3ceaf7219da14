"""What a storage that fails says, and whether it was the storage that failed."""

import re
from collections.abc import Mapping
from typing import Any

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
    message = " ".join(plain.partition("\n\nDebug source")[0].split()) or type(error).__name__
    message = _S3_ERROR.sub(r"\1: \2", message)
    return (message if len(message) <= _MAX_LENGTH else f"{message[:_MAX_LENGTH]} ...").rstrip(".")


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
