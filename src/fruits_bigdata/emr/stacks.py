"""CloudFormation stacks: made, brought up to date and deleted, each as often as one likes."""

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from fruits_bigdata.emr.account import Account, CloudError, clone, uninterrupted

POLL_SECONDS = 5.0
# A stack in one of these was never whole, or is half gone: it can only be deleted.
_BROKEN = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"}


class Stack:
    """One stack of the project, made from `infra/<name>.yml`.

    Args:
        account: Where it is.
        name: That of the template: "storage", "network" ...
        region: If it is not the account's.
    """

    def __init__(self, account: Account, name: str, region: str | None = None) -> None:
        self.account = account
        self.short = name
        self.name = f"{account.project}-{name}"
        self.client = account.client("cloudformation", region or account.region)
        self._seen: set[str] = set()

    def describe(self, stack_id: str | None = None) -> dict[str, Any] | None:
        """Return what CloudFormation knows of it, None if it is not there."""
        try:
            (stack,) = self.client.describe_stacks(StackName=stack_id or self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" and stack_id is None else dict(stack)

    def parameters(self) -> dict[str, str]:
        """Return the parameters it was made with; none if it is not there."""
        stack = self.describe() or {}
        return {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}

    def output(self, key: str) -> str:
        """Return one of its outputs.

        Raises:
            CloudError: There is no such stack, or it was never finished.
        """
        for one in (self.describe() or {}).get("Outputs", []):
            if one["OutputKey"] == key:
                return str(one["OutputValue"])
        raise CloudError(f"There is no finished stack {self.name}: run fruits-emr deploy first")

    def resource(self, logical: str) -> str | None:
        """Return AWS' own name of one of its resources, None if that is not made."""
        try:
            answer = self.client.describe_stack_resources(StackName=self.name, LogicalResourceId=logical)
        except ClientError:
            return None
        names = [one.get("PhysicalResourceId") for one in answer["StackResources"]]
        return names[0] if names else None

    def deploy(self, parameters: Mapping[str, str]) -> None:
        """Make it, or bring it up to date, and wait; what is as it should be stays untouched.

        Raises:
            CloudError: CloudFormation could not; the message has the first reason that it gives.
        """
        stack = self._settled()
        if stack and stack["StackStatus"] in _BROKEN:
            self.account.say(f"{self.name} is {stack['StackStatus']}: it is deleted and made again")
            self.delete()
            stack = None
        if stack is None:
            # A bucket or key that is retained when its stack goes would else be in the way of the next
            # attempt.
            self._start("create_stack", parameters, RetainExceptOnCreate=True)
            self._wait_made()
        elif self._differs(parameters):
            self._start("update_stack", parameters)
            self._wait_made()
        else:
            self.account.say(f"{self.name} is up to date")

    def create(self, parameters: Mapping[str, str], minutes: int) -> None:
        """Make it within so many minutes and wait; what cannot be made leaves nothing behind.

        Raises:
            CloudError: As `deploy`.
        """
        stack_id = self._start("create_stack", parameters, OnFailure="DELETE", TimeoutInMinutes=minutes)
        self._wait_made(stack_id)

    def follow(self) -> None:
        """Wait for one that somebody else, or an interrupted command, has begun to make.

        Raises:
            CloudError: As `deploy`.
        """
        stack = self.describe()
        if stack is not None:
            self._wait_made(stack["StackId"])

    def delete(self) -> None:
        """Delete it and wait; one that is not there is gone already.

        Raises:
            CloudError: Something in it cannot be deleted.
        """
        # One that is being made is not waited for: what it has made by now costs.
        stack = self.describe()
        if stack is None:
            return
        if stack["StackStatus"] != "DELETE_IN_PROGRESS":
            self._seen = self._events(stack["StackId"], shown=False)
            with uninterrupted():
                self.client.delete_stack(StackName=self.name)
        if self.account.dry_run:
            return
        self.account.say(f"{self.name}: deleting")
        status = self._wait(stack["StackId"])
        if status != "DELETE_COMPLETE":
            raise CloudError(
                f"{self.name} ended in {status}: {self._reason(stack['StackId'])}. Mend that, then run the "
                f"same command again"
            )
        self.account.say(f"{self.name}: deleted")

    def _start(self, operation: str, parameters: Mapping[str, str], **more: Any) -> str | None:
        if operation == "update_stack":
            self._seen = self._events(self.name, shown=False)
        pairs = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        with uninterrupted():
            answer = getattr(self.client, operation)(
                StackName=self.name,
                TemplateBody=self._template(),
                Parameters=pairs,
                Capabilities=["CAPABILITY_IAM"],
                **more,
            )
        self.account.did(f"{self.name}: {operation.partition('_')[0][:-1]}ing")
        stack_id: str | None = answer.get("StackId")
        return stack_id

    def _template(self) -> str:
        return (clone() / "infra" / f"{self.short}.yml").read_text()

    def _differs(self, parameters: Mapping[str, str]) -> bool:
        current = self.parameters()
        if any(current.get(key) != value for key, value in parameters.items()):
            return True
        return bool(self.client.get_template(StackName=self.name)["TemplateBody"] != self._template())

    def _settled(self) -> dict[str, Any] | None:
        """Return the stack when nobody works on it any more; one that is being deleted is waited for too."""
        stack = self.describe()
        if stack and stack["StackStatus"].endswith("_IN_PROGRESS") and not self.account.dry_run:
            self.account.say(f"{self.name} is {stack['StackStatus']}: waiting for that to end")
            self._wait(stack["StackId"])
            return self.describe()
        return stack

    def _wait_made(self, stack_id: str | None = None) -> None:
        if self.account.dry_run:
            return
        stack_id = stack_id or (self.describe() or {}).get("StackId") or self.name
        status = self._wait(stack_id)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise CloudError(
                f"{self.name} ended in {status}: {self._reason(stack_id)}. Mend that, then run the same "
                f"command again: it goes on where it was"
            )
        self.account.say(f"{self.name}: {status}")

    def _wait(self, stack_id: str) -> str:
        while True:
            stack = self.describe(stack_id)
            self._seen |= self._events(stack_id)
            status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
            if not status.endswith("_IN_PROGRESS"):
                return str(status)
            time.sleep(POLL_SECONDS)

    def _events(self, stack_id: str, shown: bool = True) -> set[str]:
        """Print what has happened to the stack's resources since the last look."""
        events = self._all_events(stack_id)
        new = [one for one in reversed(events) if one["EventId"] not in self._seen]
        for one in new if shown else ():
            status = one["ResourceStatus"]
            if one["ResourceType"] != "AWS::CloudFormation::Stack" and not status.endswith("_IN_PROGRESS"):
                reason = f": {one['ResourceStatusReason']}" if "FAILED" in status else ""
                self.account.say(f"  {one['LogicalResourceId']} {status}{reason}")
        return {one["EventId"] for one in events}

    def _reason(self, stack_id: str) -> str:
        failed = [
            one.get("ResourceStatusReason", "")
            for one in reversed(self._all_events(stack_id))
            if "FAILED" in one["ResourceStatus"] and "cancelled" not in one.get("ResourceStatusReason", "")
        ]
        return failed[0].rstrip(".") if failed else "CloudFormation gives no reason"

    def _all_events(self, stack_id: str) -> list[dict[str, Any]]:
        try:
            pages = self.client.get_paginator("describe_stack_events").paginate(StackName=stack_id)
            return [one for page in pages for one in page["StackEvents"]]
        except ClientError:
            return []
