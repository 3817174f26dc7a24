"""What the stack does without, though nobody has set a switch: rights of containers, and more.

Proves what is registered, in every stack that together have all that the program makes. It does not
prove that an image starts with it: the images' own files say so, where the constants name them.
"""

import json
from collections.abc import Iterator
from typing import Any

from langfuse_aws.components.runtime.task import UNUSED_BY_CLICKHOUSE
from tests.unit.stack_graph import build, shipped, shipped_config
from tests.unit.stacks_of_all import graphs

TASK = "aws:ecs/taskDefinition:TaskDefinition"
INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
MEMBER = "aws:rds/clusterInstance:ClusterInstance"


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every container of every stack, and where it is."""
    for stack, graph in graphs().items():
        for task in graph.of_type(TASK):
            for each in json.loads(task.inputs["containerDefinitions"]):
                yield f"{stack}: {task.name}: {each['name']}", each


def test_a_container_has_no_linux_capability_that_it_can_do_without() -> None:
    found = dict(containers())
    assert len(found) > 40
    for where, each in found.items():
        dropped = each["linuxParameters"]["capabilities"]
        if "clickhouse" in each["image"]:
            assert dropped == {"drop": sorted(UNUSED_BY_CLICKHOUSE)}, where
        else:
            assert dropped == {"drop": ["ALL"]}, where
    # What its entrypoint does as root, and what its program carries.
    needed = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID", "IPC_LOCK", "SYS_NICE"}
    assert not needed & {*UNUSED_BY_CLICKHOUSE}


def test_a_generated_password_has_no_character_that_means_something_elsewhere() -> None:
    """In a URL, in a shell, in JSON, or to RDS; a user types `-_.!`, which mean nothing there."""
    passwords = [
        (f"{stack}: {each.name}", each.inputs)
        for stack, graph in graphs().items()
        for each in graph.of_type("random:index/randomPassword:RandomPassword")
    ]
    assert len(passwords) > 20
    for name, inputs in passwords:
        if name.endswith("-user-password"):
            assert inputs["overrideSpecial"] == "-_.!", name
        else:
            assert inputs.get("special") is False, name


def test_container_insights_is_off_by_its_name() -> None:
    """It is paid by the metric. ECS takes any text for a setting's value."""
    for stack, graph in graphs().items():
        for each in graph.of_type("aws:ecs/cluster:Cluster"):
            setting = {"name": "containerInsights", "value": "disabled"}
            assert each.inputs["settings"] == [setting], stack


def test_a_shell_needs_capabilities_that_aws_does_not_name() -> None:
    graph = build("dev", {"size": "dev", "exec": True})
    for name in ("web", "worker"):
        assert graph.container(name)["linuxParameters"] == {"initProcessEnabled": True}


def test_what_writes_no_file_cannot_write_one() -> None:
    read_only = {"web", "worker", "queue-probe", "write-certificates", "migration", "backup"}
    found = dict(containers())
    assert read_only < {each["name"] for each in found.values()}
    for where, each in found.items():
        assert ("readonlyRootFilesystem" in each) == (each["name"] in read_only), where
        assert each.get("readonlyRootFilesystem", True) is True, where
        writes = each["name"] in read_only - {"write-certificates"}
        tmpfs = [each["containerPath"] for each in each["linuxParameters"].get("tmpfs", [])]
        assert tmpfs == ["/tmp"] * writes, where  # noqa: S108 -- the container's own


def test_a_shell_can_write_as_its_agent_must() -> None:
    graph = build("dev", {"size": "dev", "exec": True})
    for name in ("web", "worker", "queue-probe"):
        assert "readonlyRootFilesystem" not in graph.container(name), name


def test_no_memory_is_mounted_where_fargate_does_not_know_it() -> None:
    graph = build("dev", {"size": "dev"}, region="us-gov-west-1")
    web = graph.container("web")
    assert web["readonlyRootFilesystem"] is True
    assert "tmpfs" not in web["linuxParameters"]


def test_a_container_has_a_first_process_that_reaps_the_others() -> None:
    for where, each in containers():
        assert each["linuxParameters"]["initProcessEnabled"] is True, where


def test_what_an_auditor_asks_for_is_kept_for_a_year_and_what_users_type_is_not() -> None:
    records = {"clickhouse-backup", "migration", "migration-gate"}
    for stack, days in (("dev", 7), ("prod", 90)):
        groups = shipped(stack).of_type("aws:cloudwatch/logGroup:LogGroup")
        kept = {
            each.name.removeprefix(f"langfuse-{stack}-"): each.inputs["retentionInDays"]
            for each in groups
        }
        assert {*kept} >= records | {"web", "worker", "clickhouse"}
        assert kept == {name: 365 if name in records else days for name in kept}
    longer = build("dev", {"size": "dev", "logs": {"retentionDays": 731}})
    groups = longer.of_type("aws:cloudwatch/logGroup:LogGroup")
    assert {each.inputs["retentionInDays"] for each in groups} == {731}


def test_postgres_lets_iam_sign_in_and_keeps_what_sessions_wait_for() -> None:
    dev = shipped("dev").one(INSTANCE).inputs
    assert dev["iamDatabaseAuthenticationEnabled"] is True
    insights = dev["performanceInsightsEnabled"], dev["performanceInsightsRetentionPeriod"]
    assert insights == (True, 7), "more than 7 days are paid for"
    assert shipped("prod").one(CLUSTER).inputs["iamDatabaseAuthenticationEnabled"] is True


def test_a_database_is_made_for_whom_langfuse_connects_as() -> None:
    """RDS makes none without an owner; one of another name would let nobody in."""
    words = (("username", "dbName"), ("masterUsername", "databaseName"))
    made = 0
    for stack, graph in graphs().items():
        worker = graph.environment("worker")
        wanted = (worker["DATABASE_USERNAME"], worker["DATABASE_NAME"])
        for token, (owner, database) in zip((INSTANCE, CLUSTER), words, strict=True):
            for each in graph.of_type(token):
                assert (each.inputs[owner], each.inputs[database]) == wanted, stack
                host = worker["DATABASE_HOST"]
                assert host == f"{each.outputs.get('endpoint', '').split(':')[0]}:5432", stack
                assert each.inputs["port"] == 5432, stack
                made += 1
    assert made > 8


def test_a_snapshot_of_a_database_is_tagged_as_its_database_is() -> None:
    """Cost allocation, and policies that go by tags, know a snapshot by nothing else."""
    databases = [
        each
        for graph in graphs().values()
        for token in (INSTANCE, CLUSTER)
        for each in graph.of_type(token)
    ]
    assert len(databases) > 8
    assert all(each.inputs["copyTagsToSnapshot"] is True for each in databases)


def test_aurora_has_database_insights_where_its_least_capacity_bears_them() -> None:
    for least, wanted in ((0.5, None), (1.5, None), (2, True)):
        config = {**shipped_config("prod"), "postgres": {"minAcu": least, "maxAcu": 8}}
        members = build("prod", config).of_type(MEMBER)
        assert len(members) == 2
        for each in members:
            assert each.inputs.get("performanceInsightsEnabled") is wanted, least


def test_every_resource_belongs_to_a_component_of_langfuse() -> None:
    """Options such as the customer key and the permissions boundary reach what is below one."""
    strays = {
        f"{stack}: {each.type} {each.name}"
        for stack, graph in graphs().items()
        for each in graph.registrations
        if each.custom and "langfuse:index:" not in graph.options_of(each).parent
    }
    assert strays == set()
