"""Prices what watches and what is kept: metrics, alarms, logs, secrets, keys.

What an account has for nothing (ten alarms, ten metrics, three dashboards, 5 GB of logs) is not
taken off: no stack knows who else uses it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from langfuse_aws.contract import metrics
from langfuse_aws.cost.charge import Charge, Context
from langfuse_aws.cost.compute import SERVICE, TASK
from langfuse_aws.cost.inputs import Inputs, section, sections
from langfuse_aws.graph.model import Resource

LOGGING: Final = frozenset(
    {"langfuse:index:LangfuseWeb", "langfuse:index:LangfuseWorker", "langfuse:index:ApiGateway"}
)
"""Components whose logs grow with the requests."""

RELEASE: Final = re.compile(r":(\d+)\.")
"""The major in an image's tag."""

TRACKING_ALARMS: Final = 2
"""Target tracking makes one alarm to add tasks and one to take them away.
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html"""


def scaling_policy(resource: Resource, context: Context) -> Iterator[Charge]:
    """The alarms that AWS makes of a policy, and the queue metrics that one is about."""
    queries = _queries(resource)
    watched = max(1, sum("metricStat" in each for each in queries))
    usd = context.prices["CloudWatch alarm"]
    yield Charge(
        "Alarms of autoscaling",
        f"{TRACKING_ALARMS} × {watched} × {usd:g}",  # noqa: RUF001
        TRACKING_ALARMS * watched * usd,
        ("CloudWatch alarm",),
    )
    namespaces = {_namespace(each) for each in queries}
    if metrics.NAMESPACE in namespaces:
        yield _queue_metrics(resource, context)


def _queries(resource: Resource) -> Sequence[Inputs]:
    tracking = section(resource.inputs, "targetTrackingScalingPolicyConfiguration")
    return sections(section(tracking, "customizedMetricSpecification"), "metrics")


def _namespace(query: Inputs) -> str:
    return str(section(section(query, "metricStat"), "metric").get("namespace"))


def _queue_metrics(resource: Resource, context: Context) -> Charge:
    """The worker publishes all of its queues, under the same names however many tasks run."""
    names = metrics.NAMES_SEEN[_major(resource, context)]
    usd = context.prices["CloudWatch custom metric"]
    arithmetic = f"{names} × {usd:g}"  # noqa: RUF001
    return Charge("Queue metrics", arithmetic, names * usd, ("CloudWatch custom metric",))


def _major(resource: Resource, context: Context) -> int:
    """Langfuse's major, by the image that the scaled service's task definition is tagged with."""
    for service in context.graph.origins(
        resource, "targetTrackingScalingPolicyConfiguration", SERVICE
    ):
        for task in context.graph.origins(service, "taskDefinition", TASK):
            if image := RELEASE.search(str(section(task.inputs, "tags").get("Image"))):
                return int(image[1])
    return min(metrics.NAMES_SEEN)


def alarm(resource: Resource, context: Context) -> Iterator[Charge]:
    """An alarm, by its metrics; a search finds one, that of the instance which has the volume."""
    queries = sections(resource.inputs, "metricQueries")
    watched = max(1, sum("metric" in each for each in queries))
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
