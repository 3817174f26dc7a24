"""Findings on load: queues, disk, connections, CPU, memory, from CloudWatch in one call.

The metrics are those of `components.shared.metrics`, and what counts as too much is what the
stack's alarms would say of it, whether or not it has alarms.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final

from langfuse_aws.automation.on_call.findings import Finding, Reading, State, age, iso, now
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.components.observability.alarm_row import AlarmRow
from langfuse_aws.components.observability.alarm_services import service_alarms
from langfuse_aws.components.observability.alarm_stores import store_alarms
from langfuse_aws.components.shared import metrics
from langfuse_aws.components.shared.metrics import Metric
from langfuse_aws.graph.resource_types import (
    APP_RUNNER_SERVICE,
    DB_CLUSTER,
    DB_INSTANCE,
    EBS_VOLUME,
    ECS_SERVICE,
)

SECTION: Final = "load"
NEVER_ASLEEP: Final = "redis"
"""What begins the subjects of a part that its hours do not stop."""
WINDOW: Final = timedelta(hours=1)
"""As long as the slowest of these alarms looks back, and what RDS and EC2 send late."""
PERIOD_SECONDS: Final = 300
"""Of a metric that no alarm is on. Basic monitoring of EC2 sends so often."""

# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
AURORA_MEMORY: Final = replace(
    metrics.AURORA_CAPACITY, name="FreeableMemory", statistic="Minimum", title="free memory, bytes"
)
DATABASE_MEMORY: Final = replace(
    metrics.DATABASE_STORAGE, name="FreeableMemory", title="free memory, bytes"
)
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
CACHE_CPU: Final = replace(
    metrics.CACHE_MEMORY, name="EngineCPUUtilization", statistic="Average", title="CPU, %"
)
CACHE_CONNECTIONS: Final = replace(
    metrics.CACHE_MEMORY, name="CurrConnections", title="connections"
)

Dimensions = Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """A metric of one thing of the stack."""

    subject: str
    """Whose it is, such as `postgres`."""
    metric: Metric
    dimensions: Dimensions
    row: AlarmRow | None
    """The alarm on it, made or not."""

    @property
    def period(self) -> int:
        """Seconds of one value."""
        return self.row.period if self.row else PERIOD_SECONDS

    @property
    def what(self) -> str:
        """The metric without its unit and queue: `CPU, %` is `CPU`."""
        return self.metric.title.partition(", ")[0].rpartition(": ")[2]

    @property
    def unit(self) -> str:
        """Its unit; empty for a count."""
        return self.metric.title.partition(", ")[2]


@dataclass(frozen=True)
class Values:
    """What CloudWatch has of it, newest first."""

    values: Sequence[float]
    times: Sequence[datetime]


def measurement_readings(stack: RunningStack) -> Iterator[Reading]:
    """One for all metrics of the stack."""
    yield Reading(SECTION, "metrics", partial(_measure, stack))


def measured(stack: RunningStack) -> list[Measured]:
    """What is measured of this stack, along the way of an event."""
    settings, prefix = stack.deployed.settings, stack.prefix
    alarms = [*service_alarms(settings, prefix), *store_alarms(settings, prefix)]
    rows = {_identity(row.metric): row for row in alarms}
    return [
        Measured(
            f"{subject} {number}" if len(things) > 1 else subject,
            metric,
            dimensions,
            rows.get(_identity(metric)),
        )
        for subject, every, things in _subjects(stack)
        for number, dimensions in enumerate(things, start=1)
        for metric in every
    ]


def _identity(metric: Metric) -> tuple[str, str, str, str]:
    """What makes it the metric that it is; alarms call some by other titles."""
    return metric.subject, metric.namespace, metric.name, metric.statistic


def _subjects(
    stack: RunningStack,
) -> Iterator[tuple[str, Sequence[Metric], Sequence[Dimensions]]]:
    """List the parts of the stack with their metrics and with what CloudWatch calls them."""
    services = {
        part: [{"ClusterName": _last(each.outputs["cluster"]), "ServiceName": each.outputs["name"]}]
        for part, each in stack.by_part(ECS_SERVICE).items()
    }
    if stack.deployed.settings.probes_queues:
        yield (
            "queues",
            [
                metrics.OLDEST_JOB_AGE,
                metrics.WAITING_JOBS,
                metrics.OTHER_OLDEST_JOB_AGE,
                metrics.FAILED_JOBS,
            ],
            [metrics.queue_dimensions(stack.prefix)],
        )
    for part in ("web", "worker"):
        of_service = [
            metrics.service(part, "CPUUtilization", "Average", "CPU, %"),
            metrics.service(part, "MemoryUtilization", "Maximum", "memory, %"),
        ]
        yield part, of_service, services.get(part, [])
    yield (
        "web",
        [metrics.APP_RUNNER_CPU, metrics.APP_RUNNER_MEMORY],
        [
            {"ServiceName": each.outputs["serviceName"], "ServiceID": each.outputs["serviceId"]}
            for each in stack.of_type(APP_RUNNER_SERVICE)
        ],
    )
    volumes = [{"VolumeId": each.id} for each in stack.of_type(EBS_VOLUME)]
    yield "clickhouse", [metrics.DISK_USED], volumes
    yield (
        "postgres",
        [metrics.AURORA_CONNECTIONS, metrics.AURORA_CPU, metrics.AURORA_CAPACITY, AURORA_MEMORY],
        [
            {"DBClusterIdentifier": each.outputs["clusterIdentifier"]}
            for each in stack.of_type(DB_CLUSTER)
        ],
    )
    yield (
        "postgres",
        [
            metrics.DATABASE_CONNECTIONS,
            metrics.DATABASE_CPU,
            DATABASE_MEMORY,
            metrics.DATABASE_STORAGE,
        ],
        [
            {"DBInstanceIdentifier": each.outputs["identifier"]}
            for each in stack.of_type(DB_INSTANCE)
        ],
    )
    nodes = [
        {"CacheClusterId": f"{each.outputs['replicationGroupId']}-{node:03}"}
        for each in stack.of_type("aws:elasticache/replicationGroup:ReplicationGroup")
        for node in range(1, 1 + int(each.outputs["numCacheClusters"]))
    ]
    yield "redis", [CACHE_CONNECTIONS, CACHE_CPU, metrics.CACHE_MEMORY], nodes


def _measure(stack: RunningStack) -> Iterator[Finding]:
    every = measured(stack)
    if not every:
        return
    end = now()
    pages = (
        stack.aws("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(
            MetricDataQueries=[_query(index, each) for index, each in enumerate(every)],
            StartTime=end - WINDOW,
            EndTime=end,
            ScanBy="TimestampDescending",
        )
    )
    found: dict[str, Values] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            before = found.get(result["Id"], Values([], []))
            found[result["Id"]] = Values(
                [*before.values, *result["Values"]], [*before.times, *result["Timestamps"]]
            )
    by_subject: dict[str, list[Finding]] = {}
    for index, each in enumerate(every):
        values = found.get(f"m{index}", Values([], []))
        sleeps = stack.asleep is not None and not each.subject.startswith(NEVER_ASLEEP)
        finding = judge(each, values, sleeps=sleeps)
        by_subject.setdefault(each.subject, []).append(finding)
    for subject, findings in by_subject.items():
        yield _together(subject, findings)


def _query(index: int, each: Measured) -> dict[str, Any]:
    return {
        "Id": f"m{index}",
        "MetricStat": {
            "Metric": {
                "Namespace": each.metric.namespace,
                "MetricName": each.metric.name,
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in each.dimensions.items()
                ],
            },
            "Period": each.period,
            "Stat": each.metric.statistic,
        },
    }


def judge(each: Measured, found: Values, *, sleeps: bool = False) -> Finding:
    """Say what a metric is, and whether its alarm would be on; what `sleeps` has no values."""
    facts: dict[str, Any] = {
        "metric": each.metric.name,
        "namespace": each.metric.namespace,
        "dimensions": dict(each.dimensions),
        "statistic": each.metric.statistic,
        "unit": each.unit,
        "value": found.values[0] if found.values else None,
        "at": iso(found.times[0]) if found.values else None,
        "threshold": each.row.threshold if each.row else None,
        "comparison": each.row.comparison if each.row else None,
    }
    row = each.row
    if not found.values and sleeps:
        wrong, state, text = False, "ok", f"{each.what}: no value while it is asleep"
    elif not found.values:
        wrong = row is not None and row.missing == "breaching"
        state: State = "wrong" if wrong else "unknown"
        text = f"{each.what}: no value for {age(WINDOW.total_seconds())}"
    else:
        wrong = row is not None and _breaches(row, found.values)
        state = "wrong" if wrong else "ok"
        text = f"{each.what} {_figure(found.values[0], each.unit)}"
    if wrong and row is not None:
        text += f", alarm {row.comparison} {row.bound or _figure(row.threshold, each.unit)}"
        if row.growth:
            text = f"{each.what} {_figure(found.values[0], each.unit)}, and growing"
    remedy = f"docs/operations.md#{row.anchor}" if wrong and row is not None else ""
    return Finding(SECTION, each.subject, state, text, remedy, facts)


def _breaches(row: AlarmRow, values: Sequence[float]) -> bool:
    """Whether the newest values would set the alarm off."""
    if row.growth:
        return any(
            newer - older > row.threshold for newer, older in pairwise(values[: row.periods + 1])
        )
    breaching = sum(
        {
            ">": value > row.threshold,
            ">=": value >= row.threshold,
            "<": value < row.threshold,
        }[row.comparison]
        for value in values[: row.periods]
    )
    return breaching >= row.breaching_periods


def _together(subject: str, findings: Sequence[Finding]) -> Finding:
    """Make one line of a subject's metrics, the wrong ones first."""
    order: Sequence[State] = ("wrong", "unknown", "ok")
    inside = sorted(findings, key=lambda each: order.index(each.state))
    return Finding(
        SECTION,
        subject,
        inside[0].state,
        ", ".join(each.text for each in inside),
        " ".join(dict.fromkeys(each.remedy for each in inside if each.remedy)),
        {"metrics": [{**each.facts, "state": each.state} for each in findings]},
    )


def _figure(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 2**30:.1f} GiB"
    return (
        f"{value:.0f} {unit}".rstrip()
        if value >= 10 or value == int(value)
        else (f"{value:.1f} {unit}".rstrip())
    )


def _last(name: str) -> str:
    """A cluster's name of its ARN, or of itself."""
    return name.rpartition("/")[2]
