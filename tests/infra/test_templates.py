"""What cfn-lint finds in the templates, and what it does not look for."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.parsers import ResponseParserError
from cfnlint.api import ManualArgs, lint_file
from cfnlint.decode import cfn_yaml

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATES = {path.stem: json.loads(json.dumps(cfn_yaml.load(str(path)))) for path in INFRA.glob("*.yml")}
REGIONS = ["eu-west-1", "eu-west-3", "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2"]
# AWS Budgets, a service without regions, is known to CloudFormation in these only.
BUDGET_REGIONS = REGIONS[:3]


def walk(node: Any) -> Iterator[Any]:
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(child)


def resources(kind: str) -> list[dict[str, Any]]:
    return [
        resource["Properties"]
        for template in TEMPLATES.values()
        for resource in template["Resources"].values()
        if resource["Type"] == kind
    ]


def statements() -> list[dict[str, Any]]:
    return [
        node
        for template in TEMPLATES.values()
        for node in walk(template)
        if isinstance(node, dict) and "Effect" in node
    ]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


CLUSTER = TEMPLATES["cluster"]["Resources"]["Cluster"]["Properties"]
PARAMETERS = TEMPLATES["cluster"]["Parameters"]
BOOTSTRAP = CLUSTER["BootstrapActions"][0]["ScriptBootstrapAction"]
SPARKS_OWN = {"SPARK_HOME", "HADOOP_CONF_DIR", "PYTHONPATH", "PATH", "PWD", "SHLVL", "_"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_finds_nothing(name):
    regions = BUDGET_REGIONS if name == "budget" else REGIONS
    found = lint_file(INFRA / f"{name}.yml", ManualArgs(regions=regions))
    assert [str(match) for match in found] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_knows_the_same_regions_and_refuses_others(name):
    template = TEMPLATES[name]
    (assertion,) = template["Rules"]["OnlyInTheEU"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Contains": [REGIONS, {"Ref": "AWS::Region"}]}
    assert list(template["Mappings"]["Regions"]) == REGIONS
    # What makes the mapping refuse.
    assert {"Fn::FindInMap": ["Regions", {"Ref": "AWS::Region"}, "Country"]} in list(
        walk(template["Resources"])
    )
    lists = [node for node in walk(template) if isinstance(node, list) and "eu-west-3" in node]
    assert lists
    assert all(one == REGIONS for one in lists)


def test_whoever_acts_acts_in_the_eu():
    denied = [s for s in statements() if "NotAction" in s]
    assert denied
    for statement in denied:
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"StringNotEquals": {"aws:RequestedRegion": REGIONS}}
        # A service that is not denied elsewhere can hold none of the data.
        assert set(statement["NotAction"]) == {"iam:*", "sts:*", "budgets:*", "s3:GetBucketLocation"}
    for role in resources("AWS::IAM::Role"):
        assert {"Ref": "EuropeOnly"} in role["ManagedPolicyArns"]


def test_nothing_comes_in():
    everywhere = json.dumps(TEMPLATES)
    assert "SecurityGroupIngress" not in everywhere
    assert "::/0" not in everywhere
    for group in resources("AWS::EC2::SecurityGroup"):
        assert {rule["FromPort"] for rule in group["SecurityGroupEgress"]} == {80, 443}
    assert "NatGateway" not in everywhere
    assert "Ec2KeyName" not in everywhere


def test_nobody_may_do_everything():
    allowed = [s for s in statements() if s["Effect"] == "Allow"]
    for statement in allowed:
        assert "*" not in as_list(statement["Action"])
        # Services' wildcards: the key's own policy, and the S3 endpoint's, which is bound to this account.
        if any(action.endswith(":*") for action in as_list(statement["Action"])):
            assert statement["Sid"] in {"IamDecides", "OwnBuckets"}
        if "*" in as_list(statement.get("Resource")) and "Principal" not in statement:
            # What knows no resource, read in the Service Authorization Reference.
            assert set(as_list(statement["Action"])) <= {
                "cloudformation:ListExports",
                "elasticmapreduce:ListClusters",
                "elasticmapreduce:CreateSecurityConfiguration",
                "elasticmapreduce:DeleteSecurityConfiguration",
                "elasticmapreduce:DescribeSecurityConfiguration",
                "ssm:UpdateInstanceInformation",
                "ssmmessages:CreateControlChannel",
                "ssmmessages:CreateDataChannel",
                "ssmmessages:OpenControlChannel",
                "ssmmessages:OpenDataChannel",
            }
        if statement.get("Principal") in ("*", {"AWS": "*"}):
            assert "Condition" in statement or statement["Sid"] in {"Repositories", "EmrSystemLogs"}
        if statement["Action"] == "iam:PassRole":
            assert "iam:PassedToService" in statement["Condition"]["StringEquals"]


def test_nodes_read_and_write_their_own_folders_only():
    (data, _) = TEMPLATES["roles"]["Resources"]["NodeRole"]["Properties"]["Policies"]
    folders = {
        statement["Sid"]: {
            resource["Fn::Sub"][0].partition("${Bucket}/")[2] for resource in as_list(statement["Resource"])
        }
        for statement in data["PolicyDocument"]["Statement"]
        if statement["Sid"] in {"Read", "Write"}
    }
    assert folders == {
        "Read": {"Test/*", "Package/*"},
        "Write": {"Results*", "Models/*", "Logs/*", "jupyter/*"},
    }


def test_only_who_carries_out_an_erasure_removes_versions():
    eraser = TEMPLATES["roles"]["Resources"]["Eraser"]["Properties"]["PolicyDocument"]["Statement"]
    removes = [s for s in statements() if "DeleteObjectVersion" in json.dumps(s) and s["Effect"] == "Allow"]
    (statement,) = removes
    assert statement in eraser
    # fruits_bigdata.erasure removes images and what lies in the folders of conf/emr/globals.yml.
    folders = {resource["Fn::Sub"][0].partition("${Bucket}/")[2] for resource in statement["Resource"]}
    assert folders == {"Test/*", "Results*"}
    emr = yaml.safe_load((INFRA.parent / "conf/emr/globals.yml").read_text())
    assert emr["images_path"].endswith("/Test")
    assert all(folder.startswith("Results") for folder in emr["folders"].values())
    assert "s3:AbortMultipartUpload" in statement["Action"]
    sees = {"s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}
    assert any(sees <= {*as_list(s["Action"])} for s in eraser if s["Effect"] == "Allow")


def test_everything_is_encrypted():
    (bucket,) = resources("AWS::S3::Bucket")
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (key,) = resources("AWS::KMS::Key")
    assert key["EnableKeyRotation"]

    (security,) = resources("AWS::EMR::SecurityConfiguration")
    encryption = security["SecurityConfiguration"]["EncryptionConfiguration"]
    at_rest = encryption["AtRestEncryptionConfiguration"]
    assert encryption["EnableAtRestEncryption"]
    assert at_rest["S3EncryptionConfiguration"]["EncryptionMode"] == "SSE-KMS"
    assert at_rest["LocalDiskEncryptionConfiguration"]["EncryptionKeyProviderType"] == "AwsKms"
    assert at_rest["LocalDiskEncryptionConfiguration"]["EnableEbsEncryption"]
    imds = security["SecurityConfiguration"]["InstanceMetadataServiceConfiguration"]
    assert imds["MinimumInstanceMetadataServiceVersion"] == 2
    assert CLUSTER["SecurityConfiguration"] == {"Ref": "Security"}
    assert CLUSTER["LogEncryptionKmsKeyId"] == {"Fn::ImportValue": {"Fn::Sub": "${Project}-key-arn"}}

    (policy,) = resources("AWS::S3::BucketPolicy")
    denials = {s["Sid"]: s for s in policy["PolicyDocument"]["Statement"]}
    assert {s["Effect"] for s in denials.values()} == {"Deny"}
    assert denials["EncryptedTransportOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for sid in ("NoOtherEncryption", "NoOtherKey"):
        # IAM takes a header that is missing for one that differs: uploads by the bucket's default would fail.
        (header,) = denials[sid]["Condition"]["StringNotEquals"]
        assert denials[sid]["Condition"]["Null"] == {header: "false"}


def test_data_outlives_its_stack():
    for name, resource in TEMPLATES["storage"]["Resources"].items():
        if name in {"Bucket", "Key"}:
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


def test_what_nobody_needs_any_more_goes_from_the_bucket():
    (bucket,) = resources("AWS::S3::Bucket")
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert 1 <= rules["unfinished-uploads"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] <= 2
    assert rules["old-versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"] <= 30
    assert rules["logs"]["Prefix"] == "Logs/"


def test_every_cluster_ends():
    assert CLUSTER["AutoTerminationPolicy"] == {"IdleTimeout": {"Ref": "IdleSeconds"}}
    idle = PARAMETERS["IdleSeconds"]
    # EMR takes 60 to 604800.
    assert 60 <= idle["MinValue"] <= idle["Default"] <= idle["MaxValue"] <= 2 * 3600
    assert CLUSTER["Instances"]["TerminationProtected"] is False
    assert CLUSTER["Instances"]["KeepJobFlowAliveWhenNoSteps"] == {"Fn::If": ["IsDemo", True, False]}
    assert PARAMETERS["Demo"]["Default"] == "false"

    (end,) = resources("AWS::Scheduler::Schedule")
    assert end["ScheduleExpression"] == {"Fn::Sub": "at(${EndsAt})"}
    assert end["ScheduleExpressionTimezone"] == "UTC"
    assert end["State"] == "ENABLED"
    assert end["FlexibleTimeWindow"] == {"Mode": "OFF"}
    target = end["Target"]
    assert target["Arn"] == {"Fn::Sub": "arn:${AWS::Partition}:scheduler:::aws-sdk:emr:terminateJobFlows"}
    request = json.loads(target["Input"]["Fn::Sub"].replace("${Cluster}", "j-1"))
    emr = botocore.session.Session().get_service_model("emr").operation_model("TerminateJobFlows")
    assert set(request) == set(emr.input_shape.members)
    # There is no default: a cluster cannot be made without its end.
    assert "Default" not in PARAMETERS["EndsAt"]
    assert re.fullmatch(PARAMETERS["EndsAt"]["AllowedPattern"], "2026-11-25T18:30:00")


def test_the_role_of_the_end_may_end_this_projects_clusters():
    role = TEMPLATES["roles"]["Resources"]["EndRole"]["Properties"]
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "elasticmapreduce:TerminateJobFlows"
    assert statement["Condition"] == {
        "StringEquals": {"elasticmapreduce:ResourceTag/Project": {"Ref": "Project"}}
    }
    assert {"Key": "Project", "Value": {"Ref": "Project"}} in CLUSTER["Tags"]


def test_enumerations_are_emrs():
    model = botocore.session.Session().get_service_model("emr")

    def known(shape: str, value: str) -> bool:
        return value in model.shape_for(shape).enum

    assert known("ScaleDownBehavior", CLUSTER["ScaleDownBehavior"])
    fleets = [CLUSTER["Instances"][f"{role}InstanceFleet"] for role in ("Master", "Core")]
    (tasks,) = CLUSTER["Instances"]["TaskInstanceFleets"]["Fn::If"][1]
    for fleet in [*fleets, tasks]:
        on_demand = fleet["LaunchSpecifications"]["OnDemandSpecification"]
        assert known("OnDemandProvisioningAllocationStrategy", on_demand["AllocationStrategy"])
    spot = tasks["LaunchSpecifications"]["SpotSpecification"]
    assert known("SpotProvisioningAllocationStrategy", spot["AllocationStrategy"])
    assert known("SpotProvisioningTimeoutAction", spot["TimeoutAction"])
    assert spot["TimeoutAction"] == "SWITCH_TO_ON_DEMAND"
    # EMR takes 5 to 1440.
    assert 5 <= spot["TimeoutDurationMinutes"] <= 1440
    (step,) = CLUSTER["Steps"]["Fn::If"][1]
    for action in step["ActionOnFailure"]["Fn::If"][1:]:
        assert known("ActionOnFailure", action)
    limits = CLUSTER["ManagedScalingPolicy"]["Fn::If"][1]["ComputeLimits"]
    assert known("ComputeLimitsUnitType", limits["UnitType"])


def test_managed_policies_of_emr_find_their_tag():
    tag = {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}
    for kind in ("AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::SecurityGroup", "AWS::EMR::Cluster"):
        assert all(tag in one["Tags"] for one in resources(kind))


CONFIGURATIONS = {one["Classification"]: one for one in CLUSTER["Configurations"]}


def test_the_cluster_sets_of_spark_the_region_only():
    assert set(CONFIGURATIONS) == {"spark-defaults", "jupyter-s3-conf", "livy-conf", "livy-env"}
    assert CONFIGURATIONS["spark-defaults"]["ConfigurationProperties"] == {
        "spark.hadoop.fs.s3a.endpoint.region": {"Ref": "AWS::Region"}
    }


def test_a_notebook_finds_what_fruits_run_finds(tmp_path):
    assert CONFIGURATIONS["livy-conf"]["ConfigurationProperties"]["livy.spark.deploy-mode"] == "client"
    (export,) = CONFIGURATIONS["livy-env"]["Configurations"]
    given = export["ConfigurationProperties"]
    (prefix,) = [argument for argument in BOOTSTRAP["Args"] if isinstance(argument, str)]
    shutil.copytree(INFRA / "bin", tmp_path / "bin")
    said = subprocess.run(
        ["bash", "-c", f". {tmp_path}/bin/environment.sh && env"],
        env={"PATH": os.environ["PATH"], "SPARK_HOME": "/usr/lib/spark"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    run = dict(line.split("=", 1) for line in said.replace(str(tmp_path), prefix).splitlines())
    own = {"FRUITS_PROJECT": f"{prefix}/project", "KEDRO_ENV": "emr"}
    # Livy finds Spark itself.
    shared = {name: value for name, value in run.items() if name not in SPARKS_OWN}
    assert given == shared | own
    assert (INFRA / "bin/fruits-run").read_text().count("--env emr") == 1


@pytest.mark.parametrize("named", ["fruits-bigdata", "our-own"])
def test_a_node_names_the_bucket_and_the_region(tmp_path, named):
    shutil.copytree(INFRA / "bin", tmp_path / "bin")
    shutil.copytree(INFRA.parent / "conf/emr", tmp_path / "project/conf/emr")
    conf = tmp_path / "project/conf/emr/globals.yml"
    conf.write_text(conf.read_text().replace("fruits-bigdata", named))
    subprocess.run([tmp_path / "bin/set-bucket", "fruits-1-eu-west-1", "eu-west-1"], check=True)
    found = yaml.safe_load(conf.read_text())
    bucket = "fruits-1-eu-west-1" if named == "fruits-bigdata" else named
    assert found["images_path"] == f"s3://{bucket}/Test"
    assert found["output_path"] == f"s3://{bucket}"
    assert found["models_path"] == f"s3://{bucket}/Models"
    assert found["s3"]["region"] == "eu-west-1"


@pytest.mark.parametrize("name", ["storage", "network"])
def test_a_server_in_another_region_refuses(name, aws_endpoint):
    # The others import what these two export. moto knows no Rules: here the mapping refuses, and the server
    # fails in its own way.
    cfn = botocore.session.Session().create_client(
        "cloudformation",
        region_name="us-east-1",
        endpoint_url=aws_endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with pytest.raises(ResponseParserError, match="500"):
        cfn.create_stack(
            StackName=f"elsewhere-{name}",
            TemplateBody=(INFRA / f"{name}.yml").read_text(),
            Capabilities=["CAPABILITY_IAM"],
        )
