"""Files to the bucket and from it: many at once, each whole or not there, and none twice."""

import hashlib
import json
import logging
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from tqdm import tqdm

from fruits_bigdata.emr.account import THREADS, Account, CloudError
from fruits_bigdata.images.folder import ImageFolder

_MANIFEST = "MANIFEST.json"
# Names what a download has put into its folder, so that nothing else is ever removed from there.
_FETCHED = ".fruits-emr.json"
# So many a thread are waiting to be taken, however many there are.
_QUEUE = 4

Item = TypeVar("Item")

logger = logging.getLogger(__name__)


@dataclass
class Transferred:
    """What a transfer did.

    Attributes:
        done: Files that were sent or fetched.
        skipped: Files that were there already.
        failed: Files that this machine could not read.
        removed: Files that were fetched before and are in the bucket no more.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    removed: int = 0


def list_objects(account: Account, prefix: str) -> dict[str, tuple[int, datetime]]:
    """Return size and date of every object whose key begins with `prefix`."""
    pages = account.client("s3").get_paginator("list_objects_v2")
    return {
        one["Key"]: (one["Size"], one["LastModified"])
        for page in pages.paginate(Bucket=account.bucket, Prefix=prefix)
        for one in page.get("Contents", [])
    }


def upload_images(account: Account, folder: str) -> Transferred:
    """Send the images below a folder to Test/, under the paths that a run gives them.

    One that is there with the same size, and is not older than the file, is not sent again.

    Raises:
        CloudError: There are no images.
    """
    images = ImageFolder(folder)
    if not images.exists():
        raise CloudError(f"There is no folder {folder}: name the one that holds the classes' folders")
    there = list_objects(account, "Test/")
    result = Transferred()
    missing = []
    for batch in images.list_batches():
        for row in batch.to_pylist():
            size, date = there.get(f"Test/{row['path']}", (-1, datetime.min.replace(tzinfo=UTC)))
            if size == row["length"] and date.timestamp() >= int(row["modified"].timestamp()):
                result.skipped += 1
            else:
                missing.append((row["path"], row["length"]))
    if not missing and not result.skipped:
        raise CloudError(f"There are no JPEG or PNG images below {folder}")
    s3 = account.client("s3")

    def send(listed: tuple[str, int]) -> bool:
        path, length = listed
        try:
            body = images.read(path, length)
        except OSError as error:
            logger.warning("%s/%s cannot be read and is left out: %s", folder, path, error)
            return False
        s3.put_object(Bucket=account.bucket, Key=f"Test/{path}", Body=body)
        return True

    for sent in in_parallel(account, send, missing, "images"):
        result.done += sent
        result.failed += not sent
    return result


def upload_package(account: Account, folder: Path) -> Transferred:
    """Send a package to Package/<version>-<architecture>/; its manifest comes last and makes it whole.

    A file that is there with the same SHA-256 is not sent again; one that the package has no more is deleted.

    Raises:
        CloudError: The folder is no whole package.
    """
    if not (folder / _MANIFEST).exists():
        raise CloudError(f"{folder} is no package, or no whole one: build it with fruits-emr package")
    manifest = json.loads((folder / _MANIFEST).read_text())
    prefix = f"Package/{manifest['version']}-{manifest['architecture']}"
    there = list_objects(account, f"{prefix}/")
    s3 = account.client("s3")
    digests = {**manifest["files"], _MANIFEST: _digest(folder / _MANIFEST)}
    same = [
        name
        for name, digest in in_parallel(
            account,
            lambda name: (name, _digest_there(s3, account.bucket, f"{prefix}/{name}")),
            [name for name in digests if f"{prefix}/{name}" in there],
            None,
        )
        if digest == digests[name]
    ]
    missing = [name for name in digests if name not in same and name != _MANIFEST]
    stale = [key for key in there if key.removeprefix(f"{prefix}/") not in digests]
    result = Transferred(skipped=len(same))
    if not missing and not stale and _MANIFEST in same:
        return result
    # While the files are mixed, no cluster may take them for a package.
    if f"{prefix}/{_MANIFEST}" in there:
        s3.delete_object(Bucket=account.bucket, Key=f"{prefix}/{_MANIFEST}")

    def send(name: str) -> bool:
        with (folder / name).open("rb") as file:
            s3.put_object(
                Bucket=account.bucket,
                Key=f"{prefix}/{name}",
                Body=file,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=b64encode(bytes.fromhex(digests[name])).decode(),
            )
        return True

    result.done = sum(in_parallel(account, send, missing, "files"))
    for key in stale:
        s3.delete_object(Bucket=account.bucket, Key=key)
    result.done += send(_MANIFEST)
    result.skipped -= _MANIFEST in same
    return result


def download(account: Account, prefixes: Iterable[str], folder: Path) -> Transferred:
    """Fetch what lies below the prefixes into a folder, and leave nothing else in the folders fetched.

    A file with the same size and a later date stays; one that is in the bucket no more is removed, so that
    who reads a folder whole reads nothing twice.

    Raises:
        CloudError: A folder holds other files, and no download has made it.
    """
    there = {key: facts for prefix in prefixes for key, facts in list_objects(account, prefix).items()}
    result = Transferred()
    missing = []
    kept: set[Path] = set()
    tops: set[str] = set()
    for key, (size, date) in there.items():
        file = folder / key
        if not file.resolve().is_relative_to(folder.resolve()) or key.endswith("/"):
            continue
        kept.add(file.parent.resolve() / file.name)
        tops.add(file.relative_to(folder).parts[0])
        if file.exists() and (file.stat().st_size, file.stat().st_mtime >= date.timestamp()) == (size, True):
            result.skipped += 1
        else:
            missing.append(key)
    record = folder / _FETCHED
    own = set(json.loads(record.read_text())) if record.exists() else set()
    foreign = sorted(_others(folder, tops - own, kept))
    if foreign:
        raise CloudError(
            f"{folder} holds {len(foreign):,} files that are not in the bucket, such as {foreign[0]}, and "
            f"that fruits-emr did not fetch: move them away, or give another folder"
        )
    s3 = account.client("s3")

    def fetch(key: str) -> bool:
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.part")
        body = s3.get_object(Bucket=account.bucket, Key=key)["Body"]
        with part.open("wb") as to:
            for piece in body.iter_chunks(1 << 20):
                to.write(piece)
        part.replace(file)
        return True

    if account.dry_run:
        for key in missing:
            account.say(f"not sent: s3 GetObject {json.dumps({'Bucket': account.bucket, 'Key': key})}")
        for file in sorted(_others(folder, own, kept)):
            account.say(f"not removed: {file}")
        return result
    if tops | own:
        folder.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(sorted(tops | own)))
    result.done = sum(in_parallel(account, fetch, missing, "files"))
    # What was there before is not lost to a line that breaks.
    for file in _others(folder, own | tops, kept):
        file.unlink()
        result.removed += 1
    return result


def _others(folder: Path, tops: set[str], kept: set[Path]) -> list[Path]:
    """Return what is not among `kept` of the files in the folders named `tops` in `folder`, and links."""
    if not folder.is_dir():
        return []
    files: list[Path] = []
    # Names of what is there: never one that leads out of the folder, whoever wrote the record.
    for name in tops & set(os.listdir(folder)):
        top = folder / name
        if top.is_symlink() or not top.is_dir():
            files.append(top)
        else:
            for where, folders, names in os.walk(top):
                files += [Path(where, name) for name in names]
                files += [link for link in (Path(where, name) for name in folders) if link.is_symlink()]
    return [file for file in files if file.parent.resolve() / file.name not in kept]


def in_parallel(
    account: Account, work: Callable[[Item], Any], items: list[Item], unit: str | None
) -> Iterator[Any]:
    """Yield what `work` returns of each item, as it comes; the first error ends it, and so does Ctrl-C.

    What is in the air is finished, so that nothing goes on when this has returned.
    """
    remaining = iter(items)
    running: set[Future[Any]] = set()
    # A list of requests and a bar would spoil each other.
    shown = unit is not None and bool(items) and not account.dry_run
    with (
        ThreadPoolExecutor(1 if account.dry_run else THREADS) as pool,
        tqdm(total=len(items), unit=f" {unit}", disable=not shown) as bar,
    ):
        try:
            while True:
                free = THREADS * _QUEUE - len(running)
                running |= {pool.submit(work, item) for item in islice(remaining, free)}
                if not running:
                    return
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for one in ended:
                    bar.update()
                    yield one.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_there(s3: Any, bucket: str, key: str) -> str | None:
    """Return the SHA-256 that S3 has of an object, None if it has none."""
    try:
        checksum = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256")
    except ClientError:
        return None
    return b64decode(checksum).hex() if checksum else None
