"""What `preflight` thinks a stack needs, beside what the program registers for it.

Every count is compared with the resource graphs of the shipped stacks and of a varied one. It does
not prove how AWS counts a quota.
"""

import json
from collections import Counter
from typing import Any

import pytest

from langfuse_aws.automation.preflight.actions import rows, rows_for
from langfuse_aws.automation.preflight.needs import MOST_ROLES, Machine, needs_of
from langfuse_aws.settings.capacity import graviton_vcpus
from langfuse_aws.settings.loading import load_without_secrets
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stack_images import Image
from tests.unit import stack_graph as graph
from tests.unit.stack_graph import Graph
from tests.unit.stacks_of_all import of_vpc

STACKS = ("dev", "staging", "prod", "varied")
SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
VPC = "awsx:ec2:Vpc"


def built(stack: str) -> tuple[Settings, Graph]:
    """A stack's settings, and what the program registers for it."""
    if stack == "varied":
        return load_without_secrets(graph.VARIED), graph.varied()
    return load_without_secrets(graph.shipped_config(stack)), graph.shipped(stack)


def settings(**config: Any) -> Settings:
    return load_without_secrets({"size": "dev", **config})


@pytest.mark.parametrize("stack", STACKS)
def test_needs_are_what_the_program_registers(stack: str) -> None:
    own, made = built(stack)
    needs = needs_of(own)

    def count(token: str) -> int:
        return len(made.of_type(token))

    vpc = made.one(VPC)
    zones = len(vpc.inputs["availabilityZoneNames"])
    assert needs.zones == zones
    assert needs.vpcs == count(VPC)
    assert needs.nat_gateways == count("aws:ec2/natGateway:NatGateway")
    assert needs.addresses == count("aws:ec2/eip:Eip")
    assert needs.load_balancers == count("aws:lb/loadBalancer:LoadBalancer")
    assert needs.vpc_links == count("aws:apigatewayv2/vpcLink:VpcLink")
    assert needs.db_clusters == count("aws:rds/cluster:Cluster")
    assert needs.db_instances == count("aws:rds/instance:Instance") + count(
        "aws:rds/clusterInstance:ClusterInstance"
    )
    assert needs.namespaces == count("aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace")
    cache = made.one("aws:elasticache/replicationGroup:ReplicationGroup")
    assert needs.cache_nodes == cache.inputs["numCacheClusters"]


@pytest.mark.parametrize("stack", STACKS)
def test_vcpus_are_those_of_the_services_and_instances(stack: str) -> None:
    own, made = built(stack)
    needs = needs_of(own)
    fargate: Counter[str] = Counter()
    for service in made.of_type(SERVICE):
        for strategy in service.inputs.get("capacityProviderStrategies", []):
            cpu = int(made.one(TASK, service.name).inputs["cpu"])
            fargate[strategy["capacityProvider"]] += service.inputs["desiredCount"] * cpu / 1024
    migration = int(made.one(TASK, f"{made.one(VPC).name}-migration").inputs["cpu"]) / 1024
    assert needs.fargate_spot_vcpus == fargate["FARGATE_SPOT"]
    assert needs.fargate_vcpus == max(fargate["FARGATE"], migration)
    machines = {
        (
            made.one("aws:ec2/launchTemplate:LaunchTemplate", group.name).inputs["instanceType"],
            group.inputs["desiredCapacity"],
        )
        for group in made.of_type("aws:autoscaling/group:Group")
    }
    assert {(each.instance_type, each.zones) for each in needs.machines} == machines


@pytest.mark.parametrize("stack", STACKS)
def test_images_and_their_cpus_are_those_of_the_task_definitions(stack: str) -> None:
    own, made = built(stack)
    named = {"ARM64": "arm64", "X86_64": "amd64"}
    registered: set[tuple[str, str, str]] = set()
    for task in made.of_type(TASK):
        platform = task.inputs.get("runtimePlatform", {"cpuArchitecture": "ARM64"})
        for container in json.loads(task.inputs["containerDefinitions"]):
            name, _, tag = container["image"].partition("@")[0].rpartition(":")
            registered.add((name.rpartition("/")[2], tag, named[platform["cpuArchitecture"]]))
    images = needs_of(own).images
    assert {
        (each.repository.rpartition("/")[2], each.tag, each.architecture) for each in images
    } == registered


def test_roles_are_those_of_a_stack_with_everything() -> None:
    most = max(len(built(stack)[1].of_type("aws:iam/role:Role")) for stack in STACKS)
    flow_logs_nat_instance_and_hours = 3
    assert most + flow_logs_nat_instance_and_hours == MOST_ROLES


def test_what_exists_already_is_not_needed() -> None:
    needs = needs_of(
        settings(
            network={
                "vpcId": "vpc-0123456789abcdef0",
                "privateSubnetIds": ["subnet-01234567", "subnet-12345678"],
                "publicSubnetIds": ["subnet-23456789", "subnet-3456789a"],
            },
            clickhouse={
                "mode": "external",
                "url": "https://c.example.com:8443",
                "migrationUrl": "clickhouse://c.example.com:9440",
            },
            postgres={"mode": "external", "host": "p.example.com"},
            redis={"mode": "external", "host": "r.example.com"},
        )
    )
    assert (needs.zones, needs.vpcs, needs.nat_gateways) == (2, 0, 0)
    assert (needs.machines, needs.standard_vcpus) == ((), 0)
    assert (needs.db_instances, needs.db_clusters, needs.cache_nodes) == (0, 0, 0)
    assert [image.services for image in needs.images] == [("web", "migration"), ("worker",)]


def test_three_replicas_need_three_instances_in_three_zones() -> None:
    network = {"zones": 3, "egress": "natInstance"}
    clickhouse = {"replicas": 3, "instanceType": "r7g.large"}
    needs = needs_of(settings(network=network, clickhouse=clickhouse))
    assert needs.machines == (
        Machine("r7g.large", 3, "clickhouse.instanceType"),
        Machine("t4g.nano", 1, "network.egress"),
    )
    assert needs.standard_vcpus == 3 * 2 + 2


@pytest.mark.parametrize(
    ("egress", "gateways", "addresses"),
    [
        ("none", 0, 0),
        ("natInstance", 0, 1),
        ("natGateway", 1, 1),
        ("natGatewayPerZone", 2, 2),
        ("endpoints", 0, 0),
    ],
)
def test_every_way_out_has_elastic_ips(egress: str, gateways: int, addresses: int) -> None:
    needs = needs_of(settings(network={"egress": egress}, images={"source": "mirror"}))
    assert (needs.nat_gateways, needs.addresses) == (gateways, addresses)


def test_services_beside_each_other_add_up_by_capacity_provider() -> None:
    web = {"spot": False, "cpu": 2048, "memory": 4096, "minTasks": 3, "maxTasks": 9}
    worker = {"spot": True, "cpu": 512, "memory": 1024, "minTasks": 2, "maxTasks": 2}
    needs = needs_of(settings(web=web, worker=worker, grafana={"enabled": True}))
    assert needs.fargate_vcpus == 3 * 2 + 0.5
    assert needs.fargate_spot_vcpus == 2 * 0.5


def test_an_image_is_needed_for_the_architecture_of_its_service() -> None:
    images = needs_of(settings(release="3.200.0", web={"architecture": "x86_64"})).images
    assert images[:2] == (
        Image("web", "ghcr.io/langfuse/langfuse:3.200.0", "amd64", ("web", "migration")),
        Image("worker", "ghcr.io/langfuse/langfuse-worker:3.200.0", "arm64", ("worker",)),
    )


@pytest.mark.parametrize(
    ("instance_type", "vcpus"),
    [
        ("t4g.nano", 2),
        ("t4g.medium", 2),
        ("m7g.medium", 1),
        ("r7g.large", 2),
        ("c7gn.xlarge", 4),
        ("r8g.16xlarge", 64),
        ("m5.large", None),
    ],
)
def test_vcpus_of_graviton_types_follow_from_their_names(
    instance_type: str, vcpus: int | None
) -> None:
    assert graviton_vcpus(instance_type) == vcpus


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_type_of_a_stack_has_its_permissions_and_no_other(stack: str) -> None:
    own, made = built(stack)
    registered = {each.type for each in made.registrations if each.type.startswith("aws:")}
    simulated = {token for row in rows_for(own) for token in row.types}
    assert simulated == registered | of_vpc(), (
        "langfuse_aws/automation/preflight/permissions.csv must have a row for each type that "
        "the program registers"
    )


ALB: dict[str, Any] = {"domain": "langfuse.example.com", "ingress": {"kind": "alb"}}
ON_APP_RUNNER: dict[str, Any] = {
    "domain": "langfuse.example.com",
    "web": {"platform": "appRunner"},
    "network": {"egress": "natInstance"},
    "images": {"source": "mirror"},
}
NAT_INSTANCE = {"ec2/eip:Eip", "ec2/networkInterface:NetworkInterface"}
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0"


@pytest.mark.parametrize(
    ("before", "config", "types"),
    [
        ({}, {"network": {"flowLogs": True}}, {"ec2/flowLog:FlowLog"}),
        (
            {},
            {"network": {"egress": "natGateway"}},
            {"ec2/eip:Eip", "ec2/natGateway:NatGateway"},
        ),
        ({}, {"network": {"egress": "natInstance"}}, NAT_INSTANCE),
        ({}, {"storage": {"kms": True}}, {"kms/key:Key"}),
        ({}, {"encryption": "customerKey"}, {"kms/key:Key"}),
        (
            {},
            {"backups": {"vaultLock": True}},
            {"backup/vaultLockConfiguration:VaultLockConfiguration"},
        ),
        (
            {},
            {"domain": "langfuse.example.com", "ingress": {"certificateArn": CERTIFICATE}},
            {"apigatewayv2/domainName:DomainName", "apigatewayv2/apiMapping:ApiMapping"},
        ),
        (
            {"domain": "langfuse.example.com", "ingress": {"certificateArn": CERTIFICATE}},
            ON_APP_RUNNER,
            {
                "apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion",
                "apprunner/customDomainAssociation:CustomDomainAssociation",
                "apprunner/service:Service",
                "apprunner/vpcConnector:VpcConnector",
                *NAT_INSTANCE,
                "ecr/lifecyclePolicy:LifecyclePolicy",
                "ecr/repository:Repository",
                "route53/record:Record",
            },
        ),
        (ALB, {**ALB, "grafana": {"enabled": True}}, {"lb/listenerRule:ListenerRule"}),
        (
            ALB,
            {**ALB, "ingress": {"kind": "alb", "waf": {}}},
            {
                "wafv2/webAcl:WebAcl",
                "wafv2/webAclAssociation:WebAclAssociation",
                "wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
            },
        ),
    ],
)
def test_a_setting_brings_the_permissions_of_its_types_and_no_others(
    before: dict[str, Any], config: dict[str, Any], types: set[str]
) -> None:
    without = {token for row in rows_for(settings(**before)) for token in row.types}
    needed = {token for row in rows_for(settings(**config)) for token in row.types}
    assert needed - without == {f"aws:{each}" for each in types}


def test_every_row_is_needed_by_some_stack_and_has_actions() -> None:
    assert all(row.actions for row in rows())
    everything = settings(
        network={"egress": "natGateway", "flowLogs": True},
        domain="langfuse.example.com",
        ingress={"kind": "alb", "waf": {}},
        grafana={"enabled": True},
        backups={"vaultLock": True},
        alarms={"email": "ops@example.com", "monthlyBudgetUsd": 1},
        postgres={"mode": "auroraServerless"},
    )
    policy = "arn:aws:iam::123456789012:policy/own"
    the_rest = settings(
        network={"egress": "natInstance"},
        domain="langfuse.example.com",
        permissionsBoundary=policy,
        web={"policyArns": [policy]},
    )
    mirror = settings(**ON_APP_RUNNER)
    through = load_without_secrets(graph.VARIED)
    restored = settings(
        postgres={"snapshotIdentifier": "nightly"}, clickhouse={"snapshotId": "snap-01234567"}
    )
    aurora = settings(postgres={"mode": "auroraServerless", "snapshotIdentifier": "nightly"})
    encrypted = settings(encryption="customerKey")
    asleep = settings(
        hours={"from": "08:00", "to": "19:00", "timezone": "Etc/UTC"},
        alarms={"email": "ops@example.com"},
    )
    stacks = (everything, the_rest, mirror, through, restored, aurora, encrypted, asleep)
    needed = {id(row) for own in stacks for row in rows_for(own)}
    assert needed == {id(row) for row in rows()}
