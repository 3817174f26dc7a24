"""Prices what watches and what is kept: metrics, alarms, logs, secrets, keys.

What an account has for nothing (ten alarms, ten metrics, three dashboards, 5 GB of logs) is not
taken off: no stack knows who else uses it.
"""

from collections.abc import Iterator
from typing import Final

from langfuse_aws.contract import metrics, queue_metrics
from langfuse_aws.cost.charge import Charge, Context
from langfuse_aws.cost.compute import least_tasks
from langfuse_aws.cost.hours import SCALING_TARGET
from langfuse_aws.cost.inputs import section, sections
from langfuse_aws.cost.prices import HOURS
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import ECS_SERVICE

LOGGING: Final = frozenset(
    {"langfuse:index:LangfuseWeb", "langfuse:index:LangfuseWorker", "langfuse:index:ApiGateway"}
)
"""Components whose logs grow with the requests."""

CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"

MINUTE: Final = 60
"""Seconds. An alarm with a shorter period is a high-resolution one.
https://aws.amazon.com/cloudwatch/pricing/"""

TRACKING_ALARMS: Final = 2
"""Target tracking makes one alarm to add tasks and one to take them away.
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html"""


def scaling_policy(resource: Resource, context: Context) -> Iterator[Charge]:
    """The alarms that AWS makes of target tracking, and what the queue probes tell of the lag.

    A step policy costs nothing: its alarm is a resource of its own.
    """
    tracking = section(resource.inputs, "targetTrackingScalingPolicyConfiguration")
    if not tracking:
        return
    usd = context.prices["CloudWatch alarm"]
    yield Charge(
        "Alarms of autoscaling",
        f"{TRACKING_ALARMS} × {usd:g}",  # noqa: RUF001
        TRACKING_ALARMS * usd,
        ("CloudWatch alarm",),
    )
    followed = section(tracking, "customizedMetricSpecification")
    if followed.get("namespace") == queue_metrics.NAMESPACE:
        yield from _queue_probes(resource, context)


def _queue_probes(resource: Resource, context: Context) -> Iterator[Charge]:
    """What probes tell, under the same names however many they are, and the lines of each."""
    told = len(queue_metrics.METRICS)
    if not context.graph.of_type(CACHE):
        told += len(queue_metrics.MEMORY_METRIC)
    yield context.by_month("Queue metrics", "CloudWatch custom metric", told)
    gigabytes = HOURS * 3600 / queue_metrics.SECONDS * queue_metrics.LINE_BYTES / 1e9
    services = [
        service
        for target in context.graph.origins(resource, "resourceId", SCALING_TARGET)
        for service in context.graph.origins(target, "resourceId", ECS_SERVICE)
    ]
    for service in services:
        count = least_tasks(service, context)
        usd = context.prices["CloudWatch Logs"]
        yield Charge(
            "Lines of queue probes",
            f"{count} × {gigabytes:.2f} GB × {usd:g}",  # noqa: RUF001
            count * gigabytes * usd,
            ("CloudWatch Logs",),
        )


def alarm(resource: Resource, context: Context) -> Iterator[Charge]:
    """An alarm, by its metrics; a search finds one, that of the instance which has the volume."""
    queries = sections(resource.inputs, "metricQueries")
    watched = max(1, sum("metric" in each for each in queries))
    if int(resource.inputs.get("period") or MINUTE) < MINUTE:
        yield context.by_month("Alarm each 10 s", "CloudWatch high-resolution alarm", watched)
    else:
        yield context.by_month("Alarm", "CloudWatch alarm", watched)


def log_group(resource: Resource, context: Context) -> Iterator[Charge]:
    """What web, worker and HTTP API log of requests."""
    if LOGGING & {each.type for each in context.graph.components(resource)}:
        yield from context.by_use("Logs", "CloudWatch Logs", context.usage.log_gb, "GB")


def log_metric(resource: Resource, context: Context) -> Iterator[Charge]:
    """A metric made of a log, which costs for the hours with a value: the daily backup's cents."""
    if metrics.SCHEDULE_LOG in str(resource.inputs.get("pattern")):
        yield context.by_month("Metric of its log", "CloudWatch custom metric", 1)


def secret(_: Resource, context: Context) -> Iterator[Charge]:
    """A secret."""
    yield context.by_month("Secret", "Secrets Manager", 1)


def key(_: Resource, context: Context) -> Iterator[Charge]:
    """A KMS key."""
    yield context.by_month("KMS key", "KMS key", 1)
