"""`fruits-emr` on a server that answers as AWS does."""

import uuid
from typing import Any

import botocore.loaders
import botocore.session
import fsspec
import pytest
from click.testing import CliRunner, Result
from moto.cloudformation.models import cloudformation_backends
from moto.ec2.models import ec2_backends
from moto.emr.models import emr_backends

from fruits_bigdata.emr import stacks
from fruits_bigdata.emr.command import main
from tests.support.commands import PROJECT
from tests.support.local_aws import ACCOUNT, CREDENTIALS, LocalAws

REGION = "eu-west-3"
# Botocore reads its descriptions of AWS anew for each session, which takes longer than all else here.
LOADER = botocore.loaders.create_loader()


class FruitsEmr:
    """The command with a project of its own, so that tests do not see each other's stacks."""

    def __init__(self, aws: LocalAws, endpoint: str) -> None:
        self.aws = aws
        self.endpoint = endpoint
        self.project = f"f{uuid.uuid4().hex[:8]}"
        self.bucket = f"{self.project}-{ACCOUNT}-{REGION}"

    def __call__(self, *arguments: str, code: int | None = 0) -> str:
        """Run it and return what it prints; `code` is the exit code that is expected, None for any."""
        command, *rest = arguments
        result: Result = CliRunner().invoke(main, [command, "--project", self.project, *rest])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert code is None or result.exit_code == code, result.output
        return result.output

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a client of the server's."""
        return botocore.session.Session().create_client(service, region_name=region)

    def put_package(self, version: str = "2.0.0-x86_64") -> None:
        """Let `up` find a whole package."""
        self.client("s3").put_object(Bucket=self.bucket, Key=f"Package/{version}/MANIFEST.json", Body=b"{}")

    def costly(self) -> list[str]:
        """Return what runs: clusters and their machines, as the server itself has them."""
        clusters = emr_backends[ACCOUNT][REGION].clusters.values()
        own = [one for one in clusters if one.name.startswith(self.project)]
        machines = {machine.ec2_instance_id for one in own for machine in one.ec2_instances}
        running = {
            machine.id
            for machine in ec2_backends[ACCOUNT][REGION].all_instances()
            if machine.id in machines and machine.state == "running"
        }
        return [one.id for one in own if one.state != "TERMINATED"] + sorted(running)

    def stacks(self) -> list[str]:
        """Return the stacks that are there."""
        there = cloudformation_backends[ACCOUNT][REGION].stacks.values()
        return sorted(one.name for one in there if one.name.startswith(self.project))


@pytest.fixture
def fruits_emr(local_aws, aws_endpoint, monkeypatch) -> FruitsEmr:
    monkeypatch.setattr(botocore.session, "create_loader", lambda *_: LOADER)
    monkeypatch.setattr(fsspec.config, "conf", {})
    monkeypatch.setattr(stacks, "POLL_SECONDS", 0)
    monkeypatch.chdir(PROJECT)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": aws_endpoint, "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    for name, value in vars(LocalAws()).items():
        monkeypatch.setattr(local_aws, name, value)
    return FruitsEmr(local_aws, aws_endpoint)


@pytest.fixture
def deployed(fruits_emr) -> FruitsEmr:
    """The command where `deploy` has been run and a package lies in the bucket."""
    fruits_emr("deploy")
    fruits_emr.put_package()
    return fruits_emr
