"""What a run costs, recomputed by hand: the numbers stand here as a pocket calculator has them."""

import re
from datetime import date
from typing import Any

import fsspec
import pyarrow as pa
import pytest
import yaml
from cfnlint.decode import cfn_yaml
from click.testing import CliRunner

from fruits_bigdata.cost.cost import Estimate, cheapest, estimate, keeping
from fruits_bigdata.cost.cost_command import cost, duration, report
from fruits_bigdata.cost.plans import (
    CLUSTER_TYPES,
    CORE_WORKERS,
    DEFAULT_PLAN,
    DEFAULT_REGION,
    SERVERLESS_VCPUS,
    SPOT_WORKERS,
    WORKERS,
    Plan,
    plans,
)
from fruits_bigdata.cost.prices import PriceTable, work_figures
from fruits_bigdata.storage.s3 import configure_s3
from fruits_bigdata.tables.delta import Change, Table
from fruits_bigdata.tables.schemas import REJECTED_SCHEMA
from tests.support.commands import PROJECT
from tests.support.faulty_proxy import FaultyProxy
from tests.support.moto_s3 import BUCKET, REGION, MotoS3

IRELAND, PARIS = PriceTable.load("eu-west-1"), PriceTable.load("eu-west-3")
SERVERLESS = Plan("EMR Serverless", "4 vCPU with 8 GB", 4)


def values(lines: tuple[Any, ...]) -> dict[str, float]:
    return {line.what: line.value for line in lines}


def test_a_million_images_on_the_default_cluster_by_hand():
    one = estimate(DEFAULT_PLAN, 1_000_000, IRELAND)
    assert values(one.time) == pytest.approx(
        {
            "start and end of the machines": 540,
            "a run with nothing to do": 21,
            "listing": 100,
            # 1,000,000 / (2 workers x 4 vCPU x 127.5 x 0.5)
            "features": 1960.784,
            # 1,000,000 x 0.0001138 / (8 x 0.5)
            "PCA": 28.45,
            # 1,000,000 x 0.0000193 / 0.5
            "tables, on the driver": 38.6,
        },
        abs=1e-3,
    )
    assert one.seconds == pytest.approx(2688.834, abs=1e-3)
    # 2,688.834 s are 0.746898 h.
    assert values(one.money) == pytest.approx(
        {
            "master and workers": 3 * 0.746898 * 0.214,
            "EMR's fee": 3 * 0.746898 * 0.048,
            "disks": 3 * 0.746898 * 104 * 0.088 / 730,
            "public addresses": 3 * 0.746898 * 0.005,
            "S3, reading": 0.40,
            # 1,000 lists, and 224 files in 7 chunks: most files of 5,000 images, the last ones of fewer.
            "S3, listing and writing": (1000 + 224 + 7 * 10) * 0.000005,
            "KMS": 1_000_294 * 0.01 * 0.000003,
        },
        abs=1e-6,
    )
    assert one.dollars == pytest.approx(1.0628, abs=1e-4)
    assert one.dollars_per_million == pytest.approx(one.dollars)
    assert estimate(DEFAULT_PLAN, 22_688, IRELAND).dollars_per_million == pytest.approx(6.728, abs=1e-3)


def test_spot_by_hand():
    one = estimate(Plan("Spot", "m5.xlarge", 2, 2), 1_000_000, PARIS)
    # Half of the workers do a twentieth of their work again.
    assert values(one.time)["features"] == pytest.approx(1_000_000 / (16 * 63.75) * 1.025)
    hours = one.seconds / 3600
    assert values(one.money)["master and workers"] == pytest.approx(3 * hours * 0.224)
    assert values(one.money)["workers on Spot"] == pytest.approx(2 * hours * 0.112)
    # Of EMR's fee, disks and addresses Spot spares nothing.
    assert values(one.money)["EMR's fee"] == pytest.approx(5 * hours * 0.048)


def test_serverless_by_hand():
    one = estimate(SERVERLESS, 22_688, PARIS)
    seconds = 120 + 21 + 23 * 0.1 + 22_688 / (16 * 63.75) + 22_688 * (0.0001138 / 8 + 0.0000193 / 0.5)
    assert one.seconds == pytest.approx(seconds)
    assert values(one.money)["vCPUs of driver and workers"] == pytest.approx(5 * 4 * seconds / 3600 * 0.06318)
    assert values(one.money)["memory"] == pytest.approx(5 * 8 * seconds / 3600 * 0.00689)
    assert "EMR's fee" not in values(one.money)


def evaluate(arithmetic: str) -> float:
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", arithmetic)
    plain = re.sub(r"vCPU|GB|bytes|\bh\b|\bs\b|\*", "", plain).replace("x", "*")
    return float(eval(plain, {"__builtins__": {}}))


@pytest.mark.parametrize("n_images", [1, 22_688, 1_000_000, 100_000_000])
def test_what_is_printed_is_what_is_computed(n_images):
    for prices in (IRELAND, PARIS):
        for plan in plans():
            one = estimate(plan, n_images, prices)
            for line in (*one.time, *one.money, *keeping(n_images, prices)):
                assert evaluate(line.arithmetic) == pytest.approx(line.value, rel=1e-3, abs=1e-6), line


def test_what_is_assumed_has_a_star_and_what_was_read_or_measured_has_none():
    lines = {
        line.what: line
        for line in (*estimate(DEFAULT_PLAN, 1, IRELAND).time, *estimate(DEFAULT_PLAN, 1, IRELAND).money)
    }
    # The price of an m5.xlarge was read in Ireland, not in Paris.
    assert lines["master and workers"].arithmetic.endswith(" x 0.214")
    assert estimate(DEFAULT_PLAN, 1, PARIS).money[0].arithmetic.endswith(" x 0.224*")
    assert lines["EMR's fee"].is_assumed
    assert lines["features"].is_assumed
    assert not lines["a run with nothing to do"].is_assumed
    assert "127.5 x 0.5*" in lines["features"].arithmetic
    for prices in (IRELAND, PARIS):
        for figure in (*prices.prices.values(), prices.spot_discount, *work_figures().values()):
            assert figure.status in ("read", "measured", "assumed")
            assert figure.value > 0
            assert figure.unit
            assert figure.source


def test_the_plans_are_what_the_project_can_start():
    parameters = cfn_yaml.load(str(PROJECT / "infra/cluster.yml"))["Parameters"]
    assert set(CLUSTER_TYPES) <= set(parameters["NodeType"]["AllowedValues"])
    assert Plan("on demand", parameters["NodeType"]["Default"], parameters["CoreNodes"]["Default"]) == (
        DEFAULT_PLAN
    )
    assert max(WORKERS) <= parameters["CoreNodes"]["MaxValue"]
    assert max(SPOT_WORKERS) <= parameters["TaskNodes"]["MaxValue"]
    assert CORE_WORKERS + max(SPOT_WORKERS) <= parameters["MaxNodes"]["MaxValue"]
    cluster = cfn_yaml.load(str(PROJECT / "infra/cluster.yml"))["Resources"]["Cluster"]["Properties"]
    assert work_figures()["disk"].value == cluster["EbsRootVolumeSize"]
    emr = yaml.safe_load((PROJECT / "conf/emr/globals.yml").read_text())
    assert emr["s3"]["region"] == DEFAULT_REGION
    spark = yaml.safe_load((PROJECT / "conf/emr/spark.yml").read_text())
    needed = sum(
        int(spark[f"spark.executor.{name}"].removesuffix("g")) for name in ("memory", "memoryOverhead")
    )
    assert needed <= work_figures()["serverless memory"].value
    assert spark["spark.executor.cores"] == SERVERLESS_VCPUS


def test_measured_figures_are_those_of_the_documents_and_of_the_code():
    figures = work_figures()
    performance = (PROJECT / "docs/performance.md").read_text()
    assert f"and {2 * figures['images per second'].value:g} between 2,000 and 11,992" in performance
    assert f"| {figures['seconds of a run with nothing to do'].value:.1f} |" in performance
    assert f"({figures['bytes of an image'].value:,.0f})" in performance
    pca, driver = (87.5, 26.3), (4.3, 21.6, 12.6)
    assert all(f"| {one} |" in performance for one in (*pca, *driver))
    # The PCA on two vCPUs.
    assert figures["vcpu seconds of pca"].value == pytest.approx(2 * sum(pca) / 2e6, rel=0.01)
    assert figures["driver seconds of tables"].value == pytest.approx(sum(driver) / 2e6, rel=0.01)
    parameters = yaml.safe_load((PROJECT / "conf/base/parameters_featurization.yml").read_text())
    assert figures["images of a task"].value == parameters["featurization"]["images_per_task"]


def test_a_file_and_a_commit_take_as_many_requests(tmp_path, monkeypatch):
    # This process' own settings of S3 come back afterwards.
    monkeypatch.setitem(fsspec.config.conf, "s3", {})
    s3 = MotoS3(tmp_path, "key", "secret")
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    with s3, FaultyProxy(s3.endpoint, share=0) as proxy:
        settings = {"endpoint_url": proxy.endpoint, "region": REGION, "path_style": True}
        defaults = {"timeout_seconds": 15, "attempts": 5, "encryption": None, "kms_key": None}
        configure_s3(settings | defaults)
        table = Table(f"s3://{BUCKET}/Results", REJECTED_SCHEMA)
        table.commit(Change(table))
        row = pa.Table.from_pylist([{}], REJECTED_SCHEMA)
        proxy.requests.clear()
        file = table.folder.write(row)
        assert proxy.requests == {("PUT", "Results"): work_figures()["requests to write a file"].value}
        proxy.requests.clear()
        table.commit(Change(table, [file], last=False))
    # A LIST asks for the bucket, not for anything in it.
    dear = proxy.requests["PUT", "Results"] + proxy.requests["GET", ""]
    assert 2 * dear == work_figures()["requests to commit a chunk"].value


def test_old_prices_are_said_to_be_old():
    young = list(report(1000, PARIS, None, None, False, date(2027, 5, 21)))
    assert not any(line.startswith("WARNING") for line in young)
    (said,) = [
        line
        for line in report(1000, PARIS, None, None, False, date(2027, 5, 22))
        if line.startswith("WARNING")
    ]
    assert said.startswith("WARNING: The prices are 181 days old: look them up again")


def test_the_command():
    done = CliRunner().invoke(cost, ["--images", "22688", "--region", "eu-west-1"])
    assert done.exit_code == 0, done.output
    for market in ("on demand", "Spot", "EMR Serverless"):
        assert re.search(rf"^{market} .* min\* +0\.\d\d\* +\d+\.\d\d\*$", done.output, re.MULTILINE), market
    assert "= " in done.output
    assert "22,688 / (8 vCPU x 127.5 x 0.5*)" in done.output
    assert re.search(r"^Cheapest: EMR Serverless, .* dollars, 0 h 0\d min\.$", done.output, re.MULTILINE)
    assert "one of a core's two threads" in done.output
    # Arm is taken for half of an m5's vCPU.
    own = estimate(Plan("on demand", "m6g.xlarge", 2), 1_000_000, PARIS, throughput=100)
    assert values(own.time)["features"] == pytest.approx(2500)
    hurried = CliRunner().invoke(cost, ["--images", "100000000", "--within", "0.1"])
    assert "There is no plan that ends within 0 h 06 min; the quickest takes" in hurried.output
    assert len(CliRunner().invoke(cost, ["--images", "1000", "--all"]).output.splitlines()) > len(
        list(plans())
    )
    for wrong in (["--images", "0"], ["--images", "9", "--throughput", "0"], []):
        assert CliRunner().invoke(cost, wrong).exit_code == 2
    unknown = CliRunner().invoke(cost, ["--images", "9", "--region", "eu-north-1"])
    assert unknown.exit_code == 1
    assert "prices.yml has no prices of eu-north-1, it has eu-west-1, eu-west-3: add them" in unknown.output


def test_the_document_says_what_the_command_says():
    """A price or a figure that changes must change docs/cost.md."""
    document = (PROJECT / "docs/cost.md").read_text()
    for n_images in (22_688, 1_000_000, 100_000_000):
        for prices in (IRELAND, PARIS):
            every = [estimate(plan, n_images, prices) for plan in plans()]
            ours = [one for one in every if one.plan.market != "EMR Serverless"]
            for found in (estimate(DEFAULT_PLAN, n_images, prices), cheapest(every), cheapest(ours)):
                assert isinstance(found, Estimate)
                row = f"| {n_images:,} | {prices.place} | {found.plan.market}, {found.plan} | "
                row += (
                    f"{duration(found.seconds)} | {found.dollars:,.2f} | {found.dollars_per_million:,.2f} |"
                )
                assert row in document, row
