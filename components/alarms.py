"""Creates CloudWatch alarms on everything the stack has, and the topic that mails them.

Container Insights stays off: docs/adr/0011-alarms-without-container-insights.md. What is watched
and why is in the rows of alarm_services, alarm_clickhouse and alarm_stores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarm_row import OPERATORS, AlarmRow
from components.alarm_services import service_alarms
from components.alarm_stores import store_alarms
from components.alarm_topic import alarm_topic
from components.location import Location
from components.metrics import Dimensions, Watched
from settings.model import Settings


@dataclass(frozen=True)
class AlarmsArgs:
    """What the alarms are made from."""

    settings: Settings
    location: Location
    stack: str
    """Prefix of the stack's names."""
    email: str
    watched: Watched


class Alarms(pulumi.ComponentResource):
    """The topic, and an alarm for every row and every thing that the stack has of its subject."""

    topic_arn: pulumi.Output[str]
    """ARN of the topic that every alarm acts on."""
    arns: Sequence[pulumi.Output[str]]
    """ARNs of the alarms, along the path of an event."""

    def __init__(
        self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Alarms", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.topic_arn = alarm_topic(name, args.email, args.location, child)
        self.arns = [
            self._alarm(f"{name}-{label}", row, dimensions, child)
            for row in alarm_rows(args.settings, args.stack)
            for label, dimensions in _labelled(row, args.watched)
        ]
        self.register_outputs({"topicArn": self.topic_arn})

    def _alarm(
        self, name: str, row: AlarmRow, dimensions: Dimensions, child: pulumi.ResourceOptions
    ) -> pulumi.Output[str]:
        alarm = aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=row.description,
            comparison_operator=OPERATORS[row.comparison],
            threshold=row.threshold,
            evaluation_periods=row.periods,
            datapoints_to_alarm=row.breaching_periods,
            treat_missing_data=row.missing,
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],
            **(_growth(row, dimensions) if row.growth else _value(row, dimensions)),
            opts=child,
        )
        return alarm.arn


def _value(row: AlarmRow, dimensions: Dimensions) -> dict[str, Any]:
    statistic = row.metric.statistic
    return {
        "namespace": row.metric.namespace,
        "metric_name": row.metric.name,
        "dimensions": dimensions,
        "period": row.period,
        # A percentile of a handful of requests says nothing.
        **(
            {"extended_statistic": statistic, "evaluate_low_sample_count_percentiles": "ignore"}
            if statistic.startswith("p")
            else {"statistic": statistic}
        ),
    }


def _growth(row: AlarmRow, dimensions: Dimensions) -> dict[str, Any]:
    metric = {
        "namespace": row.metric.namespace,
        "metric_name": row.metric.name,
        "dimensions": dimensions,
        "period": row.period,
        "stat": row.metric.statistic,
    }
    change = {"expression": "DIFF(value)", "label": "growth", "return_data": True}
    return {"metric_queries": [{"id": "value", "metric": metric}, {"id": "growth", **change}]}


def alarm_rows(settings: Settings, stack: str) -> list[AlarmRow]:
    """Build the rows of a stack's alarms. `stack` is the prefix of its names."""
    return [*service_alarms(settings), *store_alarms(settings, stack)]


def _labelled(row: AlarmRow, watched: Watched) -> list[tuple[str, Dimensions]]:
    """Name the things of a row's subject: several of them get numbers."""
    things = watched.get(row.metric.subject, ())
    if len(things) == 1:
        return [(row.label, things[0])]
    return [(f"{row.label}-{number}", each) for number, each in enumerate(things, start=1)]
