"""The life of a cluster by `fruits-emr`, on a server that answers as AWS does; and Ctrl-C at each step."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.endpoint import Endpoint
from botocore.exceptions import EndpointConnectionError
from cfnlint.decode import cfn_yaml
from moto.emr.models import emr_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from fruits_bigdata.emr.account import _READS
from fruits_bigdata.emr.command import main
from tests.support.commands import take_credentials
from tests.support.local_aws import ACCOUNT

REGION = "eu-west-3"
# moto 5.2.5 makes everything else; these it leaves out with a warning.
NOT_IN_MOTO = {
    "AWS::S3::BucketPolicy",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::Scheduler::Schedule",
    "AWS::Budgets::Budget",
}
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


def assert_made(fruits_emr: Any, name: str) -> None:
    """Hold a stack against its template."""
    kinds = {one["Type"] for one in cfn_yaml.load(f"infra/{name}.yml")["Resources"].values()}
    stack = f"{fruits_emr.project}-{name}"
    made = fruits_emr.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    assert kinds - {one.get("ResourceType") for one in made} == kinds & NOT_IN_MOTO


def test_from_an_empty_account_to_results_and_back_to_nothing(fruits_emr, images_path, tmp_path):
    assert "0 dollars a month" in fruits_emr("status")
    assert "run fruits-emr deploy first" in fruits_emr("upload", str(images_path), code=1)

    assert "policy/" in fruits_emr("deploy", "--email", "somebody@example.org")
    names = [f"{fruits_emr.project}-{name}" for name in ("budget", "network", "roles", "storage")]
    assert fruits_emr.stacks() == names
    for name in names:
        assert_made(fruits_emr, name.partition("-")[2])
    assert "6 images sent" in fruits_emr("upload", str(images_path))
    assert "fruits-emr package --architecture x86_64 first" in fruits_emr("up", code=1)
    fruits_emr.put_package()

    def run(command: str) -> None:
        assert f"output_path=s3://{fruits_emr.bucket}," in command
        s3 = fruits_emr.client("s3")
        s3.put_object(Bucket=fruits_emr.bucket, Key="Results_CSV/version=1/part-0.csv", Body=b"path,label")

    fruits_emr.aws.on_run = run
    said = fruits_emr("up")
    assert re.search(r"step s-\w+ COMPLETED", said)
    assert "1.00 dollars a month" in said
    # A transient cluster is gone with its stack when the command is done.
    assert fruits_emr.costly() == []
    assert f"{fruits_emr.project}-cluster" not in fruits_emr.stacks()
    assert "COMPLETED" in fruits_emr("logs")

    assert "1 files fetched" in fruits_emr("results", "--to", str(tmp_path / "fetched"))
    assert (tmp_path / "fetched/Results_CSV/version=1/part-0.csv").read_text() == "path,label"

    # More than S3 tells or deletes at a request, some of them twice.
    for n in range(1_100):
        s3_backends[ACCOUNT]["aws"].put_object(fruits_emr.bucket, f"Test/{n % 1_050}.jpg", b"")
    said = fruits_emr("down", "--everything", "--data", "--yes")
    assert "0 dollars a month" in said
    assert fruits_emr.stacks() == []
    assert fruits_emr.bucket not in [one["Name"] for one in fruits_emr.client("s3").list_buckets()["Buckets"]]
    (key,) = re.findall(r"The key (\S+) ends in 7 days", said)
    assert kms_backends[ACCOUNT][REGION].keys[key].key_state == "PendingDeletion"
    # And once more from the beginning.
    fruits_emr("deploy")


def test_a_demonstration(deployed):
    assert "No cluster" in deployed("run", code=1)
    assert "is WAITING" in deployed("up", "--demo")
    (cluster, machine) = deployed.costly()
    assert_made(deployed, "cluster")
    # Neither a second cluster nor a second machine.
    assert f"A cluster runs already: {cluster}" in deployed("up", "--demo")
    assert deployed.costly() == [cluster, machine]
    said = deployed("run", "--params", "limit=100", "--pipelines", "pca,export")
    assert len(set(re.findall(r"step (s-\w+)", said))) == 2
    assert "executors=2,limit=100 --pipelines pca,export" in deployed("logs")
    said = deployed("status")
    assert cluster in said
    assert "dollars an hour" in said
    assert re.search(r"ends at 20\d\d-\S+ UTC", said)
    assert "In eu-central-1, eu-north-1, eu-south-1, eu-south-2, eu-west-1: no cluster." in said
    assert "No cluster runs." in deployed("down")
    assert deployed.costly() == []
    assert "No cluster runs." in deployed("down")


def test_a_run_that_fails_says_so_and_ends_the_cluster(deployed):
    deployed.aws.step_end = "FAILED"
    assert "ended in FAILED: fruits-emr logs shows why" in deployed("up", code=1)
    assert deployed.costly() == []
    assert "FAILED" in deployed("logs")
    # On a cluster that stays, the next run does what is missing.
    assert "ended in FAILED" in deployed("up", "--demo", code=1)
    assert deployed.costly()
    deployed.aws.step_end = "COMPLETED"
    deployed("run")


def test_a_cluster_that_does_not_come_up_says_why_and_leaves_nothing(deployed):
    name = f"{deployed.project}-cluster"
    course = ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    deployed.aws.courses[name] = [(status, None) for status in course]
    deployed.aws.courses[name][2] = ("DELETE_IN_PROGRESS", "On the master instance bootstrap action 1 failed")
    said = deployed("up", code=1)
    assert f"{name} ended in DELETE_COMPLETE: On the master instance bootstrap action 1 failed" in said


def test_a_cluster_that_emr_itself_has_forgotten_is_none(deployed):
    deployed("up", "--demo")
    (cluster, _) = deployed.costly()
    deployed.client("emr").terminate_job_flows(JobFlowIds=[cluster])
    del emr_backends[ACCOUNT][REGION].clusters[cluster]
    assert "No cluster runs." in deployed("status")


def test_a_forgotten_cluster_is_found(deployed):
    name = f"{deployed.project}-cluster"
    instances = {"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 1, "MasterInstanceType": "m5.xlarge"}
    for region in ("eu-west-3", "eu-south-2"):
        emr = deployed.client("emr", region)
        emr.run_job_flow(Name=name, Instances=instances, JobFlowRole="x", ServiceRole="y")
    assert "A cluster made without the stack runs" in deployed("status")
    said = deployed("down")
    assert deployed.costly() == []
    assert re.search(
        r"A cluster runs in eu-south-2 as well: j-\w+; fruits-emr down --region eu-south-2", said
    )


def test_what_would_leave_the_union_is_refused(fruits_emr, monkeypatch):
    for region in ("us-east-1", "eu-west-2", "eu-central-2"):
        assert f"{region} is no region of the EU" in fruits_emr("deploy", "--region", region, code=1)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert "us-east-1 is no region of the EU" in fruits_emr("status", code=1)
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    for endpoint in ("https://cloudformation.us-east-1.amazonaws.com", "https://s3.example.org"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert "nobody can tell that this is in eu-west-3" in fruits_emr("deploy", code=1)


def test_without_credentials_one_sentence_says_so(fruits_emr, monkeypatch):
    take_credentials(monkeypatch)
    assert "There are no AWS credentials: log in" in fruits_emr("status", code=1)


@contextmanager
def watched(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[Any], Any], after: Callable[[Any, Any], None]
) -> Iterator[None]:
    """Call `before` with botocore's model of each request, and `after` with what that has returned, too."""
    make = Endpoint.make_request

    def make_request(self: Endpoint, model: Any, request: Any) -> Any:
        note = before(model)
        answer = make(self, model, request)
        after(model, note)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(Endpoint, "make_request", make_request)
        yield


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def requests(monkeypatch: pytest.MonkeyPatch, stop_at: int = 0, late: bool = False) -> Iterator[list[str]]:
    """Note what is sent that changes something; press Ctrl-C before or after the n-th."""
    sent: list[str] = []

    def before(model: Any) -> bool:
        if model.name.startswith(_READS):
            return False
        sent.append(model.name)
        stops = len(sent) == stop_at
        if stops and not late:
            press_ctrl_c()
        return stops

    def after(model: Any, stops: bool) -> None:
        if stops and late:
            press_ctrl_c()

    with watched(monkeypatch, before, after):
        yield sent


COMMANDS = [
    ["deploy", "--log-days", "20"],
    ["upload", "IMAGES"],
    ["up"],
    ["run"],
    ["notebook", "--replace"],
    ["results", "--to", "FOLDER"],
    ["status"],
    ["logs"],
    ["down", "--everything", "--data", "--yes"],
]


@pytest.fixture
def prepared(deployed, images_path, tmp_path, monkeypatch) -> Any:
    """Everything that a command needs, in a clone with a notebook, where the AWS CLI is installed."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/fruits_emr.ipynb").write_text("{}")
    for name in ("infra", "conf"):
        (tmp_path / name).symlink_to(Path(name).absolute())
    monkeypatch.chdir(tmp_path)
    for name in ("aws", "session-manager-plugin"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text('#!/bin/sh\necho "$@" > "$(dirname "$0")/told"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return deployed


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_dry_run_changes_nothing_and_prints_what_would_be_sent(
    prepared, images_path, tmp_path, monkeypatch, arguments
):
    arguments = [{"IMAGES": str(images_path), "FOLDER": str(tmp_path / "to")}.get(a, a) for a in arguments]
    if arguments[0] in ("run", "notebook", "logs", "down"):
        prepared("up", "--demo")
    with requests(monkeypatch) as sent:
        said = prepared(arguments[0], "--dry-run", *arguments[1:])
    assert sent == []
    would = re.findall(r"^not sent: \S+ (\w+) \{", said, re.MULTILINE)
    expected = {
        "deploy": ["UpdateStack"],
        "upload": ["PutObject"] * 6,
        "up": ["CreateStack"],
        "run": ["AddJobFlowSteps"],
        "notebook": ["PutObject"],
        "down": ["DeleteStack"],
    }.get(arguments[0], [])
    assert would[: len(expected)] == expected
    if not expected:
        assert would == []


@pytest.mark.parametrize("arguments", [["up"], ["up", "--demo"], ["run"]], ids=" ".join)
def test_interrupted_while_something_starts_it_says_what_runs_and_down_ends_it(
    deployed, monkeypatch, arguments
):
    for stop_at, after in ((n, after) for n in range(1, 10) for after in (False, True)):
        if arguments == ["run"]:
            deployed("up", "--demo", "--no-run")
        with requests(monkeypatch, stop_at, after) as sent:
            said = deployed(*arguments, code=None)
        if len(sent) < stop_at:
            break
        check_announcement(deployed, said)
        # Whatever was done by then, the same command ends the work.
        deployed(*arguments)
        deployed("down")
        assert deployed.costly() == []
        assert f"{deployed.project}-cluster" not in deployed.stacks()
    assert stop_at > 1


@pytest.mark.parametrize(
    "arguments",
    [["deploy"], ["upload", "IMAGES"], ["down"], ["down", "--everything", "--data", "--yes"]],
    ids=" ".join,
)
def test_interrupted_at_every_step_it_goes_on_where_it_was(prepared, images_path, monkeypatch, arguments):
    if arguments == ["deploy"]:
        prepared("down", "--everything", "--data", "--yes")
    if arguments[0] == "down":
        prepared("up", "--demo")
    arguments = [str(images_path) if a == "IMAGES" else a for a in arguments]
    n = 0
    sent = ["at first"]
    while sent:
        # By turns before and after the first thing that the command changes: two runs get one step further.
        # The key is told each time anew to end.
        stop_at = 2 if "ScheduleKeyDeletion" in sent else 1
        with requests(monkeypatch, stop_at, late=n % 2 == 1) as sent:
            said = prepared(*arguments, code=None)
        if len(sent) >= stop_at:
            check_announcement(prepared, said)
        n += 1
        assert n < 100
    assert n > 1
    if arguments[0] == "deploy":
        assert len(prepared.stacks()) == 3
    if arguments[0] == "upload":
        there = prepared.client("s3").list_objects_v2(Bucket=prepared.bucket, Prefix="Test/")
        assert there["KeyCount"] == 6
    if arguments[0] == "down":
        assert prepared.costly() == []
    if "--everything" in arguments:
        assert prepared.stacks() == []
        assert "0 dollars a month" in said


@pytest.mark.parametrize("interrupted", [True, False])
def test_when_the_line_is_lost_too_it_says_that_something_may_run(deployed, monkeypatch, interrupted):
    started: list[str] = []

    def before(model: Any) -> None:
        if started:
            raise EndpointConnectionError(endpoint_url="https://cloudformation.eu-west-3.amazonaws.com")

    def after(model: Any, _: None) -> None:
        if model.name == "CreateStack":
            started.append(model.name)
            if interrupted:
                press_ctrl_c()

    with watched(monkeypatch, before, after):
        said = deployed("up", code=1)
    assert "a cluster may run: fruits-emr status says it" in said
    assert "Could not connect to the endpoint" in said
    deployed("down")


def check_announcement(fruits_emr: Any, said: str) -> None:
    """Compare what an interrupted command says with what the server itself knows."""
    assert "Interrupted. What AWS says:" in said, said
    running = fruits_emr.costly()
    assert ("No cluster runs." in said) == (not running)
    assert not running or running[0] in said


def test_a_port_is_forwarded_to_jupyterhub(prepared, tmp_path):
    assert "No cluster" in prepared("notebook", code=1)
    prepared("up", "--demo")
    said = prepared("notebook", "--port", "9999")
    assert "https://localhost:9999" in said
    assert (tmp_path / "bin/told").read_text().strip() == (
        f"ssm start-session --region eu-west-3 --target {prepared.costly()[1]} --document-name "
        'AWS-StartPortForwardingSession --parameters {"portNumber": ["9443"], "localPortNumber": ["9999"]}'
    )
    key = "jupyter/jovyan/fruits_emr.ipynb"
    s3 = prepared.client("s3")
    s3.put_object(Bucket=prepared.bucket, Key=key, Body=b"worked on")
    assert "kept as it is" in prepared("notebook")
    assert s3.get_object(Bucket=prepared.bucket, Key=key)["Body"].read() == b"worked on"
    (tmp_path / "bin/session-manager-plugin").unlink()
    assert "session-manager-plugin is not installed" in prepared("notebook", code=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_waiting_is_answered_at_once(deployed, number):
    deployed.aws.held = True
    command = [sys.executable, "-m", "fruits_bigdata.emr.command", "up", "--project", deployed.project]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while not re.search(r"step s-\w+ RUNNING", said):
            line = process.stdout.readline()
            assert line, said
            said += line
        (cluster, machine) = deployed.costly()
        process.send_signal(number)
        said = process.stdout.read()
        assert process.wait() == 130
    assert f"The cluster {cluster} is RUNNING" in said
    assert "fruits-emr down ends it" in said
    # It was told, and goes on; what ends it is one command, or its own last hour.
    assert deployed.costly() == [cluster, machine]
    deployed("down")
    assert deployed.costly() == []


# How IAM calls what is asked for by another name (Service Authorization Reference).
ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:HeadObject": "s3:GetObject",
}


def test_the_operator_may_do_what_the_commands_ask_for(prepared, images_path, tmp_path, monkeypatch):
    asked: set[str] = set()
    package = tmp_path / "package"
    package.mkdir()
    (package / "stale").touch()

    def note(model: Any, _: None = None) -> None:
        asked.add(f"{model.service_model.signing_name}:{model.name}")

    for files in ({"stale": ""}, {}):
        manifest = {"version": "0.1.0", "architecture": "x86_64", "files": files}
        (package / "MANIFEST.json").write_text(json.dumps(manifest))
        with watched(monkeypatch, note, note):
            prepared("package", "--no-build", "--folder", str(package))
    with watched(monkeypatch, note, note):
        prepared("upload", str(images_path))
        for command in ("up", "up --demo --no-run", "run", "status", "logs", "notebook", "results"):
            prepared(*command.split())
        prepared("results", "--to", str(tmp_path / "to"))
        prepared("down")
    needed = {ACTIONS.get(one, one) for one in asked} - {"sts:GetCallerIdentity"}
    operator = cfn_yaml.load("infra/roles.yml")["Resources"]["Operator"]["Properties"]["PolicyDocument"]
    allowed = {
        action
        for statement in operator["Statement"]
        if statement["Effect"] == "Allow"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert len(needed) > 15
    assert needed - allowed == set()


def test_the_command_offers_what_the_template_takes():
    parameters = yaml.safe_load(re.sub(r"![A-Z]\w+", "", Path("infra/cluster.yml").read_text()))["Parameters"]
    options = {one.name: one.type for one in main.commands["up"].params}
    assert list(options["node_type"].choices) == parameters["NodeType"]["AllowedValues"]
    for option, name, unit in (("core_nodes", "CoreNodes", 1), ("idle_minutes", "IdleSeconds", 60)):
        assert options[option].min * unit == parameters[name]["MinValue"]
        assert options[option].max * unit == parameters[name]["MaxValue"]
    assert options["task_nodes"].max == parameters["TaskNodes"]["MaxValue"]
    assert options["core_nodes"].max + options["task_nodes"].max <= parameters["MaxNodes"]["MaxValue"]
