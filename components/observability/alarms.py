"""Creates CloudWatch alarms on everything the stack has, and the topic that mails them.

Container Insights stays off: docs/adr/0011-alarms-without-container-insights.md. Thresholds and
reasons are in rows: of web, worker, queues and ingress in alarm_services.py, of ClickHouse in
alarm_clickhouse.py, of PostgreSQL and Valkey in alarm_stores.py; docs/operations.md has all of them
in one table. The topic that mails them bears no data, so nothing of it is protected.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.observability.alarm_row import OPERATORS, AlarmRow
from langfuse_aws.components.observability.alarm_services import service_alarms
from langfuse_aws.components.observability.alarm_stores import store_alarms
from langfuse_aws.components.shared.kms_key import kms_key
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import Dimensions, Metric, MetricDimensions
from langfuse_aws.settings.hours import Hours
from langfuse_aws.settings.model import Settings

FUNCTIONS: Final = {
    "Average": "AVG",
    "Maximum": "MAX",
    "Minimum": "MIN",
    "SampleCount": "COUNT",
    "Sum": "SUM",
}
"""Of CloudWatch Metrics Insights, by statistic.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html"""


@dataclass(frozen=True)
class AlarmsArgs:
    """What the alarms are made from."""

    settings: Settings
    location: Location
    stack: str
    """Prefix of the stack's names."""
    email: str
    runbook_url: str
    metric_dimensions: MetricDimensions


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
        self.topic_arn = alarm_topic(
            name,
            args.email,
            args.location,
            child,
            own_key=args.settings.encryption is None,
        )
        alarms = [
            self._alarm(f"{name}-{label}", row, dimensions, args.runbook_url, child)
            for row in alarm_rows(args.settings, args.stack)
            for label, dimensions in _labelled(row, args.metric_dimensions)
        ]
        self.arns = [alarm.arn for alarm in alarms]
        if args.settings.hours is not None:
            _mute(name, args.settings.hours, [alarm.name for alarm in alarms], child)
        self.register_outputs({"topicArn": self.topic_arn})

    def _alarm(
        self,
        name: str,
        row: AlarmRow,
        dimensions: Dimensions,
        runbook_url: str,
        child: pulumi.ResourceOptions,
    ) -> aws.cloudwatch.MetricAlarm:
        return aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=row.description(runbook_url),
            comparison_operator=OPERATORS[row.comparison],
            threshold=row.threshold,
            evaluation_periods=row.periods,
            datapoints_to_alarm=row.breaching_periods,
            treat_missing_data=row.missing,
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],
            warm_up_configuration=(
                {"warm_up_period_duration_in_minutes": row.warm_up_minutes}
                if row.warm_up_minutes is not None
                else None
            ),
            **_subject_of(row, dimensions),
            opts=child,
        )


def _mute(
    name: str,
    hours: Hours,
    alarms: Sequence[pulumi.Output[str]],
    child: pulumi.ResourceOptions,
) -> None:
    """Mute the alarms while the stack sleeps and wakes.

    What is still wrong when a rule ends is told then.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules-behaviour.html
    """
    for number, mute in enumerate(hours.mutes, start=1):
        aws.cloudwatch.AlarmMuteRule(
            f"{name}-asleep-{number}",
            description=f"{name} is asleep: langfuse:hours",
            rule={
                "schedule": {
                    "expression": mute.begins.mute_cron,
                    "duration": mute.duration,
                    "timezone": hours.timezone,
                }
            },
            mute_targets={"alarm_names": list(alarms)},
            opts=child,
        )


def _subject_of(row: AlarmRow, dimensions: Dimensions) -> dict[str, Any]:
    """Give what an alarm looks at: a metric, its growth, or metrics that are searched for."""
    if row.growth:
        return _growth(row, dimensions)
    if row.metric.beside:
        return _search(row, dimensions)
    return _value(row, dimensions)


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


def _search(row: AlarmRow, dimensions: Dimensions) -> dict[str, Any]:
    query = {"id": "value", "period": row.period, "label": row.label, "return_data": True}
    expression = pulumi.Output.all(**dimensions).apply(lambda found: search(row.metric, found))
    return {"metric_queries": [{**query, "expression": expression}]}


def search(metric: Metric, dimensions: Mapping[str, str]) -> str:
    """Write the query for a metric with more dimensions than those that are known.

    An alarm on it sees the last three hours, and costs as much as one on each metric that it finds.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
    """
    names = ", ".join(sorted([*dimensions, *metric.beside]))
    known = " AND ".join(f"{name} = '{value}'" for name, value in sorted(dimensions.items()))
    what = f"{FUNCTIONS[metric.statistic]}({metric.name})"
    schema = f'SCHEMA("{metric.namespace}", {names})'
    return f"SELECT {what} FROM {schema} WHERE {known}"  # noqa: S608 -- CloudWatch's own, read-only


def alarm_rows(settings: Settings, stack: str) -> list[AlarmRow]:
    """Build the rows of a stack's alarms. `stack` is the prefix of its names."""
    return [*service_alarms(settings, stack), *store_alarms(settings, stack)]


def _labelled(row: AlarmRow, metric_dimensions: MetricDimensions) -> list[tuple[str, Dimensions]]:
    """Name the things of a row's subject: several of them get numbers."""
    things = metric_dimensions.get(row.metric.subject, ())
    if len(things) == 1:
        return [(row.label, things[0])]
    return [(f"{row.label}-{number}", each) for number, each in enumerate(things, start=1)]


def alarm_topic(
    name: str,
    email: str,
    location: Location,
    opts: pulumi.ResourceOptions,
    *,
    own_key: bool,
) -> pulumi.Output[str]:
    """Make the topic, encrypted, and closed but for CloudWatch.

    Returns its ARN, known once CloudWatch may publish to it. Without a key of its own it gets the
    stack's (`protection/encryption.py`).

    The key has to be one of our own: CloudWatch may not use `alias/aws/sns`.
    https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
    """
    key = None
    if own_key:
        key = kms_key(
            name, f"Alarms of {name}", protected=False, policy=key_policy(location), opts=opts
        ).arn
    topic = aws.sns.Topic(name, kms_master_key_id=key, opts=opts)
    policy = aws.sns.TopicPolicy(
        name,
        arn=topic.arn,
        policy=topic.arn.apply(lambda arn: topic_policy(arn, location)),
        opts=opts,
    )
    aws.sns.TopicSubscription(name, topic=topic.arn, protocol="email", endpoint=email, opts=opts)
    return pulumi.Output.all(topic.arn, policy.id).apply(lambda values: values[0])


def key_policy(location: Location) -> str:
    """Build the key's policy: the account's own IAM policies count, and CloudWatch may encrypt."""
    return _policy(
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{location.partition}:iam::{location.account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": location.account}},
        },
    )


def topic_policy(arn: str, location: Location) -> str:
    """Build the topic's policy: this account's alarms may publish, and nobody without TLS."""
    prefix = f"arn:{location.partition}:cloudwatch:{location.region}:{location.account}"
    return _policy(
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": location.account},
                "ArnLike": {"aws:SourceArn": f"{prefix}:alarm:*"},
            },
        },
        {
            "Sid": "DenyPlainHttp",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)
