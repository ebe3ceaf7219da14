"""What a run has cost, by the machines that it ran on; elsewhere, what it would have cost on a cluster."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import Any

from fruits_bigdata.cost.cost import Line, estimate, nodes, requests
from fruits_bigdata.cost.plans import DEFAULT_PLAN, DEFAULT_REGION, vcpus_of
from fruits_bigdata.cost.prices import PriceTable
from fruits_bigdata.privacy.instance import instance_metadata, is_instance

# What EMR keeps on each node of a cluster.
_EMR_INFO = Path("/mnt/var/lib/info/job-flow.json")
_SECONDS_AN_HOUR = 3600

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Cluster:
    """The nodes of an EMR cluster, all of one type, and the seconds since it was asked for."""

    machine: str
    on_demand: int
    spot: int
    age: float


def cost_of_run(
    seconds: float, featurization_statistics: Mapping[str, Any], emr_info: Path = _EMR_INFO
) -> dict[str, Any]:
    """Return what a run cost, for its report; it never fails a run.

    Args:
        seconds: How long it took.
        featurization_statistics: The number of `images` that it dealt with, and the `workers` that did.
        emr_info: EMR's own file about the cluster.

    Returns:
        `says`, a sentence; `is_estimate`, whether it ran on no machine of AWS'; `dollars`, before tax,
        `dollars_per_million_images`, `seconds`, `region`, `machines`, `lines` (`what`, `arithmetic`, with a
        star at what is assumed, `value`) and `prices_dated`. What is not known is None.
    """
    n_images = featurization_statistics["images"]
    # A worker's name is `host:pid`.
    hosts = {worker["worker"].rpartition(":")[0] for worker in featurization_statistics.get("workers", ())}
    entry: dict[str, Any] = dict.fromkeys(
        ("dollars", "dollars_per_million_images", "region", "machines", "prices_dated")
    )
    entry |= {"is_estimate": False, "seconds": round(seconds, 3), "lines": []}
    try:
        entry |= _of_instance(seconds, n_images, len(hosts), emr_info) if is_instance() else _as_if(n_images)
    # A figure of the report is no reason to fail a run that has done everything.
    except Exception as error:
        entry["says"] = f"What the run cost is not known: {error}"
    if entry["dollars"] is not None and n_images:
        entry["dollars_per_million_images"] = round(1e6 * entry["dollars"] / n_images, 4)
    logger.info("%s", entry["says"])
    return entry


def _as_if(n_images: int) -> dict[str, Any]:
    prices = PriceTable.load(DEFAULT_REGION)
    one = estimate(DEFAULT_PLAN, n_images, prices)
    return {
        "says": f"An estimate: this run was on no machine of AWS'. {n_images:,} images would cost "
        f"{one.dollars:.2f} dollars on {one.plan} in {prices.place}, most figures assumed: "
        f"see fruits_bigdata.cost.cost",
        "is_estimate": True,
        "seconds": round(one.seconds, 3),
        **_entry(prices, str(one.plan), one.money),
    }


def _of_instance(seconds: float, n_images: int, n_hosts: int, emr_info: Path) -> dict[str, Any]:
    machine, prices = (
        instance_metadata("instance-type"),
        PriceTable.load(instance_metadata("placement/region")),
    )
    hours = seconds / _SECONDS_AN_HOUR
    if not emr_info.exists():
        # No cluster, so neither EMR's fee nor the disks of its nodes.
        lines = [next(nodes(machine, 1, 0, hours, prices))]
        entry = _entry(prices, f"1 {machine}", lines)
        return {"says": f"The run cost {entry['dollars']:.4f} dollars: {_bill(prices)}", **entry}
    cluster = _cluster(json.loads(emr_info.read_text()), machine, n_hosts)
    workers = cluster.on_demand + cluster.spot - 1
    priced = (cluster.machine, cluster.on_demand, cluster.spot)
    per_request = list(requests(n_images, workers * vcpus_of(cluster.machine), prices))
    lines = [*nodes(*priced, hours, prices), *per_request]
    so_far = sum(
        line.value for line in (*nodes(*priced, cluster.age / _SECONDS_AN_HOUR, prices), *per_request)
    )
    on_spot = f", {cluster.spot} of them on Spot" if cluster.spot else ""
    entry = _entry(prices, f"{cluster.machine}, 1 master, {workers} workers{on_spot}", lines)
    return {
        "says": f"The run cost {entry['dollars']:.2f} dollars, and the cluster {so_far:.2f} since it was "
        f"asked for: {_bill(prices)}",
        "cluster_dollars": round(so_far, 6),
        "cluster_seconds": round(cluster.age, 3),
        **entry,
    }


def _cluster(info: Mapping[str, Any], machine: str, n_hosts: int) -> _Cluster:
    """Return what EMR's file tells of a cluster; its count is the one of the beginning.

    Raises:
        ValueError: Master and workers are of two types.
    """
    master = info.get("masterInstanceType") or machine
    groups = [
        group for group in info.get("instanceGroups") or () if group["instanceRole"].upper() != "MASTER"
    ]
    types = {group["instanceType"] for group in groups} or {info.get("slaveInstanceType") or master}
    if types != {master}:
        raise ValueError(f"the master is an {master}, the workers are {', '.join(sorted(types))}")
    spot = sum(group["requestedInstanceCount"] for group in groups if group["marketType"].upper() == "SPOT")
    # Those that worked, too: fleets and scaling start nodes that the file does not have.
    workers = max(n_hosts, int(info.get("instanceCount") or 1) - 1)
    asked_for = float(info.get("jobFlowCreationInstant") or time() * 1000) / 1000
    return _Cluster(master, 1 + workers - min(spot, workers), min(spot, workers), time() - asked_for)


def _bill(prices: PriceTable) -> str:
    return (
        f"its machines in {prices.place}, at the prices of {prices.dated}. This is no bill, and Spot nodes "
        f"of a fleet are counted as on demand"
    )


def _entry(prices: PriceTable, machines: str, lines: Iterable[Line]) -> dict[str, Any]:
    lines = list(lines)
    return {
        "dollars": round(sum(line.value for line in lines), 6),
        "region": prices.region,
        "machines": machines,
        "lines": [asdict(line) for line in lines],
        "prices_dated": prices.dated.isoformat(),
    }
