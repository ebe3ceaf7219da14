"""What a cluster is to be, and what it is told to run."""

import shlex
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from fruits_bigdata.cost.prices import PriceTable
from fruits_bigdata.emr.account import Account
from fruits_bigdata.emr.plan import Plan, run_arguments
from tests.support.commands import PROJECT

NOW = datetime(2026, 11, 25, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("node_type", "architecture"),
    [
        ("m5.xlarge", "x86_64"),
        ("m5d.xlarge", "x86_64"),
        ("m7i.xlarge", "x86_64"),
        ("m6g.xlarge", "aarch64"),
        ("m6gd.2xlarge", "aarch64"),
    ],
)
def test_the_package_is_for_the_nodes_processor(node_type, architecture):
    assert Plan(node_type=node_type).architecture == architecture
    assert Plan(node_type=node_type).package.endswith(f"-{architecture}")


@pytest.mark.parametrize(
    ("plan", "executors"),
    [
        (Plan(), 2),
        (Plan(core_nodes=3, task_nodes=2), 5),
        (Plan(node_type="m5.2xlarge"), 4),
        (Plan(node_type="m6g.2xlarge", core_nodes=1), 2),
    ],
)
def test_every_worker_gets_its_executors(plan, executors):
    assert plan.executors == executors


def test_a_stack_tells_the_plan_that_it_was_made_by():
    plan = Plan("m6g.xlarge", core_nodes=3, task_nodes=1, hours=2, idle_minutes=45, demo=True)
    parameters = plan.parameters("fruits", ["--params", "a=b c"], NOW)
    assert parameters["EndsAt"] == "2026-11-26T01:00:00"
    assert parameters["MaxNodes"] == "4"
    told = Plan.of(parameters)
    assert (told.node_type, told.core_nodes, told.task_nodes, told.idle_minutes, told.demo) == (
        "m6g.xlarge",
        3,
        1,
        45,
        True,
    )


def test_the_price_is_that_of_all_nodes_with_disks_and_addresses():
    table = PriceTable.load("eu-west-3")
    # 0.224 + 0.048 + 0.005, and 104 GB at 0.0928 a month of 730 hours.
    assert Plan().dollars_per_hour("eu-west-3") == pytest.approx(3 * (0.277 + 104 * 0.0928 / 730))
    assert table["ec2 m5.xlarge"].value == 0.224
    # EMR gives a node of twice as many vCPUs twice as much disk.
    larger = Plan("m5.2xlarge").dollars_per_hour("eu-west-3")
    assert larger == pytest.approx(3 * (0.549 + 168 * 0.0928 / 730))
    assert Plan().dollars_per_hour("eu-south-2") is None
    assert "no price" in Plan(node_type="m7i.xlarge").describe("eu-west-3")


@pytest.fixture
def account(monkeypatch) -> Account:
    account = Account("fruits", "eu-west-1", dry_run=False, say=print)
    account.id = "123456789012"
    return account


def test_what_the_user_adds_arrives_at_kedro_as_it_was_typed(account):
    odd = 'weights_path=s3://other/it\'s "my" $HOME/w.h5'
    arguments = run_arguments(account, 2, odd, "pca,export")
    step = Plan().parameters("fruits", arguments, NOW)["StepArguments"]
    # As the step passes it on (infra/cluster.yml).
    command = ["bash", "-c", f'printf "%s\\n" {step}']
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines() == arguments
    )
    assert shlex.split(step) == arguments
    assert odd in arguments[1]


def test_kedro_knows_every_parameter_that_is_given(account):
    _, params, *_ = run_arguments(account, 7, None, None)
    given: dict[str, Any] = {}
    for item in params.split(","):
        name, _, value = item.partition("=")
        given[name] = yaml.safe_load(value)
    given["s3"] = {"region": given.pop("s3.region")}
    bootstrap_project(PROJECT)
    with KedroSession.create(PROJECT, env="emr", runtime_params=given) as session:
        context = session.load_context()
        spark = context.config_loader["spark"]
        assert spark["spark.executor.instances"] == 7
        assert context.config_loader["s3a"]["spark.hadoop.fs.s3a.endpoint.region"] == "eu-west-1"
        assert context.params["images_path"] == "s3://fruits-123456789012-eu-west-1/Test"
    with KedroSession.create(PROJECT, env="emr") as session:
        loader = session.load_context().config_loader
        assert loader["spark"]["spark.executor.instances"] == 2
