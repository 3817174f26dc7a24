"""Scales a service on the jobs that wait for it: the metric and the policy.

The metric is jobs per running task, so that it falls as tasks are added. Tasks are counted by the
samples of a metric that ECS always has, since Container Insights would cost extra.
"""

from typing import Any, Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.contract import metrics
from langfuse_aws.settings.scaling import (
    BACKLOG_SCALE_IN_COOLDOWN_SECONDS as SCALE_IN_COOLDOWN_SECONDS,
)
from langfuse_aws.settings.scaling import SCALE_OUT_COOLDOWN_SECONDS

EXPRESSION: Final = "IF(tasks > 0 AND published > 0, (otel + ingestion) / tasks)"
"""Waiting jobs per running task; no value at all for a minute without ECS's or the worker's data.

CloudWatch's arithmetic takes missing values for 0, so without the condition workers that no longer
publish would look like an empty queue. FILL would do the same, and worse: ECS's metric is a minute
behind, so the newest value would always be the filled one, and the alarm would never go off.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""


def backlog_policy(
    name: str,
    target: aws.appautoscaling.Target,
    cluster_name: pulumi.Input[str],
    service_name: pulumi.Input[str],
    backlog_per_task: int,
    opts: pulumi.ResourceOptions,
) -> aws.appautoscaling.Policy:
    """Make the policy that keeps the waiting jobs per running task at `backlog_per_task`."""
    return aws.appautoscaling.Policy(
        name,
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration={
            "customized_metric_specification": {"metrics": _metrics(cluster_name, service_name)},
            "target_value": backlog_per_task,
            "scale_out_cooldown": SCALE_OUT_COOLDOWN_SECONDS,
            "scale_in_cooldown": SCALE_IN_COOLDOWN_SECONDS,
        },
        opts=opts,
    )


def _metrics(cluster_name: pulumi.Input[str], service_name: pulumi.Input[str]) -> list[Any]:
    """Build the queries; their period is AWS's own, 60 s."""
    otel = {"namespace": metrics.NAMESPACE, "metric_name": metrics.waiting(metrics.OTEL_INGESTION)}
    ingestion = {"namespace": metrics.NAMESPACE, "metric_name": metrics.waiting(metrics.INGESTION)}
    # One sample a minute of each running task, says "Service RUNNING task count" in
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html
    cpu = {
        "namespace": "AWS/ECS",
        "metric_name": "CPUUtilization",
        "dimensions": [
            {"name": "ClusterName", "value": cluster_name},
            {"name": "ServiceName", "value": service_name},
        ],
    }
    queries = [
        ("otel", otel, "Maximum"),
        ("ingestion", ingestion, "Maximum"),
        ("published", otel, "SampleCount"),
        ("tasks", cpu, "SampleCount"),
    ]
    return [
        *(
            {"id": each, "metric_stat": {"metric": metric, "stat": stat}, "return_data": False}
            for each, metric, stat in queries
        ),
        {"id": "backlog", "expression": EXPRESSION, "return_data": True},
    ]
