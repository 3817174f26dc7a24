"""Scales a service on how long jobs wait for it: out at once by steps, in slowly.

docs/adr/0020-queue-probe-beside-each-worker.md has the reasons.
"""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared.metrics import OLDEST_JOB_AGE, queue_dimensions
from langfuse_aws.settings.scaling import (
    LAG_BREACHING_PERIODS,
    LAG_PERIOD_SECONDS,
    LAG_PERIODS,
    LAG_SCALE_IN_COOLDOWN_SECONDS,
    LAG_SCALE_OUT_COOLDOWN_SECONDS,
    LAG_STEPS,
    SCALE_OUT_COOLDOWN_SECONDS,
)


@dataclass(frozen=True)
class LagScaling:
    """What a service is scaled on."""

    stack: str
    """Prefix of the stack's names: whose queues."""
    max_lag_seconds: int
    """For how long the oldest waiting job may have waited."""


def scale_on_lag(
    name: str,
    target: aws.appautoscaling.Target,
    lag: LagScaling,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Make the policy that adds tasks and its alarm, and the one that takes them away.

    Any other policy of the target must depend on what is returned: AWS refuses two writes at once.
    https://github.com/hashicorp/terraform-provider-aws/issues/17915

    The second is target tracking, which never scales in without data, and takes tasks away only if
    that of CPU agrees. It adds tasks too, minutes later than the steps.
    """
    out = aws.appautoscaling.Policy(
        f"{name}-steps",
        policy_type="StepScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        step_scaling_policy_configuration={
            "adjustment_type": "PercentChangeInCapacity",
            "metric_aggregation_type": "Maximum",
            "min_adjustment_magnitude": 1,
            "cooldown": LAG_SCALE_OUT_COOLDOWN_SECONDS,
            "step_adjustments": _steps(lag.max_lag_seconds),
        },
        opts=opts,
    )
    aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=(
            f"Jobs wait for more than {lag.max_lag_seconds} s: tasks are added. Nobody has to act."
        ),
        namespace=OLDEST_JOB_AGE.namespace,
        metric_name=OLDEST_JOB_AGE.name,
        dimensions=queue_dimensions(lag.stack),
        statistic=OLDEST_JOB_AGE.statistic,
        period=LAG_PERIOD_SECONDS,
        evaluation_periods=LAG_PERIODS,
        datapoints_to_alarm=LAG_BREACHING_PERIODS,
        comparison_operator="GreaterThanThreshold",
        threshold=lag.max_lag_seconds,
        treat_missing_data="notBreaching",
        alarm_actions=[out.arn],
        opts=opts,
    )
    return aws.appautoscaling.Policy(
        name,
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration={
            "customized_metric_specification": {
                "namespace": OLDEST_JOB_AGE.namespace,
                "metric_name": OLDEST_JOB_AGE.name,
                "statistic": OLDEST_JOB_AGE.statistic,
                "dimensions": [
                    {"name": each, "value": value}
                    for each, value in queue_dimensions(lag.stack).items()
                ],
            },
            "target_value": lag.max_lag_seconds,
            "scale_out_cooldown": SCALE_OUT_COOLDOWN_SECONDS,
            "scale_in_cooldown": LAG_SCALE_IN_COOLDOWN_SECONDS,
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[out])),
    )


def _steps(max_lag_seconds: int) -> list[Any]:
    """Build the steps; their bounds are what a lag is beyond the alarm's threshold, s."""
    bounds = [(each.beyond - 1) * max_lag_seconds for each in LAG_STEPS]
    uppers = [*bounds[1:], None]
    return [
        {
            "metric_interval_lower_bound": f"{lower:g}",
            **({} if upper is None else {"metric_interval_upper_bound": f"{upper:g}"}),
            "scaling_adjustment": each.percent,
        }
        for each, lower, upper in zip(LAG_STEPS, bounds, uppers, strict=True)
    ]
