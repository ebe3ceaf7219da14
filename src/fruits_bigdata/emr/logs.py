"""What EMR copies of its logs to the bucket, some five minutes behind."""

import gzip
from collections.abc import Iterator
from typing import Literal

from fruits_bigdata.emr.account import Account, CloudError
from fruits_bigdata.emr.cluster import Cluster
from fruits_bigdata.emr.transfer import list_objects

Kind = Literal["step", "bootstrap", "executors"]
_FOLDERS: dict[Kind, str] = {"step": "steps/", "bootstrap": "node/", "executors": "containers/"}
_MARKS: dict[Kind, tuple[str, ...]] = {
    "step": ("controller.gz", "stderr.gz", "stdout.gz"),
    "bootstrap": ("stderr.gz", "stdout.gz"),
    "executors": ("stderr.gz",),
}


def read_logs(account: Account, kind: Kind, lines: int) -> Iterator[str]:
    """Yield the last lines of each log of the last step, of bootstrap.sh on each node, or of the executors.

    Without a cluster, those of the one before are read.

    Raises:
        CloudError: There are none yet.
    """
    cluster_id = Cluster(account).id() or _last_cluster(account)
    objects = list_objects(account, f"Logs/{cluster_id}/{_FOLDERS[kind]}")
    keys = [key for key in objects if key.endswith(_MARKS[kind])]
    if kind == "bootstrap":
        keys = [key for key in keys if "/bootstrap-actions/" in key]
    if kind == "step" and keys:
        # By their dates one could not tell: the logs of several steps are copied at once.
        steps = [step["Id"] for step in Cluster(account).steps(cluster_id)]
        newest = max((key.split("/")[-2] for key in keys), key=steps.index)
        keys = [key for key in keys if key.split("/")[-2] == newest]
    if not keys:
        raise CloudError(
            f"There are no logs of {kind} below s3://{account.bucket}/Logs/{cluster_id}/ yet: EMR copies "
            f"them every five minutes and when the cluster ends; fruits-emr status says how far it is"
        )
    for key in keys:
        yield f"s3://{account.bucket}/{key}"
        body = account.client("s3").get_object(Bucket=account.bucket, Key=key)["Body"].read()
        yield from gzip.decompress(body).decode(errors="replace").splitlines()[-lines:]


def _last_cluster(account: Account) -> str:
    objects = list_objects(account, "Logs/")
    if not objects:
        raise CloudError(f"There are no logs in s3://{account.bucket}/Logs/: no cluster has run yet")
    return max(objects, key=lambda key: objects[key][1]).split("/")[1]
