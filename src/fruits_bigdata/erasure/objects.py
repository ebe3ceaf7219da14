"""Removing files for good: on a bucket with all their versions, and with uploads that were never finished."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from fsspec import AbstractFileSystem

from fruits_bigdata.erasure.request import ErasureError
from fruits_bigdata.storage.locations import is_s3, url_to_fs

# As many as S3 takes at once.
_BATCH = 1_000
# A version, a delete marker or an unfinished upload, as S3 describes it.
Stored = dict[str, Any]
# Of each listing: what it lists, and what its pages begin after.
_LISTINGS = {
    "list_object_versions": (("Versions", "DeleteMarkers"), ("KeyMarker", "VersionIdMarker")),
    "list_multipart_uploads": (("Uploads",), ("KeyMarker", "UploadIdMarker")),
}


def find_objects(bucket: str, prefix: str, matches: Callable[[str], bool]) -> list[Stored]:
    """Return every version and delete marker of a bucket's objects, and every unfinished upload of one.

    Args:
        bucket: The bucket.
        prefix: What their keys begin with.
        wanted: Tells which of these keys.
    """
    fs, _ = url_to_fs(f"s3://{bucket}")
    return [entry for entry in _entries(fs, bucket, prefix) if matches(entry["Key"])]


def find_history(url: str) -> list[Stored]:
    """Return what is no current object at or below a place on S3; nothing of one on disk."""
    if not is_s3(url):
        return []
    bucket, _, key = url_to_fs(url)[1].partition("/")
    entries = find_objects(bucket, key, lambda other: other == key or other.startswith(f"{key}/"))
    # A current delete marker, which has no size, hides nothing any more once the versions below it are gone.
    return [entry for entry in entries if not (entry.get("IsLatest") and "Size" in entry)]


def remove_objects(bucket: str, entries: Iterable[Stored]) -> int:
    """Remove versions, delete markers and unfinished uploads, and return how many these were.

    Raises:
        ErasureError: S3 refuses one.
    """
    fs, _ = url_to_fs(f"s3://{bucket}")
    n, rest = 0, iter(entries)
    while batch := list(islice(rest, _BATCH)):
        n += len(batch)
        for entry in batch:
            if "UploadId" in entry:
                fs.call_s3(
                    "abort_multipart_upload", Bucket=bucket, Key=entry["Key"], UploadId=entry["UploadId"]
                )
        versions = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in batch if "VersionId" in entry
        ]
        if not versions:
            continue
        answer = fs.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        if refused := answer.get("Errors"):
            raise ErasureError(
                f"S3 refuses to remove {len(refused)} of {len(batch)} versions from s3://{bucket}, such as "
                f"{refused[0]['Key']!r}: {refused[0].get('Code')}. The right is s3:DeleteObjectVersion "
                f"(infra/roles.yml, Eraser); then start the erasure again"
            )
    return n


def _entries(fs: AbstractFileSystem, bucket: str, prefix: str) -> Iterator[Stored]:
    # A bucket that keeps no versions has the current ones.
    for listing, (kinds, markers) in _LISTINGS.items():
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        while True:
            page = fs.call_s3(listing, **request)
            for kind in kinds:
                yield from page.get(kind, ())
            if not page.get("IsTruncated"):
                break
            request |= {marker: page[f"Next{marker}"] for marker in markers}
