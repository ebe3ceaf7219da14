"""What is left when the clusters have ended, what it costs a month, and how it goes too."""

from botocore.exceptions import ClientError

from fruits_bigdata.cost.prices import PriceTable, UnknownPriceError
from fruits_bigdata.emr.account import Account, CloudError
from fruits_bigdata.emr.stacks import Stack

# AWS Budgets, a service without regions, is known to CloudFormation in these of the EU only.
BUDGET_REGIONS = ("eu-west-1", "eu-west-3", "eu-central-1")
# The least that AWS allows; nothing is paid for a key that waits for its end.
_KEY_DAYS = 7
# S3 lists and deletes no more at a request.
_AT_ONCE = 1000


def budget_region(account: Account) -> str:
    """Return where the budget's stack lies."""
    return account.region if account.region in BUDGET_REGIONS else BUDGET_REGIONS[0]


def remaining(account: Account) -> list[str]:
    """Return, in sentences, what of the project is still there and its price a month before tax."""
    lines = []
    total = 0.0
    table = _prices(account.region)
    if account.has_bucket():
        current, old = _bucket_bytes(account)
        line = f"The bucket {account.bucket}: {current / 1e9:.3f} GB and {old / 1e9:.3f} GB of old versions"
        if table:
            price = (current + old) / 1e9 * table["s3 standard"].value
            total += price
            line += f", {price:.2f} dollars a month"
        lines.append(line)
    if Stack(account, "storage").describe():
        price = table["kms key"].value if table else 1.0
        total += price
        lines.append(f"The key that its objects are encrypted with: {price:.2f} dollars a month")
    free = [
        Stack(account, "network"),
        Stack(account, "roles"),
        Stack(account, "budget", budget_region(account)),
    ]
    names = [stack.name for stack in free if stack.describe()]
    if names:
        lines.append(f"The stacks {', '.join(names)}: nothing in them costs anything")
    if not lines:
        return [f"Nothing of {account.project} remains in {account.region}: 0 dollars a month"]
    unsure = "" if table else f" without what S3 asks in {account.region}, which prices.yml does not have"
    return [*lines, f"Together some {total:.2f} dollars a month before tax{unsure}"]


def remove_free(account: Account) -> None:
    """Delete budget, roles and network."""
    Stack(account, "budget", budget_region(account)).delete()
    for name in ("roles", "network"):
        Stack(account, name).delete()


def remove_data(account: Account) -> None:
    """Delete every object in every version, the bucket, the key and the stack that made them.

    Whenever it is interrupted, the stack is still there to tell of what is left.

    Raises:
        CloudError: A step failed.
    """
    storage = Stack(account, "storage")
    if account.has_bucket():
        _empty(account)
        account.client("s3").delete_bucket(Bucket=account.bucket)
        account.did(f"{account.bucket}: deleted")
    if storage.describe() is None:
        return
    key = storage.output("KeyArn").rpartition("/")[2]
    try:
        account.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=_KEY_DAYS)
        account.did(f"The key {key} ends in {_KEY_DAYS} days and costs nothing until then")
    except ClientError as error:
        # It waits for its end already.
        if error.response["Error"]["Code"] != "KMSInvalidStateException":
            raise
    storage.delete()


def _empty(account: Account) -> None:
    s3 = account.client("s3")
    n = 0
    # From the beginning each time: what is gone does not come again.
    while True:
        page = s3.list_object_versions(Bucket=account.bucket, MaxKeys=_AT_ONCE)
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not versions:
            break
        names = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]
        request = {"Objects": names, "Quiet": True}
        errors = s3.delete_objects(Bucket=account.bucket, Delete=request).get("Errors", [])
        if errors:
            raise CloudError(
                f"s3://{account.bucket}/{errors[0]['Key']} cannot be deleted: {errors[0]['Message']}; "
                f"then run the same command again"
            )
        n += len(names)
        if account.dry_run:
            account.say("... and so on, until the bucket is empty")
            break
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=account.bucket):
        for one in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=account.bucket, Key=one["Key"], UploadId=one["UploadId"])
    account.did(f"{account.bucket}: {n:,} objects and old versions deleted")


def _bucket_bytes(account: Account) -> tuple[int, int]:
    """Return how many bytes the objects have, and their old versions."""
    current = old = 0
    pages = account.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=account.bucket):
        for one in page.get("Versions", []):
            if one["IsLatest"]:
                current += one["Size"]
            else:
                old += one["Size"]
    return current, old


def _prices(region: str) -> PriceTable | None:
    try:
        return PriceTable.load(region)
    except UnknownPriceError:
        return None
