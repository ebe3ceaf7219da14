"""The machines that a run may be given, and that are compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fruits_bigdata.cost.prices import work_figures

Market = Literal["on demand", "Spot", "EMR Serverless"]
MARKETS: tuple[Market, ...] = ("on demand", "Spot", "EMR Serverless")

# Of those that infra/cluster.yml starts, the ones that prices.yml knows. Its Spot nodes are xlarge, whatever
# the rest is.
CLUSTER_TYPES = ("m5.xlarge", "m5.2xlarge", "m6g.xlarge", "m6g.2xlarge")
_SPOT_TYPES = ("m5.xlarge", "m6g.xlarge")
WORKERS = (2, 4, 6, 8, 10)
# Beside workers on Spot; they hold what Spot nodes may lose.
CORE_WORKERS = 2
SPOT_WORKERS = (2, 4, 8, 12, 20)
SERVERLESS_WORKERS = (2, 4, 8, 16, 32)
_VCPUS = {"xlarge": 4, "2xlarge": 8, "4xlarge": 16}
SERVERLESS_VCPUS = 4


@dataclass(frozen=True)
class Plan:
    """What is started: one master (or driver) and workers.

    Attributes:
        market: How capacity is bought; "Spot" has further workers on Spot beside those on demand.
        machine: An instance type, of master and workers alike; of serverless workers, their size in words.
        workers: Workers on demand, or serverless ones.
        spot_workers: Further workers on Spot.
    """

    market: Market
    machine: str
    workers: int
    spot_workers: int = 0

    @property
    def family(self) -> str:
        """The instance family, or "serverless"."""
        return "serverless" if self.market == "EMR Serverless" else self.machine.partition(".")[0]

    @property
    def vcpus(self) -> int:
        """The vCPUs of one machine."""
        return SERVERLESS_VCPUS if self.family == "serverless" else vcpus_of(self.machine)

    @property
    def machines(self) -> int:
        """The master and all workers."""
        return 1 + self.workers + self.spot_workers

    @property
    def worker_vcpus(self) -> int:
        """The vCPUs of all workers: the master computes no features."""
        return (self.workers + self.spot_workers) * self.vcpus

    def __str__(self) -> str:
        more = f" and {self.spot_workers} on Spot" if self.spot_workers else ""
        head = "driver" if self.family == "serverless" else "master"
        return f"{self.machine}, 1 {head}, {self.workers} workers{more}"


# conf/emr/globals.yml's.
DEFAULT_REGION = "eu-west-3"
# What infra/cluster.yml starts if it is told nothing.
DEFAULT_PLAN = Plan("on demand", "m5.xlarge", 2)


def vcpus_of(instance_type: str) -> int:
    """Return the vCPUs of an instance type.

    Raises:
        ValueError: Its size is not known here.
    """
    size = instance_type.partition(".")[2]
    if size not in _VCPUS:
        raise ValueError(
            f"{instance_type}: how many vCPUs a {size or 'type without a size'} has is not known"
        )
    return _VCPUS[size]


def plans() -> Iterator[Plan]:
    """Yield every plan that is compared."""
    for machine in CLUSTER_TYPES:
        for workers in WORKERS:
            yield Plan("on demand", machine, workers)
    for machine in _SPOT_TYPES:
        for workers in SPOT_WORKERS:
            yield Plan("Spot", machine, CORE_WORKERS, workers)
    memory = work_figures()["serverless memory"].value
    for workers in SERVERLESS_WORKERS:
        yield Plan("EMR Serverless", f"{SERVERLESS_VCPUS} vCPU with {memory:g} GB", workers)
