"""The cluster: started as a stack, given steps, watched and ended."""

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from fruits_bigdata.emr import stacks
from fruits_bigdata.emr.account import Account, CloudError, uninterrupted
from fruits_bigdata.emr.plan import Plan
from fruits_bigdata.emr.stacks import Stack
from fruits_bigdata.privacy.residency import EU_REGIONS
from fruits_bigdata.storage.errors import in_short

# Half an hour: EMR starts a cluster and runs bootstrap.sh in some ten minutes.
START_MINUTES = 30
_ACTIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING")
_COSTLY = tuple(state for state in _ACTIVE if state != "TERMINATING")
_STEP_ENDED = ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")
_COMMAND = "/opt/fruits_bigdata/bin/fruits-run"


class Cluster:
    """The one cluster of the project, and the stack that it is made by."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.stack = Stack(account, "cluster")
        self.emr = account.client("emr")

    def id(self) -> str | None:
        """Return EMR's name of it, None if there is none."""
        return self.stack.resource("Cluster")

    def state(self, cluster_id: str | None) -> str:
        """Return EMR's word for its state; "NONE" if there is no cluster."""
        if cluster_id is None:
            return "NONE"
        try:
            return str(self.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])
        except ClientError as error:
            # EMR forgets a cluster two months after its end.
            if error.response["Error"]["Code"] == "InvalidRequestException":
                return "TERMINATED"
            raise

    def active_id(self) -> str:
        """Return EMR's name of the cluster that takes steps.

        Raises:
            CloudError: There is none, or it is not ready yet.
        """
        cluster_id = self.id()
        state = self.state(cluster_id)
        if cluster_id is None or state not in ("RUNNING", "WAITING"):
            raise CloudError(
                f"No cluster of {self.account.project} is ready in {self.account.region} (state: {state}): "
                f"fruits-emr up --demo starts one, fruits-emr status says how far it is"
            )
        return cluster_id

    def start(self, plan: Plan, arguments: Sequence[str], now: datetime) -> bool:
        """Start one and wait until it runs; one that is there already is not started again.

        Returns:
            Whether a cluster runs now; False after a dry run.

        Raises:
            CloudError: It could not be started, and nothing of it is left.
        """
        stack = self.stack.describe()
        if stack and stack["StackStatus"] == "CREATE_IN_PROGRESS":
            self.account.say("A cluster is being started already")
            self.stack.follow()
            return True
        if stack and self.state(self.id()) in _COSTLY:
            self.account.say(f"A cluster runs already: {self.id()}")
            return True
        if stack:
            self.account.say("The last cluster has ended: its stack is removed first")
            self.stack.delete()
        self._check_package(plan)
        self.account.say(f"Starting {plan.describe(self.account.region)}")
        self.stack.create(plan.parameters(self.account.project, arguments, now), START_MINUTES)
        return not self.account.dry_run

    def _check_package(self, plan: Plan) -> None:
        key = f"Package/{plan.package}/MANIFEST.json"
        try:
            self.account.client("s3").head_object(Bucket=self.account.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                raise
            missing = (
                f"There is no whole package s3://{self.account.bucket}/{key}: run fruits-emr package "
                f"--architecture {plan.architecture} first"
            )
            if not self.account.dry_run:
                raise CloudError(missing) from error
            self.account.say(missing)

    def add_step(self, arguments: Sequence[str]) -> str | None:
        """Give the cluster a run; one with the same arguments that waits or runs is taken instead.

        Returns:
            The step; None after a dry run.
        """
        cluster_id = self.active_id()
        command = ["bash", "-c", f"{_COMMAND} {shlex.join(arguments)}"]
        for step in self.steps(cluster_id):
            if step["Config"]["Args"] == command and step["Status"]["State"] not in _STEP_ENDED:
                self.account.say(f"This run is there already: {step['Id']}")
                return str(step["Id"])
        step = {
            "Name": "fruits-run",
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": command},
        }
        with uninterrupted():
            answer = self.emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])
        return None if self.account.dry_run else str(answer["StepIds"][0])

    def steps(self, cluster_id: str) -> list[dict[str, Any]]:
        """Return its steps, the oldest first."""
        pages = self.emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
        return [step for page in pages for step in page["Steps"]][::-1]

    def follow(self, step_id: str | None = None) -> None:
        """Print what changes until the step has ended or, without one, the cluster has or waits for steps.

        Raises:
            CloudError: A step failed.
        """
        cluster_id = self.id()
        if cluster_id is None:
            raise CloudError(f"There is no cluster of {self.account.project}: fruits-emr up starts one")
        last_states: dict[str, str] = {}
        while True:
            state = self.state(cluster_id)
            steps = self.steps(cluster_id)
            states = {cluster_id: state, **{one["Id"]: one["Status"]["State"] for one in steps}}
            for name, now in states.items():
                if last_states.get(name) != now:
                    self.account.say(
                        f"  {_clock()} {'step' if name != cluster_id else 'cluster'} {name} {now}"
                    )
            last_states = states
            idle = state == "WAITING" and all(one["Status"]["State"] in _STEP_ENDED for one in steps)
            if state not in _ACTIVE or (states.get(step_id) in _STEP_ENDED if step_id else idle):
                break
            time.sleep(stacks.POLL_SECONDS)
        ended = [one for one in steps if step_id in (None, one["Id"])]
        failed = [one for one in ended if one["Status"]["State"] != "COMPLETED"]
        if failed:
            raise CloudError(
                f"The step {failed[0]['Id']} ended in {failed[0]['Status']['State']}: fruits-emr logs shows "
                f"why (EMR copies logs within five minutes); the next run goes on where it was"
            )

    def end(self) -> None:
        """End it and any other of its name that runs here, and wait until that is so."""
        self.stack.delete()
        left = self.active(self.account.region)
        if left:
            self.emr.terminate_job_flows(JobFlowIds=[one["Id"] for one in left])
        while left and not self.account.dry_run:
            self.account.say(f"  ending {', '.join(one['Id'] for one in left)}, made without the stack")
            time.sleep(stacks.POLL_SECONDS)
            left = self.active(self.account.region)

    def active(self, region: str) -> list[dict[str, Any]]:
        """Return the clusters of its name that cost something in a region, wherever they come from."""
        pages = self.account.client("emr", region).get_paginator("list_clusters")
        clusters = [one for page in pages.paginate(ClusterStates=list(_ACTIVE)) for one in page["Clusters"]]
        return [one for one in clusters if one["Name"] == self.stack.name]

    def elsewhere(self) -> list[str]:
        """Return, in sentences, what was forgotten in other regions of the EU, or cannot be asked of."""
        lines = []
        others = sorted(EU_REGIONS - {self.account.region})
        for region in others:
            try:
                lines += [
                    f"A cluster runs in {region} as well: {one['Id']}; fruits-emr down --region {region}"
                    for one in self.active(region)
                ]
            except ClientError as error:
                # A region that the account has not opted into has no clusters.
                if error.response["Error"]["Code"] not in (
                    "UnrecognizedClientException",
                    "InvalidClientTokenId",
                ):
                    lines.append(f"Nobody can tell whether a cluster runs in {region}: {in_short(error)}")
        return lines or [f"In {', '.join(others)}: no cluster."]

    def describe(self) -> list[str]:
        """Return, in sentences, whether something runs and what it costs, as AWS says now."""
        stack = self.stack.describe()
        cluster_id = self.id() if stack else None
        state = self.state(cluster_id)
        own = [one["Id"] for one in self.active(self.account.region) if one["Id"] != cluster_id]
        lines = [f"A cluster made without the stack runs: {one}; fruits-emr down ends it" for one in own]
        if stack is None:
            return [*lines, "No cluster runs."]
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
        status = stack["StackStatus"]
        if state in _ACTIVE or status == "CREATE_IN_PROGRESS":
            plan = Plan.of(parameters).describe(self.account.region)
            ends = parameters["EndsAt"]
            lines.append(
                f"The cluster {cluster_id or '(being made)'} is {state}, its stack {status}: {plan}; it ends "
                f"at {ends} UTC at the latest"
            )
            lines += [
                f"Step {one['Id']} {one['Name']} is {one['Status']['State']}"
                for one in (self.steps(cluster_id) if cluster_id else [])
            ]
        else:
            lines.append(
                f"No cluster runs. The stack {self.stack.name} of the last one ({cluster_id}, {state}) is "
                f"{status} and costs nothing"
            )
        return lines


def _clock() -> str:
    return datetime.now(UTC).strftime("%H:%M:%S")
