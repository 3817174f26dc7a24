"""`tests/refused.py`: what AWS would have refused is found in two states."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.refused import Resource, refused
from tests.unit.stack_graph import VARIED, build

GROUP = "aws:ec2/securityGroup:SecurityGroup"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
SERVICE = "aws:ecs/service:Service"
INSTANCE = "aws:rds/instance:Instance"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
REGION = "us-east-1"


def resource(kind: str, name: str, identifier: str = "", **inputs: Any) -> Resource:
    return {
        "urn": f"urn:pulumi:dev::langfuse::{kind}::{name}",
        "type": kind,
        "id": identifier or name,
        "inputs": inputs,
        "outputs": {**inputs, "arn": f"arn:{name}"},
    }


def rule(name: str, block: str) -> Resource:
    return resource(
        RULE, name, securityGroupId="sg-1", ipProtocol="tcp", toPort=443, cidrIpv4=block
    )


def service(provider: str, *, forced: bool = False) -> Resource:
    strategy = [{"capacityProvider": provider, "weight": 1}]
    return resource(SERVICE, "web", capacityProviderStrategies=strategy, forceNewDeployment=forced)


WIDE, NARROW = "10.0.0.0/8", "11.0.0.0/8"
LINK = resource(GROUP, "link", description="API's VPC link")
OPEN = resource(BALANCER, "open", enableDeletionProtection=True)
CLOSED = resource(BALANCER, "open", enableDeletionProtection=False)
ANEW = resource(RULE, "a", "anew", **rule("a", WIDE)["inputs"])


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([], [LINK], ["link", "description", "does not match"]),
        ([], [rule("a", WIDE), rule("b", WIDE)], ["b", "InvalidPermission.Duplicate"]),
        ([rule("a", WIDE), rule("b", NARROW)], [rule("a", NARROW)], ["a", "Duplicate"]),
        ([service("FARGATE")], [service("FARGATE_SPOT")], ["web", "force_new_deployment"]),
        (
            [resource(INSTANCE, "db", allocatedStorage=100)],
            [resource(INSTANCE, "db", allocatedStorage=20)],
            ["db", "cannot be reduced"],
        ),
        ([OPEN], [], ["open", "OperationNotPermitted"]),
    ],
    ids=["description", "twice", "moved", "spot", "storage", "protected"],
)
def test_what_aws_refuses_is_found(
    before: list[Resource], after: list[Resource], words: list[str]
) -> None:
    (said,) = refused(before, after, REGION)
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([LINK], [LINK]),
        ([rule("a", WIDE)], [rule("a", NARROW), rule("b", WIDE)]),
        ([rule("a", WIDE)], [ANEW]),
        ([service("FARGATE")], [service("FARGATE_SPOT", forced=True)]),
        ([CLOSED], []),
    ],
    ids=["as it was", "given on", "replaced", "forced", "open"],
)
def test_what_aws_takes_is_not(before: list[Resource], after: list[Resource]) -> None:
    assert refused(before, after, REGION) == []


STACKS: Mapping[str, Mapping[str, Any]] = {
    "API": {"size": "dev"},
    "load balancer": {"size": "prod", "domain": "langfuse.example.com"},
    "NAT gateways": {"size": "dev", "network": {"egress": "natGatewayPerZone"}},
    "three servers": {
        "size": "prod",
        "domain": "langfuse.example.com",
        "clickhouse": {"replicas": 3},
        "backups": {"copyRegion": "eu-west-1", "vaultLock": True},
    },
    "varied": VARIED,
}


@pytest.mark.parametrize("name", STACKS)
def test_aws_makes_a_stack_and_deletes_an_unprotected_one(name: str) -> None:
    config = STACKS[name]
    graph = build(config["size"], config)
    state = [
        {
            "urn": f"urn:pulumi:dev::langfuse::{each.type}::{each.name}",
            "type": each.type,
            "id": each.id,
            "inputs": each.inputs,
            "outputs": each.outputs,
        }
        for each in graph.registrations
        if each.custom
    ]
    assert len(state) > 100
    assert refused([], state, REGION) == []
    protected = [said for said in refused(state, [], REGION) if "rotect" not in said]
    assert protected == []
