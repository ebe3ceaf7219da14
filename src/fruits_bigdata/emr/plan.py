"""What a cluster is to be, and what it is told to run."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fruits_bigdata import __version__
from fruits_bigdata.cost.cost import nodes
from fruits_bigdata.cost.plans import vcpus_of
from fruits_bigdata.cost.prices import PriceTable, UnknownPriceError
from fruits_bigdata.emr.account import Account
from fruits_bigdata.emr.package import Architecture

# One executor has four cores (conf/emr/spark.yml).
_CORES_PER_EXECUTOR = 4


@dataclass(frozen=True)
class Plan:
    """What a cluster is to be.

    Attributes:
        node_type: The machine of master and workers.
        core_nodes: Workers on demand.
        task_nodes: Further workers, Spot.
        hours: How long it may live, whatever it does.
        idle_minutes: How long it may do nothing.
        demo: Keep it after its step.
    """

    node_type: str = "m5.xlarge"
    core_nodes: int = 2
    task_nodes: int = 0
    hours: float = 3.0
    idle_minutes: int = 30
    demo: bool = False

    @property
    def architecture(self) -> Architecture:
        """The processor that the package must be for."""
        family = self.node_type.partition(".")[0]
        return "aarch64" if family.rstrip("d").endswith("g") else "x86_64"

    @property
    def package(self) -> str:
        """The folder below Package/."""
        return package_version(self.architecture)

    @property
    def executors(self) -> int:
        """How many executors the workers have room for."""
        return (self.core_nodes + self.task_nodes) * vcpus_of(self.node_type) // _CORES_PER_EXECUTOR

    def dollars_per_hour(self, region: str) -> float | None:
        """Return what the nodes cost an hour before tax, all on demand; None if prices.yml does not say."""
        n = 1 + self.core_nodes + self.task_nodes
        try:
            lines = list(nodes(self.node_type, n, 0, 1.0, PriceTable.load(region)))
        except UnknownPriceError:
            return None
        return sum(line.value for line in lines)

    def describe(self, region: str) -> str:
        """Return it in words, with its price."""
        nodes = f"1 + {self.core_nodes + self.task_nodes} {self.node_type}"
        price = self.dollars_per_hour(region)
        if price is None:
            return f"{nodes}, of which prices.yml has no price in {region}"
        return f"{nodes}, some {price:.2f} dollars an hour before tax"

    def parameters(self, project: str, arguments: Sequence[str], now: datetime) -> dict[str, str]:
        """Return the parameters of cluster.yml."""
        return {
            "Project": project,
            "NodeType": self.node_type,
            "CoreNodes": str(self.core_nodes),
            "TaskNodes": str(self.task_nodes),
            "MaxNodes": str(self.core_nodes + self.task_nodes),
            "PackageVersion": self.package,
            "StepArguments": shlex.join(arguments),
            "Demo": str(self.demo).lower(),
            "IdleSeconds": str(self.idle_minutes * 60),
            "EndsAt": (now + timedelta(hours=self.hours)).strftime("%Y-%m-%dT%H:%M:%S"),
        }

    @classmethod
    def of(cls, parameters: dict[str, str]) -> "Plan":
        """Return the plan that a stack was made by."""
        return cls(
            node_type=parameters["NodeType"],
            core_nodes=int(parameters["CoreNodes"]),
            task_nodes=int(parameters["TaskNodes"]),
            idle_minutes=int(parameters["IdleSeconds"]) // 60,
            demo=parameters["Demo"] == "true",
        )


def package_version(architecture: Architecture) -> str:
    """Return the folder below Package/ for a processor."""
    return f"{__version__}-{architecture}"


def run_arguments(account: Account, executors: int, params: str | None, pipelines: str | None) -> list[str]:
    """Return the arguments of fruits-run: the bucket's folders, then what the user adds or overrides."""
    places = {"images_path": "/Test", "output_path": "", "models_path": "/Models"}
    items = [f"{name}=s3://{account.bucket}{folder}" for name, folder in places.items()]
    items += [f"s3.region={account.region}", f"executors={executors}", *filter(None, [params])]
    return ["--params", ",".join(items), *(["--pipelines", pipelines] if pipelines else [])]
