"""Scaling of the worker: the policies as registered, and what the backlog's expression says.

The expression is worked out here by the rules that CloudWatch documents for missing values
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html). It does not
prove that CloudWatch keeps them, that Langfuse publishes under these names, or that the default
target suits anybody's traffic.
"""

import re
from typing import Any

import pytest

from langfuse_aws.components.runtime.backlog_scaling import EXPRESSION
from langfuse_aws.contract import metrics
from langfuse_aws.contract.metrics import INGESTION, INGESTION_QUEUES, OTEL_INGESTION
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.unit.stack_graph import Graph, shipped, varied

POLICY = "aws:appautoscaling/policy:Policy"
OTEL = "langfuse.queue.otel_ingestion.depth.shard_all.type_waiting"
LEGACY = "langfuse.queue.ingestion.depth.shard_all.type_waiting"

# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingMetricDataQuery.html
ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
MOST_METRICS = 10


def tracking(graph: Graph) -> dict[str, dict[str, Any]]:
    """What each policy tracks."""
    for policy in graph.of_type(POLICY):
        assert policy.inputs["policyType"] == "TargetTrackingScaling", policy.name
    return {
        policy.name: dict(policy.inputs["targetTrackingScalingPolicyConfiguration"])
        for policy in graph.of_type(POLICY)
    }


def on_cpu(scale_in_cooldown: int) -> dict[str, Any]:
    return {
        "predefinedMetricSpecification": {
            "predefinedMetricType": "ECSServiceAverageCPUUtilization"
        },
        "targetValue": 50,
        "scaleOutCooldown": 60,
        "scaleInCooldown": scale_in_cooldown,
    }


@pytest.mark.parametrize("stack", ["dev", "staging"])
def test_web_and_worker_of_a_small_stack_follow_their_cpu_and_nothing_else(stack: str) -> None:
    assert tracking(shipped(stack)) == {
        f"langfuse-{stack}-web-cpu": on_cpu(300),
        f"langfuse-{stack}-worker-cpu": on_cpu(300),
    }


def test_the_worker_of_prod_follows_the_waiting_jobs_of_a_running_task_and_its_cpu() -> None:
    graph = shipped("prod")
    found = tracking(graph)
    backlog = found.pop("langfuse-prod-worker-backlog")
    assert found == {
        "langfuse-prod-web-cpu": on_cpu(300),
        "langfuse-prod-worker-cpu": on_cpu(900),
    }, "web has no queue; a CPU policy that scales in sooner would undo what the backlog asked for"
    queries = backlog.pop("customizedMetricSpecification")["metrics"]
    assert backlog == {"targetValue": 500, "scaleOutCooldown": 60, "scaleInCooldown": 900}

    cluster = graph.one("aws:ecs/cluster:Cluster").outputs["name"]
    service = graph.one("aws:ecs/service:Service", "langfuse-prod-worker").outputs["name"]
    dimensions = [
        {"name": "ClusterName", "value": cluster},
        {"name": "ServiceName", "value": service},
    ]
    cpu = {"namespace": "AWS/ECS", "metricName": "CPUUtilization", "dimensions": dimensions}
    measured = {
        query["id"]: (query["metricStat"]["metric"], query["metricStat"]["stat"])
        for query in queries
        if "metricStat" in query
    }
    assert measured == {
        "otel": ({"namespace": "Langfuse", "metricName": OTEL}, "Maximum"),
        "ingestion": ({"namespace": "Langfuse", "metricName": LEGACY}, "Maximum"),
        "published": ({"namespace": "Langfuse", "metricName": OTEL}, "SampleCount"),
        "tasks": (cpu, "SampleCount"),
    }, "every worker reports the whole queue, so a sum would count it once for each task"
    assert [query["expression"] for query in queries if "expression" in query] == [EXPRESSION]


def test_the_queries_are_within_the_limits_of_the_alarms_that_aws_makes_of_them() -> None:
    policy = tracking(shipped("prod"))["langfuse-prod-worker-backlog"]
    queries = policy["customizedMetricSpecification"]["metrics"]
    assert len([query for query in queries if "metricStat" in query]) <= MOST_METRICS
    ids = [query["id"] for query in queries]
    assert len(set(ids)) == len(ids)
    assert all(ID.fullmatch(each) for each in ids)
    assert [query["id"] for query in queries if query["returnData"]] == ["backlog"], "exactly one"
    words = set(re.findall(r"\b[a-z]+\b", EXPRESSION))
    assert words == set(ids) - {"backlog"}, "an ID that nobody defines makes no alarm go off"


def test_both_policies_scale_the_same_target() -> None:
    graph = shipped("prod")
    target = graph.one("aws:appautoscaling/target:Target", "langfuse-prod-worker")
    for kind in ("cpu", "backlog"):
        inputs = graph.one(POLICY, f"langfuse-prod-worker-{kind}").inputs
        for key in ("resourceId", "scalableDimension", "serviceNamespace"):
            assert inputs[key] == target.outputs[key], (kind, key)


def test_a_stack_chooses_the_backlog_of_a_task_itself() -> None:
    policy = tracking(varied())["langfuse-dev-worker-backlog"]
    assert policy["targetValue"] == 40


# --- the expression, by CloudWatch's rules


def value(**minute: float | None) -> float | None:
    """The expression's value for a minute; None stands for no data, and for a dropped value.

    Missing values are 0 in arithmetic and in AND, a division by zero drops the value, and so does
    an IF without an else whose condition is 0 or missing.
    """
    match = re.fullmatch(r"IF\((?P<condition>[^,]+), (?P<then>.+)\)", EXPRESSION)
    assert match, EXPRESSION
    known = {name: number or 0 for name, number in minute.items()}
    condition = match["condition"].replace(" AND ", " and ")
    if not eval(condition, {}, known):  # noqa: S307 -- our own expression
        return None
    try:
        return eval(match["then"], {}, known)  # noqa: S307
    except ZeroDivisionError:
        return None


@pytest.mark.parametrize(
    ("minute", "backlog"),
    [
        ({"otel": 3000, "ingestion": 600, "tasks": 2, "published": 4}, 1800),
        ({"otel": 3000, "ingestion": 600, "tasks": 6, "published": 12}, 600),
        ({"otel": 0, "ingestion": 0, "tasks": 2, "published": 4}, 0),
        ({"otel": 900, "ingestion": None, "tasks": 3, "published": 6}, 300),
        ({"otel": None, "ingestion": None, "tasks": 2, "published": None}, None),
        ({"otel": 3000, "ingestion": 0, "tasks": None, "published": 4}, None),
        ({"otel": None, "ingestion": None, "tasks": None, "published": None}, None),
    ],
    ids=[
        "a spike",
        "more tasks, same queue",
        "an empty queue scales in",
        "one queue without data",
        "workers that publish no more are no empty queue",
        "ECS is a minute behind",
        "no task runs",
    ],
)
def test_the_backlog_of_a_minute(minute: dict[str, float | None], backlog: float | None) -> None:
    assert value(**minute) == backlog


def test_nothing_is_filled_in() -> None:
    assert "FILL" not in EXPRESSION, (
        "ECS's newest minute comes late: its filled value would be the newest one for ever"
    )


# --- who publishes


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_worker_publishes_where_its_scaling_needs_it_and_web_never_does(stack: str) -> None:
    graph = shipped(stack)
    names = {
        container: graph.environment(container).get(metrics.PUBLISHING_VARIABLE)
        for container in ("web", "worker")
    }
    assert names == {"web": None, "worker": "true" if stack == "prod" else None}, (
        "each further name costs, and another publisher's value says nothing"
    )
    roles = ("web", "worker", "migration")
    may = {
        role
        for role in roles
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        if policy.name == f"langfuse-{stack}-{role}-task"
        and "cloudwatch:PutMetricData" in policy.inputs["policy"]
    }
    assert may == ({"worker"} if stack == "prod" else set())


@pytest.mark.parametrize("release", ["3.169.0", LANGFUSE_3, LANGFUSE])
def test_every_release_that_publishes_these_metrics_may_scale_on_them(release: str) -> None:
    settings = load({"size": "dev", "release": release, "worker": {"scaleOn": "backlog"}})
    assert settings.publishes_queue_metrics


def test_the_metrics_have_the_names_that_langfuse_flattens_its_tags_to() -> None:
    assert INGESTION_QUEUES == (OTEL_INGESTION, INGESTION)
    assert [metrics.waiting(queue) for queue in INGESTION_QUEUES] == [OTEL, LEGACY]
    assert metrics.failed(INGESTION) == "langfuse.queue.ingestion.depth.shard_all.type_failed"


def test_the_metrics_of_each_major_are_those_that_a_worker_in_use_was_seen_to_publish() -> None:
    assert metrics.NAMES_SEEN == {3: 324, 4: 200}
