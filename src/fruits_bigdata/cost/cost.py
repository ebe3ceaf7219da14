"""What a run of so many images takes and costs on AWS, by arithmetic that can be read line by line.

Nothing here was measured on a cluster: prices are those of prices.yml, figures of the work those of work.yml.

    fruits-emr cost --images 22688
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from fruits_bigdata.cost.plans import Plan, vcpus_of
from fruits_bigdata.cost.prices import Price, PriceTable, work_figures
from fruits_bigdata.spark.chunks import chunk_sizes

_HOURS_A_MONTH = 730
_SECONDS_AN_HOUR = 3600


@dataclass(frozen=True)
class Line:
    """One product.

    Attributes:
        what: What it is the time or the price of.
        arithmetic: How it is computed; what is assumed has a star.
        value: Seconds, or US dollars before tax.
    """

    what: str
    arithmetic: str
    value: float

    @property
    def is_assumed(self) -> bool:
        """Whether a figure in it is assumed."""
        return "*" in self.arithmetic


@dataclass(frozen=True)
class Estimate:
    """What a plan takes for a number of images, and costs.

    Attributes:
        plan: The plan.
        n_images: Images, all of them new.
        time: Lines that add up to the seconds from the start to the end of the machines.
        money: Lines that add up to the dollars.
    """

    plan: Plan
    n_images: int
    time: tuple[Line, ...]
    money: tuple[Line, ...]

    @property
    def seconds(self) -> float:
        """From the first machine's start to the last one's end."""
        return sum(line.value for line in self.time)

    @property
    def dollars(self) -> float:
        """US dollars before tax."""
        return sum(line.value for line in self.money)

    @property
    def dollars_per_million(self) -> float:
        """US dollars for a million images."""
        return 1e6 * self.dollars / self.n_images


def estimate(plan: Plan, n_images: int, prices: PriceTable, throughput: float | None = None) -> Estimate:
    """Compute what a plan takes for images that are all new, and what it costs.

    Args:
        plan: The plan.
        n_images: Their number.
        prices: Of the region.
        throughput: Images a second of one vCPU of an m5, as measured on a cluster; None takes what is assumed
            for it, a share of the measured figure. Arm's is taken for less by the same shares.

    Raises:
        ValueError: Fewer images than none, or no throughput.
        UnknownPriceError: prices.yml lacks one of the prices.
    """
    if n_images < 0:
        raise ValueError(f"images={n_images}: give a number of images")
    if throughput is not None and not throughput > 0:
        raise ValueError(f"throughput={throughput}: give images a second of one vCPU, more than 0")
    time = tuple(_time(plan, n_images, throughput))
    hours = sum(line.value for line in time) / _SECONDS_AN_HOUR
    if plan.family == "serverless":
        machines = _serverless(plan, hours, prices)
    else:
        machines = nodes(plan.machine, 1 + plan.workers, plan.spot_workers, hours, prices)
    return Estimate(plan, n_images, time, (*machines, *requests(n_images, plan.worker_vcpus, prices)))


def cheapest(estimates: Iterator[Estimate] | list[Estimate], seconds: float | None = None) -> Estimate | None:
    """Return the cheapest of those that end within `seconds`, the quicker of equals; None if none does."""
    in_time = [one for one in estimates if seconds is None or one.seconds <= seconds]
    return min(in_time, key=lambda one: (one.dollars, one.seconds), default=None)


def nodes(machine: str, on_demand: int, spot: int, hours: float, prices: PriceTable) -> Iterator[Line]:
    """Yield what nodes of a cluster cost for so many hours: EC2, EMR's fee, disks, addresses.

    Args:
        machine: Their instance type.
        on_demand: So many of them are on demand, the master among them.
        spot: And so many on Spot.
        hours: The time.
        prices: Of the region.

    Raises:
        ValueError: The instance type's vCPUs are not known.
        UnknownPriceError: prices.yml lacks one of the prices.
    """
    n, h, vcpus = on_demand + spot, f"{hours:.5f} h", vcpus_of(machine)
    ec2, fee = prices[f"ec2 {machine}"], prices[f"emr {machine}"]
    disk, for_vcpu = work_figures()["disk"], work_figures()["disk for each vcpu"]
    gigabytes = disk.value + for_vcpu.value * vcpus
    gp3, address = prices["ebs gp3"], prices["ipv4"]
    yield Line("master and workers", f"{on_demand} x {h} x {_of(ec2)}", on_demand * hours * ec2.value)
    if spot:
        off = prices.spot_discount
        yield Line(
            "workers on Spot",
            f"{spot} x {h} x {_of(ec2)} x (1 - {_of(off)})",
            spot * hours * ec2.value * (1 - off.value),
        )
    yield Line("EMR's fee", f"{n} x {h} x {_of(fee)}", n * hours * fee.value)
    yield Line(
        "disks",
        f"{n} x {h} x ({_of(disk)} + {vcpus} x {_of(for_vcpu)}) GB x {_of(gp3)} / {_HOURS_A_MONTH} h",
        n * hours * gigabytes * gp3.value / _HOURS_A_MONTH,
    )
    yield Line("public addresses", f"{n} x {h} x {_of(address)}", n * hours * address.value)


def requests(n_images: int, worker_vcpus: int, prices: PriceTable) -> Iterator[Line]:
    """Yield what S3 and KMS ask for: each image is one GET, 1,000 names are one LIST, each task one file."""
    figures = work_figures()
    per_file, per_chunk = figures["requests to write a file"], figures["requests to commit a chunk"]
    get, put, kms = prices["s3 get"], prices["s3 put and list"], prices["kms request"]
    asking, largest = figures["share of requests that ask kms"], int(figures["images of a task"].value)
    n_tasks = [tasks for _, tasks in chunk_sizes(n_images, worker_vcpus, largest)]
    lists, n_chunks, n_files = ceil(n_images / 1000), len(n_tasks), sum(n_tasks)
    written = n_files * per_file.value + n_chunks * per_chunk.value
    yield Line("S3, reading", f"{n_images:,} / 1,000 x {_of(get)}", n_images / 1000 * get.value)
    yield Line(
        "S3, listing and writing",
        f"({lists:,} + {n_files:,} x {_of(per_file)} + {n_chunks:,} x {_of(per_chunk)}) / 1,000 x {_of(put)}",
        (lists + written) / 1000 * put.value,
    )
    yield Line(
        "KMS",
        f"({n_images:,} + {written:,.0f}) x {_of(asking)} / 10,000 x {_of(kms)}",
        (n_images + written) * asking.value / 10_000 * kms.value,
    )


def keeping(n_images: int, prices: PriceTable) -> tuple[Line, ...]:
    """Return what a month of the images, the results and the key costs, whether or not anything runs."""
    image, results = work_figures()["bytes of an image"], work_figures()["bytes of results"]
    s3, key = prices["s3 standard"], prices["kms key"]
    gigabytes = n_images * (image.value + results.value) / 1e9
    return (
        Line(
            "images and results on S3, a month",
            f"{n_images:,} x ({_of(image)} + {_of(results)}) bytes / 1e9 x {_of(s3)}",
            gigabytes * s3.value,
        ),
        Line("the key, a month", _of(key), key.value),
    )


def _time(plan: Plan, n_images: int, throughput: float | None) -> Iterator[Line]:
    figures = work_figures()
    start = figures[
        "seconds to start serverless" if plan.family == "serverless" else "seconds to start a cluster"
    ]
    empty, page = figures["seconds of a run with nothing to do"], figures["seconds of a listing"]
    share, speed = figures[f"share of a vcpu {plan.family}"], figures["images per second"]
    pca, driver = figures["vcpu seconds of pca"], figures["driver seconds of tables"]
    vcpus, pages = plan.worker_vcpus, ceil(n_images / 1000)
    yield Line("start and end of the machines", f"{_of(start)} s", start.value)
    yield Line("a run with nothing to do", f"{_of(empty)} s", empty.value)
    yield Line("listing", f"{pages:,} x {_of(page)} s", pages * page.value)
    thread = figures["share of a vcpu m5"]
    if throughput is None:
        rate, rate_text = speed.value * share.value, f"{_of(speed)} x {_of(share)}"
    elif share.value == thread.value:
        rate, rate_text = throughput, f"{throughput:g}"
    else:
        rate = throughput * share.value / thread.value
        rate_text = f"{throughput:g} x {_of(share)} / {_of(thread)}"
    seconds, arithmetic = n_images / (vcpus * rate), f"{n_images:,} / ({vcpus} vCPU x {rate_text})"
    if plan.spot_workers:
        again, of_all = figures["share done again on spot"], plan.workers + plan.spot_workers
        seconds *= 1 + again.value * plan.spot_workers / of_all
        arithmetic += f" x (1 + {_of(again)} x {plan.spot_workers} / {of_all})"
    yield Line("features", arithmetic, seconds)
    cores, rate_text = vcpus * share.value, f"({vcpus} vCPU x {_of(share)})"
    yield Line("PCA", f"{n_images:,} x {_of(pca)} / {rate_text}", n_images * pca.value / cores)
    alone = f"{n_images:,} x {_of(driver)} / {_of(share)}"
    yield Line("tables, on the driver", alone, n_images * driver.value / share.value)


def _serverless(plan: Plan, hours: float, prices: PriceTable) -> Iterator[Line]:
    n, h = plan.machines, f"{hours:.5f} h"
    vcpu, memory, size = (
        prices["serverless vcpu"],
        prices["serverless memory"],
        work_figures()["serverless memory"],
    )
    yield Line(
        "vCPUs of driver and workers",
        f"{n} x {plan.vcpus} x {h} x {_of(vcpu)}",
        n * plan.vcpus * hours * vcpu.value,
    )
    yield Line("memory", f"{n} x {_of(size)} GB x {h} x {_of(memory)}", n * size.value * hours * memory.value)


def _of(figure: Price) -> str:
    return f"{figure.value:g}{figure.mark}"
