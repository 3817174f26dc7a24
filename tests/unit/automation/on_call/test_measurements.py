"""`status`, load and alarms: what is measured of which stack, and when a value is wrong.

CloudWatch is moto's: queries are answered by the metrics that were put. It proves that the metrics
are those of the stack's own dashboard, and that what is called wrong is what an alarm would be on.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from langfuse_aws.automation.on_call import alarms as alarms_module
from langfuse_aws.automation.on_call import measurements
from langfuse_aws.automation.on_call.findings import Finding, read_all
from langfuse_aws.automation.on_call.measurements import Measured, Values, judge, measured
from langfuse_aws.components.observability.alarm_row import AlarmRow
from langfuse_aws.components.observability.alarms import alarm_rows
from langfuse_aws.components.shared import metrics
from langfuse_aws.components.shared.metrics import Metric
from tests.unit.automation.on_call.stack_that_runs import OnCall, on_call, on_call_of
from tests.unit.automation.restore.test_restore import AwsError
from tests.unit.aws_account import aws
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.cost.test_cost import EVERYTHING
from tests.unit.stack_graph import Graph, build, build_locked, shipped, shipped_config

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def stacks() -> Mapping[str, OnCall]:
    """Stacks that together have all that can be measured."""
    app_runner = build_locked("platform", APP_RUNNER)
    return {
        "dev": on_call_of(shipped("dev"), shipped_config("dev"), "dev"),
        "prod": on_call(),
        "everything": on_call_of(build("everything", EVERYTHING), EVERYTHING, "everything"),
        "App Runner": on_call_of(app_runner, APP_RUNNER, "platform"),
    }


def on_dashboard(graph: Graph) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    """The lines of the stack's dashboard: namespace, name, dimensions."""
    (dashboard,) = graph.of_type("aws:cloudwatch/dashboard:Dashboard")
    lines = [
        line
        for widget in json.loads(dashboard.inputs["dashboardBody"])["widgets"]
        for line in widget["properties"].get("metrics", [])
    ]
    return {
        (namespace, name, frozenset(zip(rest[:-1:2], rest[1:-1:2], strict=True)))
        for namespace, name, *rest in lines
    }


NOT_ON_DASHBOARD = {
    "FreeableMemory",
    "EngineCPUUtilization",
    "CurrConnections",
    metrics.AURORA_CPU.name,
}


@pytest.mark.parametrize("name", ["dev", "prod", "everything", "App Runner"])
def test_each_metric_is_asked_for_as_the_dashboard_does(
    name: str, stacks: Mapping[str, OnCall]
) -> None:
    world = stacks[name]
    every = measured(world.stack)
    here = {
        (each.metric.namespace, each.metric.name, frozenset(each.dimensions.items()))
        for each in every
    }
    dashboard = on_dashboard(world.graph)
    assert {each for each in here - dashboard if each[1] not in NOT_ON_DASHBOARD} == set()
    dimensions = {(namespace, each) for namespace, _, each in dashboard}
    assert {(namespace, each) for namespace, _, each in here} <= dimensions
    assert len(here) == len(every), "nothing is asked for twice"


def test_queues_are_measured_where_the_stack_sends_them(stacks: Mapping[str, OnCall]) -> None:
    subjects = {name: {each.subject for each in measured(stacks[name].stack)} for name in stacks}
    assert "queues" in subjects["prod"] & subjects["dev"], "they scale on the lag"
    assert "web" in subjects["App Runner"]


@pytest.mark.parametrize("name", ["dev", "prod", "everything", "App Runner"])
def test_what_has_an_alarm_is_judged_by_it(name: str, stacks: Mapping[str, OnCall]) -> None:
    world = stacks[name]
    rows = alarm_rows(world.deployed.settings, world.deployed.prefix)
    by_metric = {(row.metric.subject, row.metric.name): row for row in rows}
    every = measured(world.stack)
    for each in every:
        assert each.row == by_metric.get((each.metric.subject, each.metric.name))
    without = {each.metric.name for each in every if each.row is None}
    assert without <= {*NOT_ON_DASHBOARD, "CPUUtilization", "ACUUtilization", "WaitingJobs"}
    worker = {each.metric.name: each.row for each in every if each.subject == "worker"}
    assert {row.label for row in worker.values() if row} == {"worker-cpu", "worker-memory"}


def put(world: OnCall, metric: Metric, *values: float, period: int = 60) -> None:
    """Have CloudWatch get values of a metric of every thing, the last one two minutes ago."""
    now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    # Whole periods, as CloudWatch cuts them.
    end = datetime.fromtimestamp((now.timestamp() // period) * period, timezone.utc)
    for each in measured(world.stack):
        if each.metric == metric:
            aws("cloudwatch").put_metric_data(
                Namespace=metric.namespace,
                MetricData=[
                    {
                        "MetricName": metric.name,
                        "Dimensions": [
                            {"Name": name, "Value": value}
                            for name, value in each.dimensions.items()
                        ],
                        "Timestamp": end - timedelta(seconds=period * index) + MINUTE / 2,
                        "Value": value,
                    }
                    for index, value in enumerate(reversed(values), start=1)
                ],
            )


def on_moto(world: OnCall) -> OnCall:
    """The same stack with moto's clients."""
    world.aws.client = aws  # pyright: ignore[reportAttributeAccessIssue]
    return world


def load_of(world: OnCall) -> dict[str, Finding]:
    found = read_all(list(measurements.measurement_readings(world.stack)))
    return {each.subject: each for each in found}


@pytest.mark.usefixtures("account")
def test_values_are_read_and_what_would_be_an_alarm_is_wrong() -> None:
    world = on_moto(on_call())
    put(world, metrics.DISK_USED, 79, 85, 86, 87, period=300)
    put(world, metrics.WAITING_JOBS, *[12] * 15)
    put(world, metrics.CACHE_MEMORY, 41, 42, 43, period=300)
    found = load_of(world)
    disk = found["clickhouse"]
    assert (disk.state, disk.text) == ("wrong", "disk used 87 %, alarm > 80 %")
    assert disk.remedy == "docs/operations.md#clickhouse-disk"
    (fact,) = disk.facts["metrics"]
    assert (fact["value"], fact["threshold"], fact["comparison"]) == (87, 80, ">")
    assert "waiting jobs 12" in found["queues"].text
    assert "Valkey memory 43 %" in found["redis 1"].text
    assert found["redis 1"].state == "unknown", "its connections have sent nothing"


@pytest.mark.usefixtures("account")
def test_a_value_that_an_alarm_misses_is_wrong_and_any_other_unknown() -> None:
    found = load_of(on_moto(on_call()))
    assert found["clickhouse"].state == "wrong"
    assert found["clickhouse"].text == "disk used: no value for 60 min, alarm > 80 %"
    assert found["queues"].state == "wrong"
    assert found["postgres"].state == "unknown"
    assert found["postgres"].remedy == ""


def row(metric: Metric, **changed: Any) -> AlarmRow:
    usual: dict[str, Any] = {
        "comparison": ">",
        "threshold": 80,
        "period": 300,
        "periods": 3,
        "summary": "s",
        "why": "w",
        "runbook": "A page",
    }
    return AlarmRow("label", metric, **{**usual, **changed})


@pytest.mark.parametrize(
    ("changed", "values", "state"),
    [
        ({}, [81, 81, 81], "wrong"),
        ({}, [81, 81, 80], "ok"),
        ({}, [81, 81], "ok"),
        ({"breaching": 2}, [81, 79, 81], "wrong"),
        ({"breaching": 2}, [81, 79, 79, 81], "ok"),
        ({"comparison": ">=", "periods": 1}, [80], "wrong"),
        ({"comparison": "<", "periods": 1}, [79], "wrong"),
        ({"comparison": "<", "periods": 1}, [80], "ok"),
        ({"growth": True, "threshold": 0, "periods": 1}, [5, 4], "wrong"),
        ({"growth": True, "threshold": 0, "periods": 1}, [5, 5, 4], "ok"),
        ({}, [], "unknown"),
        ({"missing": "breaching"}, [], "wrong"),
    ],
)
def test_a_metric_is_wrong_when_its_alarm_would_be_on(
    changed: dict[str, Any], values: list[float], state: str
) -> None:
    metric = metrics.DISK_USED
    times = [datetime.now(timezone.utc)] * len(values)
    each = Measured("clickhouse", metric, {}, row(metric, **changed))
    assert judge(each, Values(values, times)).state == state


def test_a_metric_without_an_alarm_is_shown_and_never_wrong() -> None:
    each = Measured("redis", measurements.CACHE_CONNECTIONS, {}, None)
    found = judge(each, Values([60_000.0], [datetime.now(timezone.utc)]))
    assert (found.state, found.text) == ("ok", "connections 60000")


# --- alarms


@pytest.fixture(scope="module")
def watched() -> OnCall:
    config = {**shipped_config("dev"), "alarms": {"email": "ops@example.com"}}
    return on_call_of(build("dev", config), config, "dev")


def make_alarms(world: OnCall, *but: str) -> list[str]:
    """Make the stack's alarms in moto, all but some; gives the names of those that tell people.

    The one that scales the worker is on, as in each spike.
    """
    names: list[str] = []
    for each in world.graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm"):
        if each.name in but:
            continue
        names.append(each.outputs["name"])
        aws("cloudwatch").put_metric_alarm(
            AlarmName=names[-1],
            AlarmDescription=each.inputs["alarmDescription"],
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            Namespace="n",
            MetricName="m",
            Period=60,
            Statistic="Sum",
            Threshold=1,
        )
        scales = each.name == "langfuse-dev-worker-lag"
        aws("cloudwatch").set_alarm_state(
            AlarmName=names[-1], StateValue="ALARM" if scales else "OK", StateReason="as it is"
        )
        if scales:
            names.pop()
    return names


def alarms_of(world: OnCall) -> dict[str, Finding]:
    found = read_all(list(alarms_module.alarm_readings(world.stack)))
    return {each.subject: each for each in found}


@pytest.mark.usefixtures("account")
def test_alarms_that_are_on_come_with_their_runbook(watched: OnCall) -> None:
    names = make_alarms(on_moto(watched))
    assert set(alarms_of(watched)) == {"alarms"}
    assert alarms_of(watched)["alarms"].text == f"none of {len(names)} on"
    disk = next(each for each in names if "clickhouse-disk" in each)
    aws("cloudwatch").set_alarm_state(
        AlarmName=disk, StateValue="ALARM", StateReason="Threshold crossed"
    )
    found = alarms_of(watched)
    assert set(found) == {"clickhouse-disk", "alarms"}
    on = found["clickhouse-disk"]
    assert on.state == "wrong"
    assert on.text.endswith("A ClickHouse volume is filling up, or nobody says how full it is."), (
        on.text
    )
    assert on.text.startswith("on for ")
    assert on.remedy.startswith("https://")
    assert on.remedy.endswith("docs/operations.md#clickhouse-disk")
    assert on.facts["reason"] == "Threshold crossed"
    assert found["alarms"].text == f"1 of {len(names)} on"


@pytest.mark.usefixtures("account")
def test_an_alarm_that_nobody_would_hear_is_wrong(watched: OnCall) -> None:
    names = make_alarms(on_moto(watched), "langfuse-dev-alarms-redis-evictions")
    aws("cloudwatch").disable_alarm_actions(AlarmNames=names[:2])
    found = alarms_of(watched)
    assert set(found) == {"alarms"}
    assert found["alarms"].state == "wrong"
    assert found["alarms"].text == (
        f"none of {len(names) + 1} on, 2 muted: their actions are off, 1 deleted by hand"
    )


def test_a_stack_without_alarms_says_that_nobody_is_told() -> None:
    found = alarms_of(on_call())["alarms"]
    assert (found.state, found.text) == ("ok", "the stack has none, so nobody is told")


def test_alarms_that_may_not_be_read_are_one_line(watched: OnCall) -> None:
    denied = AwsError("AccessDenied", "no")
    world = on_call_of(watched.graph, {**shipped_config("dev")}, "dev", {"DescribeAlarms": denied})
    (found,) = read_all(list(alarms_module.alarm_readings(world.stack)))
    assert (found.subject, found.state) == ("alarms", "unknown")
