"""`fruits-emr`: from a clone to results in S3 and back to nothing, by a few commands."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import yaml

from fruits_bigdata.cli.log_format import log_to_terminal
from fruits_bigdata.cost.cost_command import cost
from fruits_bigdata.emr import notebook as notebooks
from fruits_bigdata.emr.account import Account, CloudError, clone
from fruits_bigdata.emr.cluster import Cluster
from fruits_bigdata.emr.logs import read_logs
from fruits_bigdata.emr.on_aws import on_aws
from fruits_bigdata.emr.package import build_package
from fruits_bigdata.emr.plan import Plan, package_version, run_arguments
from fruits_bigdata.emr.remains import budget_region, remaining, remove_data, remove_free
from fruits_bigdata.emr.stacks import Stack
from fruits_bigdata.emr.transfer import download, list_objects, upload_images, upload_package

_NODE_TYPES = ("m5.xlarge", "m5.2xlarge", "m7i.xlarge", "m6g.xlarge", "m6g.2xlarge")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def main() -> None:
    """Run fruits_bigdata on EMR, in the EU only. docs/emr.md is the runbook."""
    log_to_terminal("%(message)s")
    for noisy in ("botocore", "aiobotocore", "s3fs", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@on_aws(bucket=False)
@click.option("--email", help="Who is told when the month's bill passes the budget; else there is none.")
@click.option("--monthly-dollars", type=click.IntRange(1, 1000), default=10, help="The budget.")
@click.option("--log-days", type=click.IntRange(1, 365), default=30, help="Days that logs are kept.")
def deploy(account: Account, email: str | None, monthly_dollars: int, log_days: int) -> None:
    """Make or update bucket, key, network and roles: a dollar a month."""
    own = {"Project": account.project}
    storage = Stack(account, "storage")
    if account.has_bucket() and storage.describe() is None:
        raise CloudError(
            f"The bucket {account.bucket} is there, and its stack {storage.name} is not, so somebody deleted "
            f"the stack alone: fruits-emr down --everything --data deletes the bucket and all that is in it, "
            f"or give another --project"
        )
    storage.deploy({**own, "LogDays": str(log_days)})
    Stack(account, "network").deploy(own)
    Stack(account, "roles").deploy(own)
    budget = Stack(account, "budget", budget_region(account))
    if email:
        budget.deploy({**own, "Email": email, "MonthlyDollars": str(monthly_dollars)})
    elif budget.describe() is None:
        account.say("No budget: nobody is told when the bill grows. --email makes one, at no charge")
    if not account.dry_run:
        account.say(f"Bucket s3://{account.bucket}. The policy of who runs the rest:")
        account.say(Stack(account, "roles").output("OperatorPolicy"))


@on_aws()
@click.argument("folder")
def upload(account: Account, folder: str) -> None:
    """Send the images of FOLDER to the bucket; those that are there are not sent again."""
    done = upload_images(account, folder)
    account.did(f"{done.done:,} images sent, {done.skipped:,} were there already")
    if done.failed:
        raise CloudError(f"{done.failed:,} images could not be read and were left out, see above")


@on_aws()
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Keras' .h5.")
@click.option(
    "--architecture", type=click.Choice(["x86_64", "aarch64"]), default="x86_64", help="m5, or m6g."
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Default: build/VERSION.")
@click.option("--no-build", is_flag=True, help="Send what was built before.")
def package(
    account: Account, weights: Path | None, architecture: Any, folder: Path | None, no_build: bool
) -> None:
    """Build what the nodes install, and send it to the bucket."""
    folder = folder or clone() / "build" / package_version(architecture)
    if not no_build:
        if weights is None:
            raise CloudError("Name the Keras weights: --weights (make run has left them in data/06_models)")
        if account.dry_run:
            account.say(f"not built: {folder}; what follows is of the package that is there")
        else:
            build_package(folder, weights, architecture, clone())
    done = upload_package(account, folder)
    account.did(f"{folder.name}: {done.done:,} files sent, {done.skipped:,} were there already")


@on_aws()
@click.option("--demo", is_flag=True, help="Keep it after its run, for JupyterHub.")
@click.option("--node-type", type=click.Choice(_NODE_TYPES), default="m5.xlarge", help="Of every node.")
@click.option("--core-nodes", type=click.IntRange(1, 10), default=2, help="Workers.")
@click.option("--task-nodes", type=click.IntRange(0, 20), default=0, help="Further workers, Spot.")
@click.option("--hours", type=click.FloatRange(1, 24), default=3.0, help="It ends then, whatever it does.")
@click.option("--idle-minutes", type=click.IntRange(15, 120), default=30, help="It ends when idle so long.")
@click.option("--params", help="As of kedro run.")
@click.option("--pipelines", help="As of kedro run.")
@click.option("--no-run", is_flag=True, help="With --demo: start it without a run.")
def up(account: Account, params: str | None, pipelines: str | None, no_run: bool, **plan: Any) -> None:
    """Start a cluster, run the pipeline, end the cluster."""
    cluster_plan = Plan(**plan)
    if no_run and not cluster_plan.demo:
        raise CloudError("A cluster without a run ends at once: give --demo as well")
    arguments = [] if no_run else run_arguments(account, cluster_plan.executors, params, pipelines)
    cluster = Cluster(account)
    if not cluster.start(cluster_plan, arguments, datetime.now(UTC)):
        return
    if Plan.of(cluster.stack.parameters()).demo:
        for step in cluster.steps(cluster.active_id())[-1:]:
            cluster.follow(step["Id"])
        _say(account, cluster.describe())
        account.say("fruits-emr notebook opens JupyterHub, fruits-emr down ends the cluster")
        return
    try:
        cluster.follow()
    finally:
        if cluster.state(cluster.id()) not in ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"):
            cluster.stack.delete()
    _say(account, remaining(account))


@on_aws()
@click.option("--params", help="As of kedro run.")
@click.option("--pipelines", help="As of kedro run.")
def run(account: Account, params: str | None, pipelines: str | None) -> None:
    """Run the pipeline on the cluster that up --demo has started."""
    cluster = Cluster(account)
    cluster.active_id()
    executors = Plan.of(cluster.stack.parameters()).executors
    step = cluster.add_step(run_arguments(account, executors, params, pipelines))
    if step:
        cluster.follow(step)


@on_aws(bucket=False)
@click.option("--follow", is_flag=True, help="Go on until nothing runs any more.")
def status(account: Account, follow: bool) -> None:
    """Say what runs, until when and for how much, in this region and in the others."""
    cluster = Cluster(account)
    _say(account, cluster.describe() + cluster.elsewhere() + remaining(account))
    if follow:
        cluster.follow()


@on_aws()
@click.argument("kind", type=click.Choice(["step", "bootstrap", "executors"]), default="step")
@click.option("--lines", type=click.IntRange(1), default=100, help="The last so many of each log.")
def logs(account: Account, kind: Any, lines: int) -> None:
    """Print the logs of the last step, of bootstrap.sh or of the executors."""
    _say(account, read_logs(account, kind, lines))


@on_aws()
@click.option("--port", type=click.IntRange(1024, 65535), default=9443, help="Of this machine.")
@click.option("--replace", is_flag=True, help="Send the clone's notebook over the one that is there.")
def notebook(account: Account, port: int, replace: bool) -> None:
    """Open the way to JupyterHub on the cluster that up --demo has started."""
    notebooks.put_notebook(account, clone() / notebooks.NOTEBOOK, replace)
    code = notebooks.forward(account, port)
    if code:
        raise CloudError(
            f"aws ssm start-session ended with {code}: docs/emr.md, JupyterHub, says what may be wrong"
        )


@on_aws()
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="Fetch them into this folder.")
def results(account: Account, to: Path | None) -> None:
    """List the results, or fetch them."""
    folders = yaml.safe_load((clone() / "conf/emr/globals.yml").read_text())["folders"]
    for name, folder in folders.items():
        sizes = [
            size for size, _ in list_objects(account, f"{folder}{'' if '.' in folder else '/'}").values()
        ]
        account.say(
            f"{name:10} {sum(sizes) / 1e6:10.2f} MB {len(sizes):7,} files  s3://{account.bucket}/{folder}"
        )
    if to:
        done = download(account, ["Results"], to)
        removed = f", {done.removed:,} removed that are in the bucket no more" if done.removed else ""
        account.did(f"{done.done:,} files fetched into {to}, {done.skipped:,} were there already{removed}")


@on_aws(bucket=False)
@click.option("--everything", is_flag=True, help="Network, roles and budget too.")
@click.option("--data", is_flag=True, help="With --everything: bucket and key too, for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def down(account: Account, everything: bool, data: bool, yes: bool) -> None:
    """End the cluster, and say what remains and its price."""
    if data and not everything:
        raise CloudError("--data deletes what the other stacks need: give --everything as well")
    cluster = Cluster(account)
    cluster.end()
    if data and not yes and not account.dry_run:
        click.confirm(f"Delete s3://{account.bucket}, images and results, for good?", abort=True)
    if everything:
        remove_free(account)
    if data:
        remove_data(account)
    _say(account, cluster.describe() + cluster.elsewhere() + remaining(account))


def _say(account: Account, lines: Iterable[str]) -> None:
    for line in lines:
        account.say(line)


for _command in (deploy, upload, package, up, run, status, logs, notebook, results, down, cost):
    main.add_command(_command)

if __name__ == "__main__":
    main()
