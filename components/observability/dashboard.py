"""Creates the CloudWatch dashboard, which reads from top to bottom along the path of an event."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared import metrics
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import Metric, MetricDimensions

COLUMNS: Final = 24
WIDGET_HEIGHT: Final = 6
ALARMS_HEIGHT: Final = 4
"""Of the console's grid.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""

OWN_PERIODS: Final = "inherit"
"""Each line keeps its period, however long a time is shown. CloudWatch would lengthen it, and a
count of samples or a sum with it: twenty tasks in twenty minutes, where one runs."""

CONSOLES: Final = {"aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}

KnownMetricDimensions = Mapping[str, Sequence[Mapping[str, str]]]
"""`MetricDimensions`, when everything in it is known."""


@dataclass(frozen=True)
class DashboardArgs:
    """What the dashboard is made from."""

    location: Location
    stack: str
    """Prefix of the stack's names."""
    metric_dimensions: MetricDimensions
    alarm_arns: Sequence[pulumi.Output[str]]
    """ARNs of the alarms whose states are on top; none: there are no alarms."""


class Dashboard(pulumi.ComponentResource):
    """The dashboard. An account has three for nothing, of up to 50 metrics each."""

    url: pulumi.Output[str]
    """Where the console shows it."""

    def __init__(
        self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Dashboard", name, None, opts)
        region = args.location.region
        known: pulumi.Output[dict[str, Any]] = pulumi.Output.all(
            metric_dimensions=args.metric_dimensions, alarms=args.alarm_arns
        )
        dashboard = aws.cloudwatch.Dashboard(
            name,
            # CloudWatch needs a name, and Pulumi makes none for it. An account has each name once,
            # whatever the region, and a second dashboard of it overwrites the first.
            dashboard_name=f"{args.stack}-{region}",
            dashboard_body=known.apply(
                lambda values: dashboard_body(
                    region, args.stack, values["metric_dimensions"], values["alarms"]
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = dashboard.dashboard_name.apply(lambda found: console_url(args.location, found))
        self.register_outputs({"url": self.url})


def console_url(location: Location, dashboard: str) -> str:
    """Where the console of a partition shows a dashboard."""
    region, domain = location.region, CONSOLES.get(location.partition, "aws.amazon.com")
    return (
        f"https://{region}.console.{domain}/cloudwatch/home?region={region}"
        f"#dashboards/dashboard/{dashboard}"
    )


def dashboard_body(
    region: str, stack: str, metric_dimensions: KnownMetricDimensions, alarm_arns: Sequence[str]
) -> str:
    """Build the body: canonical JSON, so that the same stack has the same body."""
    widgets: list[dict[str, Any]] = []
    top = 0
    if alarm_arns:
        states = {"alarms": list(alarm_arns), "title": "Alarms"}
        widgets.append(_placed("alarm", states, 0, top, COLUMNS, ALARMS_HEIGHT))
        top += ALARMS_HEIGHT
    for row in dashboard_rows(stack):
        shown = [
            (widget, lines)
            for widget in row
            if (lines := list(_lines(widget.metrics, metric_dimensions)))
        ]
        for place, (widget, lines) in enumerate(shown):
            width = COLUMNS // len(shown)
            graph = _graph(region, widget, lines)
            widgets.append(_placed("metric", graph, place * width, top, width, WIDGET_HEIGHT))
        top += WIDGET_HEIGHT if shown else 0
    return json.dumps({"periodOverride": OWN_PERIODS, "widgets": widgets}, sort_keys=True)


def _lines(metrics: Sequence[Metric], metric_dimensions: KnownMetricDimensions) -> list[list[Any]]:
    """List the lines of a graph: one for every thing of each metric's subject."""
    lines: list[list[Any]] = []
    for metric in metrics:
        things = metric_dimensions.get(metric.subject, ())
        for number, dimensions in enumerate(things, start=1):
            options = {
                "label": f"{metric.title} {number}" if len(things) > 1 else metric.title,
                "period": metric.period,
                "stat": metric.statistic,
            }
            named = chain(*sorted(dimensions.items()))
            lines.append([metric.namespace, metric.name, *named, options])
    return lines


@dataclass(frozen=True)
class Widget:
    """One graph. What a stack has not got is left out."""

    title: str
    metrics: Sequence[Metric]


def dashboard_rows(stack: str) -> list[list[Widget]]:
    """Build the rows of graphs, in the order in which an event meets the parts."""
    return [
        [
            Widget(
                "1 Ingress: answers",
                [
                    metrics.BALANCER_REQUESTS,
                    metrics.BALANCER_5XX,
                    metrics.TARGET_5XX,
                    metrics.API_REQUESTS,
                    metrics.API_5XX,
                    metrics.APP_RUNNER_REQUESTS,
                    metrics.APP_RUNNER_5XX,
                ],
            ),
            Widget(
                "1 Ingress: latency",
                [metrics.BALANCER_LATENCY, metrics.API_LATENCY, metrics.APP_RUNNER_LATENCY],
            ),
            Widget("1 Ingress: targets", [metrics.UNHEALTHY]),
        ],
        [
            *_service("2 Web", "web"),
            Widget("2 Web: active instances", [metrics.APP_RUNNER_INSTANCES]),
            Widget("2 Web: CPU and memory", [metrics.APP_RUNNER_CPU, metrics.APP_RUNNER_MEMORY]),
        ],
        [
            Widget("3 Queue: lag", [metrics.OLDEST_JOB_AGE, metrics.OTHER_OLDEST_JOB_AGE]),
            Widget("3 Queue: jobs that wait", [metrics.WAITING_JOBS]),
            Widget("3 Queue: dead letters", [metrics.FAILED_JOBS]),
        ],
        _service("4 Worker", "worker"),
        [
            Widget("5 PostgreSQL: capacity", [metrics.AURORA_CAPACITY, metrics.DATABASE_CPU]),
            Widget(
                "5 PostgreSQL: connections",
                [metrics.AURORA_CONNECTIONS, metrics.DATABASE_CONNECTIONS],
            ),
            Widget("5 PostgreSQL: storage", [metrics.DATABASE_STORAGE]),
        ],
        [
            Widget("6 Valkey: memory", [metrics.CACHE_MEMORY]),
            Widget("6 Redis: memory", [metrics.QUEUE_MEMORY]),
            # Its requests cost; its size is free, and told once a day.
            Widget("7 S3: size", [metrics.BUCKET_SIZE]),
        ],
        [
            Widget("8 ClickHouse: running servers", [metrics.CLICKHOUSE_TASKS]),
            Widget("8 ClickHouse: disk", [metrics.DISK_USED]),
            Widget("8 ClickHouse: burst credits", [metrics.IO_BALANCE, metrics.BYTE_BALANCE]),
        ],
        [
            Widget(
                "9 Backups",
                [
                    metrics.VOLUME_SNAPSHOTS,
                    metrics.DATABASE_SNAPSHOTS,
                    metrics.SNAPSHOTS_FAILED,
                    metrics.VOLUME_COPIES,
                    metrics.DATABASE_COPIES,
                    metrics.COPIES_FAILED,
                    metrics.backups_created(f"{stack}-clickhouse-backup"),
                ],
            ),
            Widget("10 Certificate", [metrics.CERTIFICATE_DAYS]),
        ],
    ]


def _service(title: str, subject: str) -> list[Widget]:
    cpu = metrics.service(subject, "CPUUtilization", "Average", "CPU, %")
    return [
        Widget(f"{title}: running tasks", [metrics.running_tasks(subject)]),
        Widget(
            f"{title}: CPU and memory",
            [cpu, replace(cpu, name="MemoryUtilization", title="memory, %")],
        ),
    ]


def _graph(region: str, widget: Widget, lines: list[list[Any]]) -> dict[str, Any]:
    return {
        "metrics": lines,
        "region": region,
        "stacked": False,
        "title": widget.title,
        "view": "timeSeries",
        "yAxis": {"left": {"min": 0}},
    }


def _placed(
    kind: str, properties: Mapping[str, Any], x: int, y: int, width: int, height: int
) -> dict[str, Any]:
    return {
        "type": kind,
        "properties": dict(properties),
        "x": x,
        "y": y,
        "width": width,
        "height": height,
    }
