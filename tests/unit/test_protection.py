"""`deletionProtection` as one switch, and the identity of resources.

It proves that every data-bearing resource follows the switch. It does not prove that AWS refuses a
deletion: `tests/provider` tries some of it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from offline.mocks import Registration
from tests.unit.graph import Graph, build, shipped

PROTECTED_TYPES = {
    "aws:ebs/volume:Volume",
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "aws:kms/key:Key",
    "aws:rds/cluster:Cluster",
    "aws:rds/clusterInstance:ClusterInstance",
    "aws:rds/instance:Instance",
    "aws:s3/bucket:Bucket",
    "aws:secretsmanager/secret:Secret",
    "aws:secretsmanager/secretVersion:SecretVersion",
    "random:index/randomBytes:RandomBytes",
    "random:index/randomPassword:RandomPassword",
}
"""Every type whose loss loses data, or a key that data needs."""

SWITCHES: dict[str, Callable[[dict[str, Any]], tuple[Any, ...]]] = {
    "aws:rds/cluster:Cluster": lambda inputs: (
        inputs["deletionProtection"],
        not inputs["skipFinalSnapshot"],
        not inputs["deleteAutomatedBackups"],
    ),
    "aws:rds/instance:Instance": lambda inputs: (
        inputs["deletionProtection"],
        not inputs["skipFinalSnapshot"],
        not inputs["deleteAutomatedBackups"],
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": lambda inputs: (
        "finalSnapshotIdentifier" in inputs,
    ),
    "aws:s3/bucket:Bucket": lambda inputs: (not inputs["forceDestroy"],),
    "aws:secretsmanager/secret:Secret": lambda inputs: (inputs["recoveryWindowInDays"] == 30,),
    "aws:kms/key:Key": lambda inputs: (inputs["deletionWindowInDays"] == 30,),
    "aws:lb/loadBalancer:LoadBalancer": lambda inputs: (inputs["enableDeletionProtection"],),
}
"""What AWS itself is told, by type; every value is true when protected."""


def graph(size: str, protected: bool) -> Graph:
    config: dict[str, Any] = {
        "size": size,
        "domain": "langfuse.example.com",
        "ingress": {"kind": "alb"},
        "storage": {"kms": True},
        "secretEnvironment": {"LANGFUSE_EE_LICENSE_KEY": "x"},
        "deletionProtection": protected,
    }
    return build("some", config)


def resources(found: Graph, types: set[str]) -> list[Registration]:
    return [each for each in found.registrations if each.type in types]


@pytest.mark.parametrize("size", ["dev", "prod"])
@pytest.mark.parametrize("protected", [True, False])
def test_everything_that_bears_data_follows_the_switch(size: str, protected: bool) -> None:
    found = graph(size, protected)
    followers = resources(found, PROTECTED_TYPES)
    assert len({each.type for each in followers}) >= len(PROTECTED_TYPES) - 2, "aurora or instance"
    wrong = [each.name for each in followers if found.options_of(each).protect is not protected]
    assert wrong == []


@pytest.mark.parametrize("size", ["dev", "prod"])
@pytest.mark.parametrize("protected", [True, False])
def test_nothing_else_is_protected_so_that_updates_can_replace_it(
    size: str, protected: bool
) -> None:
    found = graph(size, protected)
    kept = {type_ for (type_, _), options in found.options.items() if options.protect}
    assert kept <= PROTECTED_TYPES


@pytest.mark.parametrize("size", ["dev", "prod"])
@pytest.mark.parametrize("protected", [True, False])
def test_aws_is_told_what_pulumi_is_told(size: str, protected: bool) -> None:
    found = graph(size, protected)
    for each in resources(found, set(SWITCHES)):
        values = SWITCHES[each.type](each.inputs)
        assert values == (protected,) * len(values), (
            f"{each.name}: no final snapshot and no protection is what tubone24 rds.tf:28, "
            "langfuse-terraform-aws postgresql.tf:55 and langfuse-with-aws-cdk (in prod) have"
        )


@pytest.mark.parametrize("size", ["dev", "prod"])
def test_the_switch_adds_and_removes_no_resource(size: str) -> None:
    def names(protected: bool) -> set[tuple[str, str]]:
        return {(each.type, each.name) for each in graph(size, protected).registrations}

    assert names(True) == names(False), (
        "a protected resource that unprotecting removes from the program could not be deleted"
    )


@pytest.mark.parametrize("protected", [True, False])
def test_a_protected_volume_outlives_even_its_removal_from_the_stack(protected: bool) -> None:
    found = graph("prod", protected)
    volume = found.one("aws:ebs/volume:Volume")
    assert found.options_of(volume).retain_on_delete is protected
    assert "finalSnapshot" not in volume.inputs, "AWS's provider cannot change it afterwards"


def test_a_final_snapshot_is_named_by_chance_so_that_a_stack_can_be_destroyed_twice() -> None:
    cluster = shipped("prod").one("aws:rds/cluster:Cluster").inputs
    suffix = shipped("prod").one(
        "random:index/randomId:RandomId", "langfuse-prod-postgres-final-snapshot"
    )
    assert cluster["finalSnapshotIdentifier"] == (
        f"langfuse-prod-postgres-final-{suffix.outputs['hex']}"
    )


NAMES = (
    "name",
    "bucket",
    "identifier",
    "clusterIdentifier",
    "replicationGroupId",
    "finalSnapshotIdentifier",
)


NAMED_WITHIN_ANOTHER = {
    "aws:apigatewayv2/stage:Stage",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    "aws:route53/record:Record",
    "aws:servicediscovery/service:Service",
}
"""Types whose names need to be unique in their API, VPC, zone or namespace only."""


def physical_names(found: Graph) -> set[str]:
    names = {
        each.outputs[key]
        for each in found.registrations
        for key in NAMES
        if each.custom
        and each.type not in NAMED_WITHIN_ANOTHER
        and isinstance(each.outputs.get(key), str)
    }
    tasks = found.of_type("aws:ecs/taskDefinition:TaskDefinition")
    return names | {task.outputs["family"] for task in tasks}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dev", "prod"),
        ("a-team-with-a-rather-long-name-dev", "a-team-with-a-rather-long-name-prod"),
        ("Team.One", "team-one"),
    ],
)
def test_two_stacks_in_one_account_share_no_physical_name(one: str, other: str) -> None:
    config = {"size": "prod", "domain": "langfuse.example.com"}
    names = [physical_names(build(stack, config)) for stack in (one, other)]
    assert len(names[0]) > 30, "the comparison is not empty"
    assert names[0] & names[1] == set(), (
        "fixed names allow one environment per account (tubone24, langfuse-terraform-aws s3.tf:62)"
    )


def test_two_stacks_in_one_vpc_have_private_names_of_their_own() -> None:
    token = "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"
    namespaces = [shipped(stack).one(token).outputs["name"] for stack in ("dev", "staging")]
    assert namespaces == ["langfuse-dev.internal", "langfuse-staging.internal"]
