"""Removing files for good: on a bucket that keeps versions, with all of them."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from fsspec import AbstractFileSystem

from fruits_bigdata.erasure.request import ErasureError
from fruits_bigdata.storage import is_s3, open_location

# As many as S3 takes at once.
_BATCH = 1_000


def remove_folder(url: str) -> None:
    """Remove a file or a folder, if it is there; on S3 its versions stay until `remove_old_versions`."""
    fs, path = open_location(url)
    if fs.exists(path):
        fs.rm(path, recursive=True)


def remove_objects(bucket: str, prefix: str, wanted: Callable[[str], bool]) -> list[str]:
    """Remove objects of a bucket with every version of them, and what marks them as deleted.

    Args:
        bucket: The bucket.
        prefix: What their keys begin with.
        wanted: Tells which of these keys.

    Returns:
        The keys.

    Raises:
        ErasureError: S3 refuses one.
    """
    fs, _ = open_location(f"s3://{bucket}")
    found = [one for one in _versions(fs, bucket, prefix) if wanted(one["Key"])]
    _delete(fs, bucket, found)
    return sorted({one["Key"] for one in found})


def remove_old_versions(url: str) -> int:
    """Remove what is no current object at or below a place on S3, and return how many versions that were.

    Raises:
        ErasureError: S3 refuses one.
    """
    if not is_s3(url):
        return 0
    fs, path = open_location(url)
    bucket, _, key = path.partition("/")

    def is_old(one: dict[str, Any]) -> bool:
        inside = one["Key"] == key or one["Key"].startswith(f"{key}/")
        # A current marker hides nothing any more once the versions below it are gone.
        return inside and (not one["IsLatest"] or "Size" not in one)

    return _delete(fs, bucket, filter(is_old, _versions(fs, bucket, key)))


def _versions(fs: AbstractFileSystem, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield every version and every delete marker; a bucket that keeps none has the current ones."""
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page = fs.call_s3("list_object_versions", **request)
        yield from page.get("Versions", ())
        yield from page.get("DeleteMarkers", ())
        if not page.get("IsTruncated"):
            return
        request |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


def _delete(fs: AbstractFileSystem, bucket: str, versions: Iterable[dict[str, Any]]) -> int:
    n, left = 0, iter(versions)
    while batch := list(islice(left, _BATCH)):
        objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in batch]
        answer = fs.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if refused := answer.get("Errors"):
            raise ErasureError(
                f"S3 refuses to remove {len(refused)} of {len(batch)} versions from s3://{bucket}, such as "
                f"{refused[0]['Key']!r}: {refused[0].get('Code')}. The right is s3:DeleteObjectVersion "
                f"(infra/roles.yml, Eraser); then start the erasure again"
            )
        n += len(batch)
    return n
