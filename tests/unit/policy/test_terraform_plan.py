"""A graph as a Terraform plan, and the report of a scanner on it."""

import json
from typing import Any

import pytest

from langfuse_aws.automation.posture.checkov import Failed, Scan, read
from langfuse_aws.automation.posture.command import findings, unfailed
from langfuse_aws.graph.model import UNKNOWN, Resource, ResourceGraph
from langfuse_aws.graph.resource_types import RESOURCE_TYPES
from langfuse_aws.policy.accepted import accepted
from langfuse_aws.policy.terraform_plan import terraform_plan, type_of

BUCKET = Resource(
    "urn:bucket::logs-1", "aws:s3/bucket:Bucket", inputs={"bucket": UNKNOWN, "tags": {"aB": "c"}}
)
RULES = Resource(
    "urn:rules::logs-1",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    inputs={
        "bucket": UNKNOWN,
        "rules": [{"id": "x", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}],
    },
    origins={"bucket": [BUCKET.urn]},
)
SUBNET = Resource("urn:subnet::a", "aws:ec2/subnet:Subnet", id="subnet-1")
SERVICE = Resource(
    "urn:service::web",
    "aws:ecs/service:Service",
    inputs={"networkConfiguration": {"subnets": ["subnet-1"]}, "loadBalancers": [{"a": 1}]},
)
GRAPH = ResourceGraph((BUCKET, RULES, SUBNET, SERVICE))


def by_address(resources: list[dict[str, Any]], key: str) -> dict[str, Any]:
    return {each["address"]: each[key] for each in resources}


def test_names_types_as_terraform_does() -> None:
    tokens = [token for token in RESOURCE_TYPES if token.startswith("aws:")]
    names = {token: type_of(token) for token in tokens}

    assert len(set(names.values())) == len(tokens)
    for token, name in {
        "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
        "aws:lb/targetGroup:TargetGroup": "aws_lb_target_group",
        "aws:rds/instance:Instance": "aws_db_instance",
        "aws:rds/cluster:Cluster": "aws_rds_cluster",
        "aws:ec2/vpcEndpoint:VpcEndpoint": "aws_vpc_endpoint",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
            "aws_vpc_security_group_egress_rule"
        ),
        "aws:servicediscovery/service:Service": "aws_service_discovery_service",
        "aws:ecs/taskDefinition:TaskDefinition": "aws_ecs_task_definition",
        "aws:autoscaling/group:Group": "aws_autoscaling_group",
        "aws:ebs/volume:Volume": "aws_ebs_volume",
        "aws:wafv2/webAcl:WebAcl": "aws_wafv2_web_acl",
    }.items():
        assert names[token] == name


def test_writes_blocks_maps_unknowns_and_references() -> None:
    document = terraform_plan(GRAPH)
    root = document.document["planned_values"]["root_module"]["resources"]
    values = by_address(root, "values")
    changes = by_address(document.document["resource_changes"], "change")
    expressions = by_address(
        document.document["configuration"]["root_module"]["resources"], "expressions"
    )
    rules = "aws_s3_bucket_lifecycle_configuration.logs_1"

    assert values["aws_s3_bucket.logs_1"] == {"tags": {"aB": "c"}}
    assert changes["aws_s3_bucket.logs_1"]["after_unknown"] == {"bucket": True}
    assert values[rules] == {
        "rule": [{"id": "x", "abort_incomplete_multipart_upload": [{"days_after_initiation": 7}]}]
    }
    assert expressions[rules]["bucket"]["references"][1] == "aws_s3_bucket.logs_1"
    assert values["aws_ecs_service.web"] == {
        "network_configuration": [{"subnets": ["subnet-1"]}],
        "load_balancer": [{"a": 1}],
    }
    assert expressions["aws_ecs_service.web"]["network_configuration"]["references"] == [
        "aws_subnet.a.id",
        "aws_subnet.a",
    ]
    assert json.loads(json.dumps(document.document)) == document.document


def test_refers_to_what_a_component_of_another_package_has_made() -> None:
    component = Resource("urn:vpc-component::net", "awsx:ec2:Vpc", custom=False)
    vpc = Resource("urn:vpc::net", "aws:ec2/vpc:Vpc", parent=component.urn)
    subnet = Resource("urn:subnet::net", "aws:ec2/subnet:Subnet", parent=vpc.urn)
    other = Resource("urn:vpc::other", "aws:ec2/vpc:Vpc")
    flows = Resource(
        "urn:flows::net",
        "aws:ec2/flowLog:FlowLog",
        inputs={"vpcId": UNKNOWN, "subnetIds": UNKNOWN, "trafficType": "ALL"},
        origins={each: [component.urn] for each in ("vpcId", "subnetIds", "trafficType")},
    )
    graph = ResourceGraph((component, vpc, subnet, other, flows))

    resources = terraform_plan(graph).document["configuration"]["root_module"]["resources"]

    assert by_address(resources, "expressions")["aws_flow_log.net"] == {
        "vpc_id": {"references": ["aws_vpc.net.id", "aws_vpc.net"]},
        "subnet_ids": {"references": ["aws_subnet.net.id", "aws_subnet.net"]},
    }


def test_reads_what_checkov_found() -> None:
    plan = terraform_plan(GRAPH)
    failed = [{"check_id": "CKV_X", "check_name": "is so", "resource": "aws_s3_bucket.logs_1"}]
    report = {
        "summary": {"checkov_version": "3.3.30", "passed": 4},
        "results": {"failed_checks": failed},
    }

    found = read(report, plan)

    assert (found.version, found.passed) == ("3.3.30", 4)
    assert [(each.rule, each.resource.name) for each in found.failed] == [("CKV_X", "logs-1")]
    with pytest.raises(KeyError):
        read({"passed": 0}, plan)


def test_puts_first_what_is_not_accepted_and_says_what_no_longer_fails() -> None:
    scanned = Scan(
        "3.3.30", 1, (Failed("CKV_A", "a is so", SUBNET), Failed("CKV_B", "b is so", SUBNET))
    )
    reasons = {"CKV_A": "nobody pays for it", "CKV_C": "it costs 1 USD"}

    found = findings(ResourceGraph(()), scanned, reasons)

    assert [(each.rule, each.resources, each.because) for each in found] == [
        ("CKV_B", ("a",), ""),
        ("CKV_A", ("a",), "nobody pays for it"),
    ]
    assert unfailed(scanned, found, reasons) == ["CKV_C"]
    assert unfailed(None, [], reasons) == []  # nobody has looked


def test_every_accepted_rule_has_a_reason() -> None:
    reasons = accepted()

    assert reasons
    assert not [rule for rule, because in reasons.items() if not because.strip().endswith(".")]
