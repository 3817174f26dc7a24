"""The ECS services and tasks: definitions, deployments, roles and scaling, as registered."""

import json
from typing import Any

import pytest

from langfuse_aws.components.authorities import OPENSSL_VARIABLE
from langfuse_aws.components.environment import NO_MIGRATIONS
from langfuse_aws.contract.variables import Container, known
from langfuse_aws.settings.versions import CLICKHOUSE, LANGFUSE, LANGFUSE_3, version_of
from tests.unit.stack_graph import Graph, build, shipped, shipped_config, varied
from tests.unit.stacks_of_all import STACKS, graphs

SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
TARGET = "aws:appautoscaling/target:Target"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
ALL = ["dev", "staging", "prod"]
CONTAINERS = ["web", "worker", "clickhouse"]
TASKS = {
    "web": "web",
    "worker": "worker",
    "clickhouse": "clickhouse",
    "migration": "migration",
    "backup": "clickhouse-backup",
}
"""Each container, and how its task's resources are named after the stack."""
WITHOUT_RESOURCE = {
    "ecs:ListTasks": "ecs:cluster",
    "cloudwatch:PutMetricData": "cloudwatch:namespace",
}
"""Actions whose API has no resource to name, and the condition that narrows each."""


def service(graph: Graph, stack: str, container: str) -> dict[str, Any]:
    return graph.one(SERVICE, f"langfuse-{stack}-{container}").inputs


@pytest.mark.parametrize("stack", ALL)
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_checks_its_health_logs_and_stops_slowly(
    stack: str, container: str
) -> None:
    definition = shipped(stack).container(container)
    assert definition["stopTimeout"] >= 60, "ECS's default is 30 s: test_health_checks.py has each"
    assert definition["healthCheck"]["command"][0] == "CMD-SHELL"
    assert "localhost" not in definition["healthCheck"]["command"][1]
    assert definition["logConfiguration"]["logDriver"] == "awslogs"
    assert definition["logConfiguration"]["options"]["mode"] == "non-blocking"
    assert definition["portMappings"], container


def test_no_health_check_cuts_a_migration_off() -> None:
    definition = shipped("prod").container("migration")
    assert "healthCheck" not in definition, (
        "75 s cut long migrations off half-way (langfuse-with-aws-cdk web.ts:103)"
    )


@pytest.mark.parametrize("container", ["migration", "backup"])
def test_a_task_that_ends_by_itself_logs_as_the_services_do(container: str) -> None:
    graph = shipped("prod")
    definition, web = graph.container(container), graph.container("web")
    assert (definition["portMappings"], "healthCheck" in definition) == ([], False)
    assert definition["stopTimeout"] == 120
    group = graph.one("aws:cloudwatch/logGroup:LogGroup", f"langfuse-prod-{TASKS[container]}")
    assert definition["logConfiguration"]["options"] == {
        **web["logConfiguration"]["options"],
        "awslogs-group": group.outputs["name"],
        "awslogs-stream-prefix": container,
    }


@pytest.mark.parametrize("stack", ALL)
@pytest.mark.parametrize("container", CONTAINERS)
def test_deployments_roll_back_and_up_waits_for_them(stack: str, container: str) -> None:
    inputs = service(shipped(stack), stack, container)
    assert inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert inputs["waitForSteadyState"] is True


def test_spot_may_be_switched_in_a_running_stack() -> None:
    """Provider 6 refuses another strategy unless a new deployment is forced."""
    services = [
        each.inputs for graph in (*map(shipped, ALL), varied()) for each in graph.of_type(SERVICE)
    ]
    placed = [each for each in services if "capacityProviderStrategies" in each]
    assert len(placed) >= 9, "web, the worker and Grafana"
    assert {each.get("forceNewDeployment") for each in placed} == {True}
    others = [each for each in services if "capacityProviderStrategies" not in each]
    assert others
    assert not [each for each in others if each.get("forceNewDeployment")], (
        "ClickHouse would be stopped by every change of its service"
    )


@pytest.mark.parametrize("stack", ALL)
def test_two_clickhouse_servers_never_share_the_volume(stack: str) -> None:
    inputs = service(shipped(stack), stack, "clickhouse")
    keys = ("deploymentMinimumHealthyPercent", "deploymentMaximumPercent", "desiredCount")
    assert [inputs[key] for key in keys] == [0, 100, 1], (
        "100/200 and 50/200 start a second server on the first one's data (tubone24 ecs.tf:285, "
        "langfuse-with-aws-cdk, myui)"
    )
    assert inputs["availabilityZoneRebalancing"] == "DISABLED", "it would start a second one too"


@pytest.mark.parametrize("stack", ALL)
@pytest.mark.parametrize("container", ["web", "worker"])
def test_a_deployment_stops_no_task_before_another_one_serves(stack: str, container: str) -> None:
    inputs = service(shipped(stack), stack, container)
    assert inputs["deploymentMaximumPercent"] == 200
    assert inputs["deploymentMinimumHealthyPercent"] == 100
    assert inputs["availabilityZoneRebalancing"] == "ENABLED", (
        "after a zone was down all tasks would stay in the others; an absent value is ENABLED for "
        "services that are made now and what it was for older ones: "
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html"
    )


def test_tasks_carry_tags_by_which_their_cost_is_told() -> None:
    graphs = (*map(shipped, ALL), varied())
    services = [each for graph in graphs for each in graph.of_type(SERVICE)]
    runs = [each for graph in graphs for each in graph.of_type("aws:scheduler/schedule:Schedule")]
    assert (len(services), len(runs)) == (13, 4), "three of each stack, Grafana, and the backups"
    for each in services:
        assert each.inputs["propagateTags"] == "SERVICE", f"{each.name}: ECS tags no task unasked"
    for each in runs:
        run = each.inputs["target"]["ecsParameters"]
        assert run["propagateTags"] == "TASK_DEFINITION", f"{each.name}: there is no service"


@pytest.mark.parametrize("stack", ALL)
@pytest.mark.parametrize("container", ["web", "worker"])
def test_a_service_starts_at_its_least_and_autoscaling_goes_on(stack: str, container: str) -> None:
    graph = shipped(stack)
    found = graph.one(SERVICE, f"langfuse-{stack}-{container}")
    target = graph.one(TARGET, f"langfuse-{stack}-{container}").inputs
    assert found.inputs["desiredCount"] == target["minCapacity"]
    assert graph.options_of(found).ignore_changes == {"desiredCount"}
    cluster = graph.one("aws:ecs/cluster:Cluster").outputs["name"]
    assert target["resourceId"] == f"service/{cluster}/{found.outputs['name']}"
    assert 1 <= target["minCapacity"] <= target["maxCapacity"]


def test_web_starts_when_the_load_balancer_can_reach_it() -> None:
    graph = shipped("prod")
    waited = graph.options_of(graph.one(SERVICE, "langfuse-prod-web")).dependencies
    assert graph.urns["aws:lb/listener:Listener", "langfuse-prod-https"] in waited, (
        "ECS refuses a target group that no listener uses"
    )


def test_prod_keeps_two_of_each_running() -> None:
    for container in ("web", "worker"):
        target = shipped("prod").one(TARGET, f"langfuse-prod-{container}").inputs
        assert target["minCapacity"] == 2, container


def test_spot_is_a_capacity_provider_and_not_a_switch_without_effect() -> None:
    dev, prod = service(shipped("dev"), "dev", "web"), service(shipped("prod"), "prod", "web")
    assert dev["capacityProviderStrategies"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert prod["capacityProviderStrategies"] == [{"capacityProvider": "FARGATE", "weight": 1}]
    for inputs in (dev, prod):
        assert "launchType" not in inputs, "launch_type overrides it (tubone24 ecs.tf:270)"


@pytest.mark.parametrize("container", ["web", "worker"])
def test_tasks_run_on_graviton_unless_told_otherwise(container: str) -> None:
    graph = shipped("dev")
    task = graph.one(TASK, f"langfuse-dev-{container}").inputs
    assert task["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    task = varied().one(TASK, f"langfuse-dev-{container}").inputs
    assert task["runtimePlatform"]["cpuArchitecture"] == "X86_64"
    migration = varied().one(TASK, "langfuse-dev-migration").inputs["runtimePlatform"]
    assert migration["cpuArchitecture"] == "X86_64", "it runs web's image"


def test_images_are_exact_releases() -> None:
    graph = varied()
    images = [graph.container(name)["image"] for name in CONTAINERS]
    registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com/langfuse-dev"
    assert images == [
        f"{registry}/ghcr/langfuse/langfuse:{LANGFUSE_3}",
        f"{registry}/ghcr/langfuse/langfuse-worker:{LANGFUSE_3}",
        f"{registry}/hub/clickhouse/clickhouse-server:{CLICKHOUSE}",
    ], ":latest, :3 and no ClickHouse tag at all are what the peers run"


@pytest.mark.parametrize("release", [LANGFUSE_3, LANGFUSE])
@pytest.mark.parametrize("stack", ALL)
def test_each_size_gives_each_release_variables_that_it_reads_and_takes(
    stack: str, release: str
) -> None:
    graph = shipped(stack)
    if release != LANGFUSE:
        graph = build(stack, {**shipped_config(stack), "release": release})
    containers: tuple[Container, Container] = ("web", "worker")
    for container in containers:
        assert graph.container(container)["image"].endswith(f":{release}")
        variables = known(container, version_of(release)[0])
        given = graph.environment(container)
        assert ("LANGFUSE_MIGRATION_V4_WRITE_MODE" in given) is (release == LANGFUSE)
        unread = {*given, *graph.secrets(container)} - variables.keys()
        assert unread <= {*NO_MIGRATIONS, OPENSSL_VARIABLE}
        wrong = {name: variables[name].problem(given[name]) for name in given if name in variables}
        assert set(wrong.values()) == {None}, wrong


@pytest.mark.parametrize("stack", ALL)
@pytest.mark.parametrize("container", ["web", "worker"])
def test_containers_may_use_their_bucket_and_nothing_else(stack: str, container: str) -> None:
    graph = shipped(stack)
    bucket = graph.one("aws:s3/bucket:Bucket", f"langfuse-{stack}-storage").outputs["arn"]
    assert graph.policy(f"langfuse-{stack}-{container}-task") == [
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket]},
        {
            "Effect": "Allow",
            "Action": [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:PutObject",
            ],
            "Resource": [f"{bucket}/*"],
        },
    ], "s3:* and secretsmanager:* is what tubone24 iam.tf:64 and niklas-palm grant"


@pytest.mark.parametrize("stack", ALL)
@pytest.mark.parametrize("container", ["migration", "clickhouse-backup"])
def test_the_other_tasks_may_use_nothing(stack: str, container: str) -> None:
    graph = shipped(stack)
    role = graph.one(ROLE, f"langfuse-{stack}-{container}-task")
    assert role.name not in {each.name for each in graph.of_type(POLICY)}
    used = {
        each.inputs["role"]
        for each in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    }
    assert role.outputs["name"] not in used


@pytest.mark.parametrize("stack", ALL)
@pytest.mark.parametrize("container", TASKS)
def test_the_agent_may_read_exactly_the_containers_secrets(stack: str, container: str) -> None:
    graph = shipped(stack)
    _, read = graph.policy(f"langfuse-{stack}-{TASKS[container]}-execution")
    used = {reference.rsplit(":", 3)[0] for reference in graph.secrets(container).values()}
    assert read["Action"] == ["secretsmanager:GetSecretValue"]
    assert set(read["Resource"]) == used


@pytest.mark.parametrize("stack", ALL)
def test_no_statement_of_any_role_is_a_wildcard(stack: str) -> None:
    for policy in shipped(stack).of_type(POLICY):
        for statement in json.loads(policy.inputs["policy"])["Statement"]:
            (first, *_) = statement["Action"]
            condition = WITHOUT_RESOURCE.get(first)
            assert (condition is not None) is ("*" in statement["Resource"]), policy.name
            if condition is not None:
                assert statement["Action"] == [first]
                found = {key for keys in statement["Condition"].values() for key in keys}
                assert found == {condition}, policy.name
            assert not any("*" in action for action in statement["Action"]), policy.name


@pytest.mark.parametrize("stack", ALL)
def test_no_secret_is_in_a_plain_environment(stack: str) -> None:
    graph = shipped(stack)
    secrets = {
        value
        for version in graph.of_type("aws:secretsmanager/secretVersion:SecretVersion")
        for value in json.loads(version.inputs["secretString"]).values()
    }
    assert len(secrets) == 6, "the markers themselves"
    for task in graph.of_type(TASK):
        text = task.inputs["containerDefinitions"]
        found = [secret for secret in secrets if secret in text]
        assert not found, f"{task.name} shows a secret (tubone24 ecs.tf:104, app_runner.tf:21)"


@pytest.mark.parametrize("name", STACKS)
def test_every_secret_of_a_container_is_a_key_of_a_secret_of_the_stack(name: str) -> None:
    graph = graphs()[name]
    stored = {
        version.inputs["secretId"]: {*json.loads(version.inputs["secretString"])}
        for version in graph.of_type("aws:secretsmanager/secretVersion:SecretVersion")
    }
    read = [
        secret
        for task in graph.of_type(TASK)
        for container in json.loads(task.inputs["containerDefinitions"])
        for secret in container.get("secrets", ())
    ]
    assert len(read) > 5
    for secret in read:
        arn, key, stage, version = secret["valueFrom"].rsplit(":", 3)
        assert (stage, version) == ("", ""), "the newest"
        assert key in stored[arn], secret["name"]


@pytest.mark.parametrize("stack", ALL)
def test_log_groups_expire(stack: str) -> None:
    for group in shipped(stack).of_type("aws:cloudwatch/logGroup:LogGroup"):
        assert group.inputs["retentionInDays"] >= 7, group.name


def test_clickhouse_writes_to_a_volume_that_outlives_its_instance() -> None:
    graph = shipped("prod")
    volume = graph.one("aws:ebs/volume:Volume")
    assert (volume.inputs["type"], volume.inputs["encrypted"]) == ("gp3", True)
    assert volume.inputs["size"] == 100
    template = graph.one("aws:ec2/launchTemplate:LaunchTemplate").inputs
    assert all(device["ebs"]["encrypted"] == "true" for device in template["blockDeviceMappings"])
    task = graph.one(TASK, "langfuse-prod-clickhouse").inputs
    assert task["volumes"] == [{"name": "data", "hostPath": "/var/lib/langfuse-clickhouse/data"}], (
        "EFS corrupts with two tasks and breaks migrations (langfuse#14906)"
    )
    mount = graph.container("clickhouse")["mountPoints"]
    assert [(each["sourceVolume"], each["containerPath"]) for each in mount] == [
        ("data", "/var/lib/clickhouse")
    ]


@pytest.mark.parametrize("stack", ALL)
def test_the_clickhouse_instance_is_replaced_one_at_a_time_in_the_volumes_zone(stack: str) -> None:
    graph = shipped(stack)
    group = graph.one("aws:autoscaling/group:Group", f"langfuse-{stack}-clickhouse").inputs
    assert [group[key] for key in ("minSize", "maxSize", "desiredCapacity")] == [1, 1, 1]
    preferences = group["instanceRefresh"]["preferences"]
    assert preferences == {"minHealthyPercentage": 0, "instanceWarmup": "600"}
    clickhouse = service(graph, stack, "clickhouse")["networkConfiguration"]["subnets"]
    assert group["vpcZoneIdentifiers"] == clickhouse
    assert len(clickhouse) == 1


@pytest.mark.parametrize("stack", ALL)
def test_the_clickhouse_instance_is_closed_and_asks_for_imds_tokens(stack: str) -> None:
    graph = shipped(stack)
    name = f"langfuse-{stack}-clickhouse"
    template = graph.one("aws:ec2/launchTemplate:LaunchTemplate", name).inputs
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["metadataOptions"]["httpPutResponseHopLimit"] == 1, (
        "containers must not reach the instance's role"
    )
    assert template["imageId"].startswith("resolve:ssm:/aws/service/ecs/optimized-ami/")
    assert "/arm64/" in template["imageId"]
    assert "keyName" not in template, "SSM Session Manager needs no SSH key"
    entered = {target for _, target, _ in graph.open_ports()}
    assert f"langfuse-{stack}-clickhouse-instance" not in entered


def test_clickhouse_has_enough_open_files_and_no_clustered_tables() -> None:
    definition = shipped("dev").container("clickhouse")
    assert definition["ulimits"] == [{"name": "nofile", "softLimit": 262144, "hardLimit": 262144}]
    for container in ("web", "worker"):
        assert shipped("dev").environment(container)["CLICKHOUSE_CLUSTER_ENABLED"] == "false"


def test_clickhouse_is_found_by_an_a_record_and_web_by_one_with_its_port() -> None:
    graph = shipped("dev")
    token = "aws:servicediscovery/service:Service"
    types = {
        each.inputs["name"]: each.inputs["dnsConfig"]["dnsRecords"][0]["type"]
        for each in graph.of_type(token)
    }
    assert types == {"clickhouse": "A", "web": "SRV"}
    assert all(each.inputs["forceDestroy"] for each in graph.of_type(token)), (
        "a record that is left would stop the first destroy"
    )
    for each in graph.of_type(token):
        (record,) = each.inputs["dnsConfig"]["dnsRecords"]
        assert record["ttl"] <= 60, f"{each.name}: a replaced task would be asked for that long"


@pytest.mark.parametrize("stack", ALL)
def test_cloud_map_gives_every_healthy_task_by_what_ecs_tells(stack: str) -> None:
    found = shipped(stack).of_type("aws:servicediscovery/service:Service")
    assert found
    for each in found:
        assert each.inputs["healthCheckCustomConfig"] == {"failureThreshold": 1}, (
            "without one ECS cannot take an unhealthy task out: https://docs.aws.amazon.com/"
            "AmazonECS/latest/developerguide/service-discovery.html"
        )
        assert each.inputs["dnsConfig"]["routingPolicy"] == "MULTIVALUE", (
            f"{each.name}: WEIGHTED answers with one task, picked at random"
        )


@pytest.mark.parametrize("stack", ALL)
def test_backups_of_stacks_begin_spread_over_half_an_hour(stack: str) -> None:
    (schedule,) = shipped(stack).of_type("aws:scheduler/schedule:Schedule")
    assert schedule.inputs["flexibleTimeWindow"] == {
        "mode": "FLEXIBLE",
        "maximumWindowInMinutes": 30,
    }
