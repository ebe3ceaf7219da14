"""The way to JupyterHub on the master, through Systems Manager: no port is open, no key is needed."""

import json
import shutil
import subprocess
from pathlib import Path

from fruits_bigdata.emr.account import Account, CloudError
from fruits_bigdata.emr.cluster import Cluster
from fruits_bigdata.emr.transfer import list_objects

NOTEBOOK = Path("notebooks", "fruits_emr.ipynb")
# EMR Release Guide, "JupyterHub": its port, and user and password where nobody has made others.
PORT = 9443
USER, PASSWORD = "jovyan", "jupyter"


def put_notebook(account: Account, notebook: Path, replace: bool) -> None:
    """Put the notebook where JupyterHub keeps its user's; one that is there may have been worked on."""
    key = f"jupyter/{USER}/{notebook.name}"
    if not replace and key in list_objects(account, key):
        account.say(f"s3://{account.bucket}/{key} is kept as it is; --replace sends the clone's")
        return
    if not notebook.exists():
        raise CloudError(f"There is no notebook {notebook}: run this in the clone")
    account.client("s3").put_object(Bucket=account.bucket, Key=key, Body=notebook.read_bytes())
    account.did(f"s3://{account.bucket}/{key}: sent")


def forward(account: Account, local_port: int) -> int:
    """Forward a port of this machine to JupyterHub until Ctrl-C, by the AWS CLI and its plugin for sessions.

    Returns:
        The AWS CLI's exit code; 0 after a dry run.

    Raises:
        CloudError: No cluster is ready, or the AWS CLI or the plugin is missing.
    """
    command = _session(account, _master(account), local_port)
    account.say(" ".join(f"'{word}'" if " " in word or "{" in word else word for word in command))
    if account.dry_run:
        return 0
    for program in ("aws", "session-manager-plugin"):
        if shutil.which(program) is None:
            raise CloudError(
                f"{program} is not installed, and the line above needs it: see docs/emr.md, JupyterHub, then "
                f"run the same command again"
            )
    account.say(
        f"When the port is open: https://localhost:{local_port} (its certificate is the cluster's own), user "
        f"{USER}, password {PASSWORD}, notebook {NOTEBOOK.name}, kernel PySpark. Ctrl-C closes the port; the "
        f"cluster goes on until fruits-emr down"
    )
    return subprocess.run(command, check=False).returncode


def _master(account: Account) -> str:
    cluster = Cluster(account)
    masters = cluster.emr.list_instances(
        ClusterId=cluster.active_id(), InstanceFleetType="MASTER", InstanceStates=["RUNNING"]
    )["Instances"]
    if not masters:
        raise CloudError("The cluster has no running master yet: fruits-emr status says how far it is")
    return str(masters[0]["Ec2InstanceId"])


def _session(account: Account, instance: str, local_port: int) -> list[str]:
    ports = json.dumps({"portNumber": [str(PORT)], "localPortNumber": [str(local_port)]})
    return [
        *("aws", "ssm", "start-session", "--region", account.region, "--target", instance),
        *("--document-name", "AWS-StartPortForwardingSession", "--parameters", ports),
    ]
