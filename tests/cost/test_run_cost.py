import json
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import pytest

from fruits_bigdata.cost import run_cost
from fruits_bigdata.cost.cost import estimate
from fruits_bigdata.cost.plans import DEFAULT_PLAN
from fruits_bigdata.cost.prices import PriceTable
from fruits_bigdata.cost.run_cost import cost_of_run

IN_PARIS = {"placement/region": "eu-west-3", "instance-type": "m5.xlarge"}
WORKERS = [{"worker": f"ip-10-0-0-{host}:{pid}"} for host in (1, 2) for pid in (7, 8, 9)]


def statistics(images: int) -> dict[str, Any]:
    return {"images": images, "workers": WORKERS if images else []}


@pytest.fixture
def emr(tmp_path) -> Callable[..., Path]:
    """What EMR writes on a node: see emr-dynamodb-connector, ClusterTopologyNodeCapacityProvider."""

    def write(**changed: Any) -> Path:
        info = {
            "jobFlowId": "j-1",
            "jobFlowCreationInstant": int((time() - 1800) * 1000),
            "instanceCount": 3,
            "masterInstanceId": "i-1",
            "masterInstanceType": "m5.xlarge",
            "slaveInstanceType": "m5.xlarge",
            "instanceGroups": [],
        }
        path = tmp_path / "job-flow.json"
        path.write_text(json.dumps(info | changed))
        return path

    return write


def group(role: str, market: str, count: int, machine: str = "m5.xlarge") -> dict[str, Any]:
    return {
        "instanceRole": role,
        "marketType": market,
        "instanceType": machine,
        "requestedInstanceCount": count,
    }


def test_elsewhere_it_says_what_the_same_images_would_cost(monkeypatch):
    monkeypatch.setattr(run_cost, "is_instance", lambda: False)
    found = cost_of_run(54.0, statistics(11_992))
    same = estimate(DEFAULT_PLAN, 11_992, PriceTable.load("eu-west-3"))
    assert found["is_estimate"] is True
    assert found["dollars"] == pytest.approx(same.dollars, abs=1e-6)
    assert found["dollars_per_million_images"] == pytest.approx(same.dollars_per_million, abs=1e-3)
    assert found["seconds"] == pytest.approx(same.seconds, abs=1e-3)
    assert found["says"].startswith(
        "An estimate: this run was on no machine of AWS'. 11,992 images would cost"
    )
    assert sum(line["value"] for line in found["lines"]) == pytest.approx(found["dollars"], abs=1e-6)
    assert found == json.loads(json.dumps(found))
    nothing = cost_of_run(13.0, statistics(0))
    assert nothing["dollars"] > 0
    assert nothing["dollars_per_million_images"] is None


def test_on_a_cluster_its_machines_and_the_time_are_counted(metadata_service, emr):
    metadata_service(IN_PARIS)
    found = cost_of_run(600.0, statistics(22_688), emr())
    # Ten minutes of three m5.xlarge: EC2, EMR's fee, 104 GB of disk, an address each; and S3 and KMS.
    hours = 600 / 3600
    machines = 3 * hours * (0.224 + 0.048 + 104 * 0.0928 / 730 + 0.005)
    asked = 22.688 * 0.00042 + (23 + 128 + 4 * 10) * 0.0000053 + (22_688 + 168) * 0.01 * 0.000003
    assert found["dollars"] == pytest.approx(machines + asked, abs=1e-6)
    assert found["cluster_dollars"] == pytest.approx(machines * 3 + asked, rel=0.01)
    assert found["is_estimate"] is False
    assert found["machines"] == "m5.xlarge, 1 master, 2 workers"
    assert found["region"] == "eu-west-3"
    assert found["says"].startswith(f"The run cost {found['dollars']:.2f} dollars, and the cluster 0.")
    assert found == json.loads(json.dumps(found))


def test_spot_groups_and_nodes_that_came_later_are_counted(metadata_service, emr):
    metadata_service(IN_PARIS)
    groups = [group("Master", "OnDemand", 1), group("Core", "OnDemand", 1), group("Task", "Spot", 1)]
    found = cost_of_run(3600.0, statistics(1000), emr(instanceGroups=groups))
    assert found["machines"] == "m5.xlarge, 1 master, 2 workers, 1 of them on Spot"
    lines = {line["what"]: line["value"] for line in found["lines"]}
    assert lines["master and workers"] == pytest.approx(2 * 0.224)
    assert lines["workers on Spot"] == pytest.approx(0.112)
    # A fleet: the file knows one node, two have worked.
    found = cost_of_run(3600.0, statistics(1000), emr(instanceCount=1))
    assert found["machines"] == "m5.xlarge, 1 master, 2 workers"


def test_an_instance_that_is_no_cluster_costs_ec2_alone(metadata_service, tmp_path):
    metadata_service(IN_PARIS)
    found = cost_of_run(1800.0, statistics(1000), tmp_path / "none")
    assert found["dollars"] == pytest.approx(0.112)
    assert found["machines"] == "1 m5.xlarge"
    assert found["is_estimate"] is False


def test_what_is_not_known_is_said_and_fails_nothing(metadata_service, emr):
    def says(metadata: dict[str, str], path: Path) -> str:
        metadata_service(metadata)
        found = cost_of_run(60.0, statistics(1000), path)
        assert found["dollars"] is None
        assert found["lines"] == []
        return str(found["says"])

    begin = "What the run cost is not known: "
    said = says({**IN_PARIS, "placement/region": "eu-north-1"}, emr())
    assert said.startswith(begin + "prices.yml has no prices of eu-north-1")
    said = says(IN_PARIS, emr(masterInstanceType="m7i.xlarge", slaveInstanceType="m7i.xlarge"))
    assert said.startswith(begin + "prices.yml has no price of 'ec2 m7i.xlarge' in eu-west-3: add it")
    two_types = [group("CORE", "ON_DEMAND", 2, "m5.2xlarge")]
    assert says(IN_PARIS, emr(instanceGroups=two_types)).endswith(
        "the master is an m5.xlarge, the workers are m5.2xlarge"
    )
    assert "does not answer" in says({}, emr())
    broken = emr()
    broken.write_text("{")
    assert says(IN_PARIS, broken).startswith(begin)
    broken.write_text("[]")
    assert says(IN_PARIS, broken).startswith(begin)
