"""The migration gate as registered: what runs, when it runs again, and who waits for it.

It does not run the function, which has tests of its own, nor any migration.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from langfuse_aws.components.environment import NO_MIGRATIONS
from tests.deployment import NEXT_RELEASE
from tests.unit.components.test_data_plane import changed
from tests.unit.stack_graph import ROOT, Graph, build, shipped

INVOCATION = "aws:lambda/invocation:Invocation"
FUNCTION = "aws:lambda/function:Function"
SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
ALL = ["dev", "staging", "prod"]


def event(graph: Graph) -> dict[str, Any]:
    return json.loads(graph.one(INVOCATION).inputs["input"])


@pytest.mark.parametrize("stack", ALL)
def test_the_task_is_the_web_image_that_ends_after_its_entrypoint(stack: str) -> None:
    graph = shipped(stack)
    definition = graph.container("migration")
    assert definition["image"] == graph.container("web")["image"]
    assert definition["command"] == ["echo", "migrated"]
    assert definition["portMappings"] == []
    assert not {each["name"] for each in definition["environment"]} & set(NO_MIGRATIONS)


@pytest.mark.parametrize("stack", ALL)
def test_the_function_starts_this_task_and_looks_for_others_of_its_family(stack: str) -> None:
    graph = shipped(stack)
    definition = graph.one(TASK, f"langfuse-{stack}-migration")
    given = event(graph)
    assert (given["task_definition"], given["family"]) == (
        definition.outputs["arn"],
        definition.inputs["family"],
    )


@pytest.mark.parametrize("stack", ALL)
def test_web_and_worker_wait_for_the_migration_and_it_waits_for_the_stores(stack: str) -> None:
    graph = shipped(stack)
    migration = graph.one(INVOCATION)
    urn = graph.urns[INVOCATION, migration.name]
    for container in ("web", "worker"):
        found = graph.one(SERVICE, f"langfuse-{stack}-{container}")
        assert urn in graph.options_of(found).dependencies, container
        definition = graph.one(TASK, found.name)
        assert urn not in graph.options_of(definition).dependencies
    waited = graph.options_of(migration).dependencies
    stores = [(SERVICE, f"langfuse-{stack}-clickhouse")]
    stores += [
        (each.type, each.name)
        for kind in ("rds/instance:Instance", "rds/clusterInstance:ClusterInstance")
        for each in graph.of_type(f"aws:{kind}")
    ]
    stores += [
        (each.type, each.name)
        for direction in ("Ingress", "Egress")
        for each in graph.of_type(
            f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule"
        )
        if each.name.startswith(f"langfuse-{stack}-migration-")
    ]
    assert len(stores) >= 5, "ClickHouse, PostgreSQL, two ports, the way out"
    stores.append(("pulumi:index:Stash", f"langfuse-{stack}-stores"))  # which refuses a release
    for store in stores:
        assert graph.urns[store] in waited, f"it would start before {store}"


def waited_for(graph: Graph, urn: str) -> set[str]:
    """Everything that must be there before a resource, however far away."""
    options = {found: graph.options[key] for key, found in graph.urns.items()}
    seen: set[str] = set()
    left = [urn]
    while left:
        if (found := options.get(left.pop())) is None:
            continue
        named = {each for urns in found.origins.values() for each in urns}
        new = (named | found.dependencies) - seen
        seen |= new
        left += new
    return seen


@pytest.mark.parametrize("stack", ALL)
def test_the_migration_waits_for_the_databases_alone_and_the_services_for_every_store(
    stack: str,
) -> None:
    graph = shipped(stack)
    migration = graph.one(INVOCATION)
    before = waited_for(graph, graph.urns[INVOCATION, migration.name])
    others = [
        graph.urns[each.type, each.name]
        for kind in ("aws:elasticache/", "aws:s3/")
        for each in graph.registrations
        if each.type.startswith(kind)
        # What its own bucket is logged to comes before ClickHouse, and takes a second.
        and not any(part in each.name for part in ("clickhouse", "access-logs"))
    ]
    assert any("replicationGroup" in urn for urn in others)
    assert any("bucket" in urn for urn in others)
    assert before.isdisjoint(others), "it reads PostgreSQL and ClickHouse and nothing else"
    assert any("aws:rds/" in urn for urn in before)
    for container in ("web", "worker"):
        assert before | set(others) <= waited_for(
            graph, graph.urns[SERVICE, f"langfuse-{stack}-{container}"]
        ), container


@pytest.mark.parametrize("stack", ALL)
def test_it_is_placed_where_web_is_in_a_group_of_its_own(stack: str) -> None:
    graph = shipped(stack)
    web = graph.one(SERVICE, f"langfuse-{stack}-web").inputs["networkConfiguration"]
    found = event(graph)
    assert found["subnets"] == web["subnets"]
    assert found["assign_public_ip"] == ("ENABLED" if web["assignPublicIp"] else "DISABLED")
    assert found["security_groups"] != web["securityGroups"]
    ports = {(to, port) for source, to, port in graph.open_ports() if source.endswith("-migration")}
    assert ports == {
        (f"langfuse-{stack}-postgres", 5432),
        (f"langfuse-{stack}-clickhouse", 9000),
    }, "the migration speaks ClickHouse's native protocol, and nobody else does"
    assert not [each for each in graph.open_ports() if each[1].endswith("-migration")]


def inputs(graph: Graph) -> tuple[str, Any]:
    found = graph.one(INVOCATION).inputs
    return found["input"], found["triggers"]


@pytest.mark.parametrize(
    "config",
    [
        {"release": NEXT_RELEASE},
        {"web": {"environment": {"CLICKHOUSE_DB": "default"}}},
        {"postgres": {"mode": "auroraServerless"}},
    ],
)
def test_a_release_or_a_store_that_changes_migrates_again(config: dict[str, Any]) -> None:
    changed = build("dev", {"size": "dev", **config})
    assert inputs(changed) != inputs(shipped("dev")), "databases would be those of another release"


@pytest.mark.parametrize("stack", ALL)
def test_another_database_under_the_old_name_migrates_again(stack: str) -> None:
    graph = shipped(stack)
    database = [
        *(each.outputs["resourceId"] for each in graph.of_type("aws:rds/instance:Instance")),
        *(each.outputs["clusterResourceId"] for each in graph.of_type("aws:rds/cluster:Cluster")),
    ]
    assert [graph.one(INVOCATION).inputs["triggers"]] == [
        {"postgres": each, "clickhouse": graph.one("aws:ebs/volume:Volume").id} for each in database
    ], "one that was restored may be older than the release"


def test_nothing_else_migrates_again() -> None:
    assert inputs(changed()) == inputs(shipped("dev"))


@pytest.mark.parametrize("stack", ALL)
def test_the_function_may_run_this_task_in_this_cluster_and_not_more(stack: str) -> None:
    graph = shipped(stack)
    role = f"langfuse-{stack}-migration-gate"
    by_action = {
        action: statement for statement in graph.policy(role) for action in statement["Action"]
    }
    family = f":task-definition/langfuse-{stack}-migration:*"
    cluster = graph.one("aws:ecs/cluster:Cluster").outputs["arn"]
    (runs,) = by_action["ecs:RunTask"]["Resource"]
    assert runs.endswith(family)
    for action in ("ecs:RunTask", "ecs:ListTasks"):
        assert by_action[action]["Condition"] == {"ArnEquals": {"ecs:cluster": cluster}}
    assert by_action["ecs:DescribeTasks"]["Resource"] == [
        f"{cluster.replace(':cluster/', ':task/')}/*"
    ]
    task = graph.one(TASK, f"langfuse-{stack}-migration").inputs
    assert set(by_action["iam:PassRole"]["Resource"]) == {
        task["executionRoleArn"],
        task["taskRoleArn"],
    }
    assert set(by_action) == {
        "ecs:DescribeTasks",
        "ecs:ListTasks",
        "ecs:RunTask",
        "ecs:TagResource",
        "iam:PassRole",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_the_function_is_the_file_with_the_tests_and_has_lambdas_longest_time() -> None:
    function = shipped("dev").one(FUNCTION).inputs
    assert function["timeout"] == 900
    assert function["handler"] == "migrate.handler"
    assert (Path(ROOT) / "components/migration/migrate.py").is_file()
    assert "environment" not in function
    group = shipped("dev").one("aws:cloudwatch/logGroup:LogGroup", "langfuse-dev-migration-gate")
    assert function["loggingConfig"]["logGroup"] == group.outputs["name"]


@pytest.mark.parametrize("stack", ALL)
def test_nothing_has_a_role_that_lacks_its_policies(stack: str) -> None:
    graph = shipped(stack)
    policies = [
        each
        for kind in ("rolePolicy:RolePolicy", "rolePolicyAttachment:RolePolicyAttachment")
        for each in graph.of_type(f"aws:iam/{kind}")
    ]
    users = 0
    for role in graph.of_type("aws:iam/role:Role"):
        names = {role.outputs["arn"], role.outputs["name"]}
        own = {
            graph.urns[each.type, each.name] for each in policies if each.inputs["role"] in names
        }
        for each in graph.registrations:
            if each not in policies and names & set(texts(each.inputs)):
                users += 1
                assert own <= graph.options_of(each).dependencies, (
                    f"{each.name} could be refused what {role.name} allows a moment later"
                )
    assert users >= 14, "two roles for each of five tasks, and those of functions and instances"


def texts(value: Any) -> Iterator[str]:
    """Every text in some inputs."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in cast("Mapping[str, Any]", value).values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from texts(each)


def test_the_function_has_room_for_awss_sdk_and_as_long_as_lambda_gives() -> None:
    inputs = shipped("dev").one(FUNCTION).inputs
    assert inputs["memorySize"] == 256, (
        "CPU comes in proportion, and 128 MiB are little to import boto3 with: "
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"
    )
    assert inputs["timeout"] == 900, (
        "the most there is: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
    )


def test_the_function_runs_where_lambda_does() -> None:
    """New regions begin without arm64: https://github.com/aws-powertools/powertools-lambda-python/issues/3545."""
    inputs = shipped("dev").one(FUNCTION).inputs
    assert inputs.get("architectures") in (None, ["x86_64"])
