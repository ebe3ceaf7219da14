import http.server
import json
import logging
import re
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from fruits_bigdata.privacy.residency import EU_REGIONS, ResidencyError, check_residency, region_of_s3
from fruits_bigdata.storage.locations import url_to_fs
from fruits_bigdata.storage.s3 import configure_s3
from tests.support.commands import PROJECT, run_module, run_python, take_credentials
from tests.support.faulty_proxy import FaultyProxy

REGIONS: dict[str, str | None] = yaml.safe_load((PROJECT / "conf/base/globals.yml").read_text())[
    "allowed_regions"
]
REASON = "for this test, decided by its author"


@pytest.fixture
def s3(s3_endpoint, bucket) -> dict[str, Any]:
    """The settings by which the server of the tests is reached."""
    return {"endpoint_url": s3_endpoint, "region": "eu-west-3", "attempts": 1}


@pytest.fixture
def american(bucket, s3) -> str:
    """The address of a new bucket in Virginia: GetBucketLocation answers nothing at all."""
    return make_bucket({**s3, "region": "us-east-1"}, None)


def make_bucket(s3: dict[str, Any], region: str | None) -> str:
    configure_s3(s3)
    name = f"fruits-{uuid.uuid4().hex}"
    given = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region else {}
    fs, _ = url_to_fs(f"s3://{name}")
    fs.call_s3("create_bucket", Bucket=name, **given)
    # As AWS' all do.
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    fs.call_s3("put_bucket_encryption", Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return f"s3://{name}"


def test_the_regions_that_are_allowed_are_those_of_the_union():
    assert set(REGIONS) == EU_REGIONS
    assert not {"eu-west-2", "eu-central-2"} & EU_REGIONS


def test_a_bucket_in_the_union_passes(bucket, s3):
    check_residency({"images": f"{bucket}/Test", "here": "/tmp"}, s3, REGIONS)


def test_a_bucket_outside_is_refused(bucket, american, s3):
    said = (
        f"^images lies in {american} in us-east-1, and data may lie in eu-central-1, .* only: move "
        f"it to a bucket in one of these, or allow it with the reason: --params 'allowed_regions.us-east-1="
    )
    for scheme in ("s3", "s3a", "s3n", "S3A"):
        places = {"good": bucket, "images": f"{scheme}{american.removeprefix('s3')}/Test"}
        with pytest.raises(ResidencyError, match=said):
            check_residency(places, s3, REGIONS)


@pytest.mark.parametrize("region", ["eu-west-2", "eu-central-2"])
def test_london_and_zurich_are_outside(s3, region):
    there = make_bucket({**s3, "region": region}, region)
    with pytest.raises(ResidencyError, match=f"in {region}, and data may lie"):
        check_residency({"images": there}, s3, REGIONS)


@pytest.fixture
def old_bucket() -> Iterator[str]:
    """A server that names Ireland as S3 does for buckets made before that region had its name."""
    with answering(b"<LocationConstraint>EU</LocationConstraint>") as endpoint:
        yield endpoint


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_oldest_name_of_ireland_is_known(old_bucket, s3):
    there = {**s3, "endpoint_url": old_bucket}
    check_residency({"images": "s3://old"}, there, REGIONS)
    with pytest.raises(ResidencyError, match="in eu-west-1, and data may lie"):
        check_residency({"images": "s3://old"}, there, REGIONS | {"eu-west-1": None})


def test_a_region_outside_needs_a_reason_and_each_run_says_it(american, s3, caplog):
    for no_reason in ("", "true", True, "because"):
        with pytest.raises(ResidencyError, match="say in words why data may go there"):
            check_residency({"images": american}, s3, {"us-east-1": no_reason})  # type: ignore[dict-item]
    reason = f"{REASON} {uuid.uuid4()}"
    with caplog.at_level(logging.WARNING):
        check_residency({"images": american}, s3, REGIONS | {"us-east-1": reason})
    assert f"Allowed outside the EU: us-east-1 ({reason})" in caplog.text


def test_what_cannot_be_determined_is_refused(bucket, s3, monkeypatch):
    with pytest.raises(ResidencyError, match=r"^images lies in s3://no-such-bucket, and nobody can tell"):
        check_residency({"images": "s3://no-such-bucket/Test"}, s3, REGIONS)
    nobody = {**s3, "endpoint_url": "http://127.0.0.1:9", "timeout_seconds": 1}
    with pytest.raises(ResidencyError, match="nobody can tell where that is, since Could not connect"):
        check_residency({"images": bucket}, nobody, REGIONS)
    # Fresh settings, since credentials are kept with the file system that was opened.
    take_credentials(monkeypatch)
    with pytest.raises(ResidencyError, match="since Unable to locate credentials: check the bucket's name"):
        check_residency({"images": bucket}, {**s3, "timeout_seconds": 3}, REGIONS)


def test_who_may_not_ask_is_told_by_the_header(bucket, american, s3, s3_endpoint):
    def location(method: str, path: str) -> bool:
        return path.endswith("?location")

    with FaultyProxy(s3_endpoint, share=1, only=location, faults=("slow_down",)) as proxy:
        through = {**s3, "endpoint_url": proxy.endpoint}
        check_residency({"images": bucket}, through, REGIONS)
        assert proxy.counts["slow_down"]
        with pytest.raises(ResidencyError, match="in us-east-1, and data may lie"):
            check_residency({"images": american}, through, REGIONS)


def test_a_bucket_is_asked_once(bucket, s3, s3_endpoint):
    asked: Counter[str] = Counter()

    def count(method: str, path: str) -> bool:
        asked[path.partition("?")[2]] += 1
        return False

    with FaultyProxy(s3_endpoint, share=1, only=count) as proxy:
        through = {**s3, "endpoint_url": proxy.endpoint}
        for _ in range(3):
            check_residency({"images": f"{bucket}/Test", "features": f"{bucket}/Results"}, through, REGIONS)
    assert asked == {"location": 1}


@pytest.mark.parametrize(
    "endpoint", ["https://s3.example.eu", "https://10.0.0.7:9000", "https://amazonaws.com.evil.eu"]
)
def test_an_endpoint_that_is_not_aws_is_refused_unless_it_is_listed(bucket, s3, endpoint):
    elsewhere = {**s3, "endpoint_url": endpoint}
    with pytest.raises(ResidencyError, match=f"{bucket} at {endpoint}, which is not AWS' S3 in a region"):
        check_residency({"images": bucket}, elsewhere, REGIONS)
    check_residency({"images": bucket}, elsewhere, REGIONS, {endpoint: REASON})
    with pytest.raises(ResidencyError, match="say in words why"):
        check_residency({"images": bucket}, elsewhere, REGIONS, {endpoint: ""})


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.eu-west-3.amazonaws.com", "eu-west-3"),
        ("s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"),
        ("my.bucket.s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("bucket.vpce-0a1b-c2.s3.eu-west-3.vpce.amazonaws.com", "eu-west-3"),
        ("s3.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        # These name no region, or are no S3 of AWS.
        ("s3.amazonaws.com", None),
        ("s3-fips.us-east-1.amazonaws.com", None),
        ("ec2-1-2-3-4.eu-west-3.compute.amazonaws.com", None),
        ("my-server.eu-west-3.elb.amazonaws.com", None),
        ("s3.eu-west-3.amazonaws.com.evil.eu", None),
        ("evil-s3.eu-west-3.example.com", None),
        ("sts.eu-west-3.amazonaws.com", None),
        ("s3.eu-west-3.amazonaws.com.cn", None),
    ],
)
def test_only_addresses_of_s3_in_a_region_are_taken_for_aws(host, region):
    assert region_of_s3(f"https://{host}") == region


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("s3.us-east-1.amazonaws.com", "in us-east-1, and data may lie in eu-"),
        ("my-server.eu-west-3.elb.amazonaws.com", "which is not AWS' S3 in a region"),
        ("s3.amazonaws.com", "which is not AWS' S3 in a region"),
    ],
)
def test_an_address_elsewhere_is_refused_before_it_is_asked(bucket, s3, host, reason):
    with pytest.raises(ResidencyError, match=f"{re.escape(host)}, {reason}"):
        check_residency({"images": bucket}, {**s3, "endpoint_url": f"https://{host}"}, REGIONS)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://10.0.0.7:9000",
        "http://s3.example.eu",
        "http://s3.eu-west-3.amazonaws.com",
        "http://localhost.evil.eu",
        "HTTP://[2001:db8::7]:9000",
    ],
)
def test_an_endpoint_without_tls_is_refused_whatever_is_allowed(bucket, s3, endpoint):
    said = f"^images lies in {bucket} at {re.escape(endpoint)}, and without TLS whoever is on the way can"
    for allowed in ({}, {endpoint: REASON}):
        with pytest.raises(ResidencyError, match=said):
            check_residency({"images": bucket}, {**s3, "endpoint_url": endpoint}, REGIONS, allowed)


def test_a_server_on_this_machine_needs_no_tls(bucket, s3):
    here = s3["endpoint_url"].replace("127.0.0.1", "localhost")
    check_residency({"images": bucket}, {**s3, "endpoint_url": here}, REGIONS)


def test_the_clients_region_is_checked(bucket, s3):
    with pytest.raises(ResidencyError, match=r"client would work in us-west-2, and .* set s3.region"):
        check_residency({"images": bucket}, {**s3, "region": "us-west-2"}, REGIONS)


def test_a_cluster_outside_is_refused(metadata_service):
    metadata_service({"placement/region": "eu-west-1"})
    check_residency({"images": "/local"}, {}, REGIONS)
    metadata_service({"placement/region": "us-east-1"})
    with pytest.raises(
        ResidencyError, match=r"^This machine runs in us-east-1, and data may be worked on in"
    ):
        check_residency({"images": "/local"}, {}, REGIONS)
    check_residency({"images": "/local"}, {}, REGIONS | {"us-east-1": REASON})
    metadata_service({})
    with pytest.raises(
        ResidencyError, match=r"^This machine is one of AWS, and nobody can tell in which region"
    ):
        check_residency({"images": "/local"}, {}, REGIONS)


@pytest.mark.parametrize(
    "given",
    [
        {"images_path": "{}/Test"},
        {"output_path": "{}"},
        {"models_path": "{}/models"},
        {"weights_path": "{}/weights.h5"},
    ],
)
def test_no_catalog_is_given_out_if_anything_in_it_is_outside(load_context, s3, american, given, tmp_path):
    places = {"images_path": str(tmp_path), "output_path": str(tmp_path), "models_path": str(tmp_path)}
    places |= {name: place.format(american) for name, place in given.items()}
    with pytest.raises(ResidencyError, match=f" lies in {american} in us-east-1"):
        load_context(s3=s3, **places).catalog  # noqa: B018
    allowed = load_context(s3=s3, allowed_regions={"us-east-1": REASON}, **places).catalog
    assert "features" in allowed


def test_a_run_is_refused_before_it_locks_or_starts_anything(
    american, s3, bucket, tmp_path, metadata_service
):
    out = tmp_path / "out"
    params = f"images_path={american}/Test,output_path={out},s3.endpoint_url={s3['endpoint_url']}"
    done = run_module("kedro", "run", "--params", params)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "fruits_bigdata.privacy.residency.ResidencyError: image_folder lies in s3://fruits-"
    )
    assert not out.exists()
    metadata_service({"placement/region": "us-east-1"})
    done = run_module("kedro", "run", "--params", f"images_path={tmp_path},output_path={out}")
    assert done.returncode == 1
    assert "This machine runs in us-east-1" in done.stderr.strip().splitlines()[-1]
    assert not out.exists()


def test_kedro_viz_shows_no_preview_of_a_bucket_outside(american, s3, tmp_path):
    fs, root = url_to_fs(american)
    fs.pipe_file(f"{root}/08_reporting/metrics.json", b'{"a secret": 1}')
    # What the server of `kedro viz run` does before it listens. It calls no hooks.
    program = (
        "import sys, json, fsspec\n"
        "from pathlib import Path\n"
        "from kedro_viz.server import load_and_populate_data\n"
        "from kedro_viz.api.rest.responses.save_responses import save_api_responses_to_fs\n"
        "from kedro.framework.startup import bootstrap_project\n"
        "project = Path.cwd()\n"
        "bootstrap_project(project)\n"
        "params = json.loads(sys.argv[1])\n"
        "load_and_populate_data(project, package_name='fruits_bigdata', extra_params=params)\n"
        "save_api_responses_to_fs(sys.argv[2], fsspec.filesystem('file'), True)\n"
    )

    def show(**given: object) -> tuple[str, str]:
        shown = tmp_path / uuid.uuid4().hex
        params = {"images_path": str(tmp_path), "output_path": american, "s3": s3, **given}
        done = run_python(program, json.dumps(params), str(shown))
        return done.stderr, "".join(file.read_text() for file in shown.rglob("*") if file.is_file())

    said, shown = show()
    assert said.strip().splitlines()[-1].startswith("fruits_bigdata.privacy.residency.ResidencyError: ")
    assert f"lies in {american} in us-east-1" in said
    assert shown == ""
    _, shown = show(allowed_regions={"us-east-1": REASON})
    assert "a secret" in shown


def test_a_local_run_asks_nobody_and_loads_no_client(tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from kedro.framework.session import KedroSession\n"
        "from kedro.framework.startup import bootstrap_project\n"
        f"bootstrap_project(Path({str(PROJECT)!r}))\n"
        f"params = {{'output_path': {str(tmp_path)!r}}}\n"
        f"with KedroSession.create({str(PROJECT)!r}, runtime_params=params) as session:\n"
        "    assert 'features' in session.load_context().catalog\n"
        "print(sorted({'botocore', 's3fs', 'obstore'} & set(sys.modules)))\n"
    )
    done = run_python(program)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr


def test_kedros_telemetry_is_off(load_context):
    from fruits_bigdata import settings

    assert yaml.safe_load((PROJECT / ".telemetry").read_text()) == {"consent": False}
    assert "kedro-telemetry" in settings.DISABLE_HOOKS_FOR_PLUGINS
    assert "export DO_NOT_TRACK := 1" in (PROJECT / "Makefile").read_text()
    program = (
        "from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks_entry_points\n"
        "from fruits_bigdata import settings\n"
        "manager = _create_hook_manager()\n"
        "_register_hooks_entry_points(manager, settings.DISABLE_HOOKS_FOR_PLUGINS)\n"
        "print(sorted(type(plugin).__module__ for plugin in manager.get_plugins()))\n"
    )
    done = run_python(program)
    assert "kedro_viz" in done.stdout, done.stderr
    assert "kedro_telemetry" not in done.stdout
