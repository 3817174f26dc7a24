"""Scaling of the worker on lag: the policies and the alarm as registered, by CloudWatch's rules.

The alarm is evaluated here as CloudWatch documents it
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html), the steps as
Application Auto Scaling does. It does not prove that AWS keeps to them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest

from langfuse_aws.automation.spike.scaling import added, step
from langfuse_aws.contract import metrics
from langfuse_aws.settings.loading import load
from tests.unit.stack_graph import Graph, shipped, varied

POLICY: Final = "aws:appautoscaling/policy:Policy"
ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"

stacks = pytest.mark.parametrize("stack", ["dev", "staging", "prod"])


def policies(graph: Graph) -> dict[str, Mapping[str, Any]]:
    """The configuration of each policy."""
    kinds = {"StepScaling": "step", "TargetTrackingScaling": "targetTracking"}
    return {
        policy.name: policy.inputs[
            f"{kinds[policy.inputs['policyType']]}ScalingPolicyConfiguration"
        ]
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


@stacks
def test_web_follows_its_cpu_and_the_worker_its_lag_and_its_cpu(stack: str) -> None:
    assert policies(shipped(stack)) == {
        f"langfuse-{stack}-web-cpu": on_cpu(300),
        f"langfuse-{stack}-worker-cpu": on_cpu(900),
        f"langfuse-{stack}-worker-lag": {
            "customizedMetricSpecification": {
                "namespace": "Langfuse/Queues",
                "metricName": "OldestJobAge",
                "statistic": "Maximum",
                "dimensions": [{"name": "Stack", "value": f"langfuse-{stack}"}],
            },
            "targetValue": 60,
            "scaleOutCooldown": 60,
            "scaleInCooldown": 900,
        },
        f"langfuse-{stack}-worker-lag-steps": {
            "adjustmentType": "PercentChangeInCapacity",
            "metricAggregationType": "Maximum",
            "minAdjustmentMagnitude": 1,
            "cooldown": 180,
            "stepAdjustments": [
                {
                    "metricIntervalLowerBound": "0",
                    "metricIntervalUpperBound": "60",
                    "scalingAdjustment": 200,
                },
                {
                    "metricIntervalLowerBound": "60",
                    "metricIntervalUpperBound": "180",
                    "scalingAdjustment": 400,
                },
                {"metricIntervalLowerBound": "180", "scalingAdjustment": 800},
            ],
        },
    }


@stacks
def test_the_alarm_of_the_steps_looks_every_ten_seconds_at_the_queues_of_its_stack(
    stack: str,
) -> None:
    graph = shipped(stack)
    alarm = graph.one(ALARM, f"langfuse-{stack}-worker-lag")
    steps = graph.one(POLICY, f"langfuse-{stack}-worker-lag-steps")
    inputs = dict(alarm.inputs)
    inputs.pop("alarmDescription")
    assert inputs == {
        "namespace": "Langfuse/Queues",
        "metricName": "OldestJobAge",
        "dimensions": {"Stack": f"langfuse-{stack}"},
        "statistic": "Maximum",
        "period": 10,
        "evaluationPeriods": 3,
        "datapointsToAlarm": 2,
        "comparisonOperator": "GreaterThanThreshold",
        "threshold": 60,
        "treatMissingData": "notBreaching",
        "alarmActions": [steps.outputs["arn"]],
    }, "every probe tells the same: a sum would count it once for each task"


@stacks
def test_all_policies_of_the_worker_scale_the_same_target(stack: str) -> None:
    graph = shipped(stack)
    target = graph.one("aws:appautoscaling/target:Target", f"langfuse-{stack}-worker")
    for kind in ("cpu", "lag", "lag-steps"):
        inputs = graph.one(POLICY, f"langfuse-{stack}-worker-{kind}").inputs
        for key in ("resourceId", "scalableDimension", "serviceNamespace"):
            assert inputs[key] == target.outputs[key], (kind, key)


def test_the_policies_of_a_target_are_written_one_after_the_other() -> None:
    """AWS answers ConcurrentUpdateException otherwise, and the provider does not try again."""
    graph = shipped("prod")
    kind = "aws:appautoscaling/policy:Policy"
    steps, lag, cpu = (f"langfuse-prod-worker-{each}" for each in ("lag-steps", "lag", "cpu"))
    for before, after in ((steps, lag), (lag, cpu)):
        assert graph.urns[kind, before] in graph.options[kind, after].dependencies


def test_two_stacks_of_one_account_and_region_look_at_queues_of_their_own() -> None:
    looked_at = {
        stack: {
            (each.inputs["metricName"], each.inputs["dimensions"]["Stack"])
            for each in shipped(stack).of_type(ALARM)
            if each.inputs.get("namespace") == "Langfuse/Queues"
        }
        for stack in ("dev", "staging")
    }
    assert all(looked_at.values())
    assert not looked_at["dev"] & looked_at["staging"]


def test_a_stack_chooses_its_lag_and_all_of_it_follows() -> None:
    graph = varied()
    found = policies(graph)
    assert found["langfuse-dev-worker-lag"]["targetValue"] == 40
    assert graph.one(ALARM, "langfuse-dev-worker-lag").inputs["threshold"] == 40
    bounds = [
        (each["metricIntervalLowerBound"], each.get("metricIntervalUpperBound"))
        for each in found["langfuse-dev-worker-lag-steps"]["stepAdjustments"]
    ]
    assert bounds == [("0", "40"), ("40", "120"), ("120", None)]


# --- the alarm, by CloudWatch's rules


def is_alarm(alarm: Mapping[str, Any], datapoints: Sequence[float | None]) -> bool:
    """Whether it is in ALARM after these periods, the newest last; None is a missing one."""
    assert alarm["treatMissingData"] == "notBreaching"
    last = datapoints[-int(alarm["evaluationPeriods"]) :]
    high = sum(each is not None and each > alarm["threshold"] for each in last)
    return high >= alarm["datapointsToAlarm"]


@pytest.mark.parametrize(
    ("datapoints", "expected"),
    [
        ([0, 0, 0], False),
        ([61, 0, 0], False),
        ([0, 0, 61], False),
        ([0, 61, 67], True),
        ([61, None, 67], True),
        ([61, 67, 0], True),
        ([60, 60, 60], False),
        ([None, None, 500], False),
        ([500, None, None], False),
        ([None, None, None], False),
    ],
)
def test_two_of_three_periods_above_the_target_scale_out_and_missing_ones_do_nothing(
    datapoints: Sequence[float | None], expected: bool
) -> None:
    alarm = shipped("prod").one(ALARM, "langfuse-prod-worker-lag").inputs
    assert is_alarm(alarm, datapoints) is expected


@pytest.mark.parametrize(
    ("lag", "percent"),
    [(60, 0), (60.1, 200), (119.9, 200), (120, 400), (239, 400), (240, 800), (9000, 800)],
)
def test_the_registered_steps_are_those_of_the_simulation(lag: float, percent: int) -> None:
    alarm = shipped("prod").one(ALARM, "langfuse-prod-worker-lag").inputs
    steps = policies(shipped("prod"))["langfuse-prod-worker-lag-steps"]["stepAdjustments"]
    breach = lag - alarm["threshold"]
    found = [
        each["scalingAdjustment"]
        for each in steps
        if float(each["metricIntervalLowerBound"])
        <= breach
        < float(each.get("metricIntervalUpperBound", math.inf))
    ]
    registered = found[0] if lag > alarm["threshold"] else 0
    assert len(found) == 1, "every breach has exactly one step"
    assert (registered, step(lag, 60)) == (percent, percent)


@pytest.mark.parametrize(
    ("current", "percent", "expected"), [(1, 200, 2), (2, 200, 4), (3, 400, 12), (1, 50, 1)]
)
def test_a_part_of_the_tasks_is_rounded_as_application_auto_scaling_does(
    current: int, percent: int, expected: int
) -> None:
    assert added(current, percent) == expected


def test_nothing_but_target_tracking_ever_scales_in() -> None:
    for stack in ("dev", "staging", "prod"):
        for name, policy in policies(shipped(stack)).items():
            for each in policy.get("stepAdjustments", ()):
                assert each["scalingAdjustment"] > 0, name


# --- who publishes what


@stacks
def test_langfuses_own_metrics_are_off_and_nobody_may_publish_them(stack: str) -> None:
    graph = shipped(stack)
    for container in ("web", "worker"):
        assert metrics.PUBLISHING_VARIABLE not in graph.environment(container)
    for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy"):
        assert f'"{metrics.NAMESPACE}"' not in policy.inputs["policy"], policy.name


def test_who_turns_langfuses_own_metrics_on_may_publish_them() -> None:
    graph = varied()
    assert graph.environment("worker")[metrics.PUBLISHING_VARIABLE] == "true"
    (policy,) = [
        each.inputs["policy"]
        for each in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        if each.name == "langfuse-dev-worker-task"
    ]
    assert "cloudwatch:PutMetricData" in policy


def test_with_cpu_alone_there_is_no_probe_no_alarm_and_no_metric() -> None:
    settings = load({"size": "prod", "worker": {"scaleOn": "cpu"}, "domain": "a.example.com"})
    assert not settings.probes_queues


@pytest.mark.parametrize("release", ["3.125.0", "4.0.0"])
def test_every_release_may_scale_on_lag(release: str) -> None:
    assert load({"size": "dev", "release": release}).probes_queues
