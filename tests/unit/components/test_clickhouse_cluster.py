"""ClickHouse with three servers beside ClickHouse with one, as registered.

What the servers make of their configuration is the business of test_clickhouse_config.py and of
tests/engine/test_clickhouse_engine.py.
"""

import base64
import re
from functools import cache
from typing import Any

import pulumi
import pytest

from langfuse_aws.components.clickhouse.config import profile_config, server_config, start_command
from langfuse_aws.offline.mocks import Registration
from tests.unit.components.test_ingress import varied_prod
from tests.unit.stack_graph import Graph, build, shipped

GROUP = "aws:autoscaling/group:Group"
SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VOLUME = "aws:ebs/volume:Volume"
NAME = "aws:servicediscovery/service:Service"
PASSWORD = "random:index/randomPassword:RandomPassword"
CLICKHOUSE = "langfuse-prod-clickhouse"
NAMESPACE = "langfuse-prod.internal"
SERVERS = {
    1: [f"clickhouse.{NAMESPACE}"],
    3: [f"clickhouse-{number}.{NAMESPACE}" for number in (1, 2, 3)],
}
MEMBER_PORTS = {9000, 9009, 9181, 9234}
each_number = pytest.mark.parametrize("servers", [1, 3])


@cache
def prod(servers: int) -> Graph:
    """The production stack with one server, or with three, copies and a lock."""
    if servers == 1:
        return shipped("prod")
    return build(
        "prod",
        {
            "size": "prod",
            "domain": "langfuse.example.com",
            "clickhouse": {"replicas": 3},
            "backups": {"copyRegion": "eu-west-1", "vaultLock": True},
        },
    )


def volumes_of(graph: Graph) -> list[Registration]:
    """The data volumes by the servers' numbers."""
    return sorted(graph.of_type(VOLUME), key=lambda volume: volume.name)


@each_number
def test_each_server_has_a_volume_of_its_own_in_a_zone_of_its_own(servers: int) -> None:
    graph = prod(servers)
    volumes = volumes_of(graph)
    zones = graph.one("awsx:ec2:Vpc").inputs["availabilityZoneNames"]
    assert [each.name for each in volumes] == {
        1: [CLICKHOUSE],
        3: [f"{CLICKHOUSE}-{number}" for number in (1, 2, 3)],
    }[servers]
    assert [each.inputs["availabilityZone"] for each in volumes] == zones[:servers]
    assert len({each.inputs["availabilityZone"] for each in volumes}) == servers
    for volume in volumes:
        assert (volume.inputs["encrypted"], volume.inputs["size"]) == (True, 100), volume.name
        options = graph.options_of(volume)
        assert (options.protect, options.retain_on_delete) == (True, True), volume.name


@each_number
def test_one_group_keeps_an_instance_in_each_zone_and_replaces_them_one_by_one(
    servers: int,
) -> None:
    graph = prod(servers)
    group = graph.one(GROUP).inputs
    sizes = [group[key] for key in ("minSize", "maxSize", "desiredCapacity")]
    assert sizes == [servers] * 3
    assert group["suspendedProcesses"] == ["AZRebalance"], (
        "a second instance in a zone would find the zone's volume taken"
    )
    subnets = graph.one("awsx:ec2:Vpc").outputs["privateSubnetIds"]
    assert group["vpcZoneIdentifiers"] == subnets[:servers]
    refresh = group["instanceRefresh"]
    assert refresh["strategy"] == "Rolling"
    assert refresh["preferences"] == {
        "minHealthyPercentage": {1: 0, 3: 66}[servers],
        "instanceWarmup": "600",
    }, "of three servers, two keep the quorum"


@each_number
def test_one_service_keeps_a_task_on_each_instance_and_never_two(servers: int) -> None:
    graph = prod(servers)
    service = graph.one(SERVICE, CLICKHOUSE).inputs
    assert service["desiredCount"] == servers
    assert service["deploymentMinimumHealthyPercent"] == {1: 0, 3: 66}[servers]
    assert service["deploymentMaximumPercent"] == 100, "no second server on a volume"
    assert service["placementConstraints"] == [{"type": "distinctInstance"}]
    assert service["availabilityZoneRebalancing"] == "DISABLED"
    subnets = graph.one(GROUP).inputs["vpcZoneIdentifiers"]
    assert service["networkConfiguration"]["subnets"] == subnets


@each_number
def test_each_instance_finds_its_number_its_volume_and_its_name_by_its_zone(servers: int) -> None:
    graph = prod(servers)
    script = base64.b64decode(graph.one(TEMPLATE).inputs["userData"]).decode()
    volumes = [
        f"{volume.inputs['availabilityZone']} {number} {volume.id}"
        for number, volume in enumerate(volumes_of(graph), start=1)
    ]
    names = [
        f"{number} {graph.one(NAME, f'{CLICKHOUSE}-{number}').id}"
        for number in range(1, servers + 1)
        if servers > 1
    ]
    assert between(script, "VOLUMES") == volumes
    assert between(script, "NAMES") == names
    assert re.findall(r"AWS_DEFAULT_REGION=(\S*)", script) == ["us-east-1"] * 3


def between(script: str, word: str) -> list[str]:
    """The lines of a here-document."""
    text = script.split(f"<<'{word}'\n")[1].split(f"\n{word}\n")[0]
    return [line for line in text.splitlines() if line]


@each_number
def test_ecs_keeps_the_name_of_all_servers_and_each_of_three_has_one_besides(servers: int) -> None:
    graph = prod(servers)
    names = {each.inputs["name"] for each in graph.of_type(NAME)}
    assert names == {"clickhouse"} | {each.split(".")[0] for each in SERVERS[servers]}
    registries = graph.one(SERVICE, CLICKHOUSE).inputs["serviceRegistries"]
    assert registries == {"registryArn": graph.one(NAME, CLICKHOUSE).outputs["arn"]}, (
        "ECS would give all tasks the name of one"
    )


@each_number
def test_consumers_ask_any_server_and_migrations_the_first(servers: int) -> None:
    graph = prod(servers)
    for container in ("web", "worker", "migration"):
        plain = graph.environment(container)
        assert plain["CLICKHOUSE_URL"] == f"http://clickhouse.{NAMESPACE}:8123"
        assert plain["CLICKHOUSE_CLUSTER_ENABLED"] == ("true" if servers > 1 else "false")
    url = graph.environment("migration")["CLICKHOUSE_MIGRATION_URL"]
    assert url == f"clickhouse://{SERVERS[servers][0]}:9000", "it reads back what it wrote"


@each_number
def test_the_servers_start_with_the_configuration_for_their_number(servers: int) -> None:
    graph = prod(servers)
    definition, plain = graph.container("clickhouse"), graph.environment("clickhouse")
    folder = graph.environment("backup")["BACKUP_URL"]
    assert plain["CLICKHOUSE_CONFIG_YAML"] == server_config(SERVERS[servers], folder)
    assert [*definition["entryPoint"], *definition["command"]] == start_command(SERVERS[servers])
    assert definition["healthCheck"]["retries"] == {1: 3, 3: 10}[servers]
    assert plain["CLICKHOUSE_PROFILE_YAML"] == profile_config()
    assert set(plain) == {"CLICKHOUSE_CONFIG_YAML", "CLICKHOUSE_PROFILE_YAML", "CLICKHOUSE_USER"}, (
        "for CLICKHOUSE_DB the image starts a server that waits for a quorum for ever"
    )


@each_number
def test_only_servers_among_others_have_a_secret_for_each_other(servers: int) -> None:
    graph = prod(servers)
    arn = graph.one("aws:secretsmanager/secret:Secret", f"{CLICKHOUSE}-credentials").id
    expected = {"CLICKHOUSE_PASSWORD": f"{arn}:password::"}
    if servers > 1:
        expected["CLICKHOUSE_INTERSERVER_SECRET"] = f"{arn}:interserver::"
    assert graph.secrets("clickhouse") == expected
    passwords = {each.name: each for each in graph.of_type(PASSWORD) if CLICKHOUSE in each.name}
    assert set(passwords) == {
        f"{CLICKHOUSE}-{name}" for name in ("password", "interserver")[: len(expected)]
    }
    for password in passwords.values():
        assert (password.inputs["special"], password.inputs["length"]) == (False, 32), (
            "ClickHouse reads it as XML"
        )
    for container in ("web", "worker", "migration", "backup"):
        assert f"{arn}:interserver::" not in graph.secrets(container).values()


@each_number
def test_a_server_can_read_its_number_and_not_change_it(servers: int) -> None:
    graph = prod(servers)
    volumes = {
        each["name"]: each["hostPath"] for each in graph.one(TASK, CLICKHOUSE).inputs["volumes"]
    }
    mounts = {
        each["sourceVolume"]: (each["containerPath"], each["readOnly"])
        for each in graph.container("clickhouse")["mountPoints"]
    }
    folder = "/etc/langfuse-clickhouse"
    expected: dict[str, Any] = {"data": ("/var/lib/clickhouse", False)}
    if servers > 1:
        expected["number"] = (folder, True)
    assert mounts == expected
    assert volumes.pop("data") == "/var/lib/langfuse-clickhouse/data"
    assert volumes == ({"number": folder} if servers > 1 else {})


def test_three_servers_let_each_other_in_and_nobody_besides() -> None:
    assert prod(3).open_ports() - prod(1).open_ports() == {
        (CLICKHOUSE, CLICKHOUSE, port) for port in MEMBER_PORTS
    }, "who reaches Keeper or the interserver port can change every table"
    assert prod(1).open_ports() - prod(3).open_ports() == set()


@each_number
def test_servers_connect_to_s3_and_to_each_other_and_to_nothing_else(servers: int) -> None:
    graph = prod(servers)
    group = graph.one("aws:ec2/securityGroup:SecurityGroup", CLICKHOUSE).id
    ways = [
        each
        for each in graph.of_type("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
        if each.inputs["securityGroupId"] == group
    ]
    targets = {
        (
            "S3" if "prefixListId" in each.inputs else each.inputs.get("referencedSecurityGroupId"),
            each.inputs["ipProtocol"],
            each.inputs.get("fromPort"),
            each.inputs.get("toPort"),
        )
        for each in ways
    }
    members = {(group, "tcp", port, port) for port in MEMBER_PORTS}
    assert targets == {("S3", "tcp", 443, 443)} | (members if servers > 1 else set())
    waited = graph.options_of(graph.one(SERVICE, CLICKHOUSE)).dependencies
    assert {graph.urns[each.type, each.name] for each in ways} <= waited, (
        "a server that starts alone waits for a quorum"
    )


@each_number
def test_instances_may_attach_these_volumes_and_register_these_names(servers: int) -> None:
    graph = prod(servers)
    attach, own, *register, report = graph.policy(CLICKHOUSE)
    assert attach["Resource"] == [each.outputs["arn"] for each in volumes_of(graph)]
    assert own["Condition"] == {"StringEquals": {"ec2:ResourceTag/Name": CLICKHOUSE}}
    assert report["Action"] == ["cloudwatch:PutMetricData"]
    assert report["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Langfuse/ClickHouse"}}
    if servers == 1:
        assert register == []
        return
    names = [graph.one(NAME, f"{CLICKHOUSE}-{number}").outputs["arn"] for number in (1, 2, 3)]
    token = "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"
    zone = graph.one(token).outputs["hostedZone"]
    logs = graph.one("aws:cloudwatch/logGroup:LogGroup", CLICKHOUSE).outputs["arn"]
    assert [(each["Action"], each["Resource"]) for each in register] == [
        (["servicediscovery:RegisterInstance"], names),
        (["servicediscovery:GetOperation"], [graph.one(token).outputs["arn"], *names]),
        (
            ["route53:ChangeResourceRecordSets", "route53:GetHostedZone"],
            [f"arn:aws:route53:::hostedzone/{zone}"],
        ),
        (
            ["route53:GetHealthCheck", "route53:UpdateHealthCheck"],
            ["arn:aws:route53:::healthcheck/*"],
        ),
        (
            [
                "ec2:DescribeInstances",
                "route53:CreateHealthCheck",
                "route53:ListHostedZonesByName",
            ],
            ["*"],
        ),
        (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [f"{logs}:log-stream:register-server/*"],
        ),
    ], "Cloud Map writes the record in the name of the instance; a failure is told in its log group"


def test_from_one_server_to_three_only_the_single_volume_goes() -> None:
    gone = set(prod(1).urns) - set(prod(3).urns)
    assert gone == {
        (VOLUME, CLICKHOUSE),
        ("pulumi:index:Stash", f"{CLICKHOUSE}-volume"),
    }, "and the guard refuses that"


def test_three_servers_in_two_zones_are_refused() -> None:
    network = {
        "vpcId": "vpc-0123456789abcdef0",
        # The last digit says the zone.
        "privateSubnetIds": [f"subnet-0000000000000000{digit}" for digit in "031"],
        "publicSubnetIds": ["subnet-00000000000000004", "subnet-00000000000000005"],
    }
    with pytest.raises(pulumi.RunError, match=r"langfuse:clickhouse.replicas: 3: .* us-east-1a"):
        build("dev", {"size": "dev", "network": network, "clickhouse": {"replicas": 3}})


def test_another_instance_type_changes_the_instances_and_not_the_task() -> None:
    larger = varied_prod()
    for kind in ("aws:ecs/taskDefinition:TaskDefinition", "aws:ecs/service:Service"):
        assert larger.one(kind, CLICKHOUSE).inputs == prod(1).one(kind, CLICKHOUSE).inputs, (
            "ECS and the Auto Scaling group would stop one server each at the same time"
        )
    template = "aws:ec2/launchTemplate:LaunchTemplate"
    types = [each.one(template).inputs["instanceType"] for each in (prod(1), larger)]
    assert types == ["r7g.large", "r7g.xlarge"]


@pytest.mark.parametrize("servers", [1, 3])
def test_up_waits_as_long_as_servers_may_take_that_come_in_the_end(servers: int) -> None:
    graph = prod(servers)
    service = graph.one("aws:ecs/service:Service", CLICKHOUSE)
    timeouts = {
        kind: int(limit.removesuffix("s"))
        for kind, limit in graph.options_of(service).timeouts.items()
        if limit
    }
    container = graph.container("clickhouse")
    check = container["healthCheck"]
    start = check["startPeriod"] + check["retries"] * check["interval"]
    (attempts, pause), *_ = re.findall(r"^retry (\d+) (\d+) attach$", boot_script(graph), re.M)
    boot = int(attempts) * int(pause)
    assert timeouts["create"] > boot + start, "an instance boots, and a server starts"
    assert timeouts["update"] > servers * (container["stopTimeout"] + boot + start), (
        "one after another, and each waits for the instance that replaces its own"
    )
    if servers == 3:
        assert min(timeouts.values()) > 20 * 60, "the provider's own limit"


def boot_script(graph: Graph) -> str:
    """The boot script of the instances."""
    return base64.b64decode(graph.one(TEMPLATE).inputs["userData"]).decode()
