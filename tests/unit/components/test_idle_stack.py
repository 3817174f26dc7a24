"""When alarms go off: not on a first `up`, not while a stack idles, and always when values end.

It plays what an idle stack publishes (idle_stack.py) through CloudWatch's rules of evaluation. That
CloudWatch keeps to its documents, and a stack to the values, only an account can tell. A stack that
needs more connections than its database has is no idle one: there the alarm is right.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from development.alarm_tables import STACK
from langfuse_aws.components.observability.alarm_row import AlarmRow
from langfuse_aws.components.observability.alarms import alarm_rows
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.model import Settings
from tests.unit.components.test_alarms import LARGE, alarms, copied
from tests.unit.idle_stack import HOUR, IDLE, Alarm, Sent
from tests.unit.stack_graph import VARIED, Graph, varied

DAYS = 4 * 24 * HOUR
GRAPHS = {
    "small": (varied, VARIED),
    "large": (copied, {**LARGE, "backups": {"copyRegion": "eu-west-1"}}),
}
every_graph = pytest.mark.parametrize("name", GRAPHS)

LATEST_FIRST_VALUE = {
    "volume-snapshot-missing": 28 * HOUR,
    "database-snapshot-missing": 28 * HOUR,
    "clickhouse-backup-missing": 28 * HOUR,
    "volume-copy-missing": 40 * HOUR,
    "database-copy-missing": 40 * HOUR,
}
"""Seconds: the time of the day at which a plan begins may just be over, and the plan has windows of
four hours in all; a first copy may take twelve more."""
UP_TAKES = 2 * HOUR

AURORA = "auroraServerless"
LARGE_DATABASE = {"postgres": {"mode": AURORA, "minAcu": 1, "maxAcu": 256}}
EXTREMES: dict[str, dict[str, Any]] = {
    "as shipped": {},
    **{
        f"{least} to {most} ACU": {"postgres": {"mode": AURORA, "minAcu": least, "maxAcu": most}}
        for least, most in [
            (0, 1),
            (0.5, 1),
            (1, 1),
            (0, 2),
            (2, 2),
            (4, 4),
            (19, 20),
            (19.5, 20),
            (0.5, 256),
            (256, 256),
        ]
    },
    "a hundred tasks": {
        **LARGE_DATABASE,
        "web": {"minTasks": 100, "maxTasks": 100},
        "worker": {"minTasks": 100, "maxTasks": 100},
    },
    "one task": {"web": {"minTasks": 1, "maxTasks": 1}, "worker": {"minTasks": 1, "maxTasks": 1}},
    "spot": {"web": {"spot": True}, "worker": {"spot": True}},
    "no probes": {"worker": {"scaleOn": "cpu"}},
    "smallest tasks": {"web": {"cpu": 256, "memory": 512}, "worker": {"cpu": 256, "memory": 512}},
    "three servers": {"network": {"zones": 3}, "clickhouse": {"replicas": 3}},
    "smallest volume": {"clickhouse": {"volumeGib": 20}},
    "largest volume": {"clickhouse": {"volumeGib": 16_384, "instanceType": "r8g.16xlarge"}},
    "smallest instance": {"postgres": {"mode": "instance", "instanceClass": "db.t4g.micro"}},
    "another instance": {"postgres": {"mode": "instance", "instanceClass": "db.m5.large"}},
    "five replicas": {"redis": {"replicas": 5}},
    "no hourly backups": {"backups": {"hourlyRetentionDays": 0}},
    "hourly backups": {"backups": {"hourlyRetentionDays": 35, "copyRegion": "eu-west-1"}},
    "no own domain": {"ingress": {"kind": "apiGateway"}},
}


def row_of(label: str, rows: list[AlarmRow]) -> AlarmRow:
    """The row that an alarm was made from; those of several things have numbers."""
    by_label = {row.label: row for row in rows}
    return by_label.get(label) or by_label[re.sub(r"-\d+$", "", label)]


def played(graph: Graph, config: Any) -> Iterator[tuple[str, AlarmRow, Alarm, Sent | None]]:
    """The alarms of a graph, each with what its stack sends while it idles."""
    # Sign-in has no alarm, and its secrets would have to be text here.
    settings = load({key: value for key, value in config.items() if "auth" not in key})
    for label, registration in alarms(graph).items():
        row = row_of(label, alarm_rows(settings, STACK))
        yield label, row, Alarm.of_inputs(registration.inputs), IDLE[row.label](settings)


@every_graph
def test_a_first_up_sets_no_alarm_off(name: str) -> None:
    graph, config = GRAPHS[name]
    gone_off: set[str] = set()
    for label, row, alarm, sent in played(graph(), config):
        latest = LATEST_FIRST_VALUE.get(row.label, UP_TAKES - alarm.period)
        until = DAYS if alarm.period >= HOUR else UP_TAKES + 2 * alarm.period * alarm.periods
        for first in {0, latest // 2, latest - 2 * HOUR if latest > 2 * HOUR else 0, latest - 1}:
            late = replace(sent, first=first) if sent else None
            if any(state == "ALARM" for _, state in alarm.states(late, until)):
                gone_off.add(label)
    assert gone_off == set()


@every_graph
def test_what_never_comes_is_told_within_two_days(name: str) -> None:
    graph, config = GRAPHS[name]
    told: dict[str, int] = {}
    for label, row, alarm, _ in played(graph(), config):
        if row.missing == "breaching":
            when = [now for now, state in alarm.states(None, DAYS) if state == "ALARM"]
            assert when, label
            told[label] = when[0]
    assert len(told) >= 6
    assert max(told.values()) <= 48 * HOUR
    assert told["web-tasks"] <= UP_TAKES + alarm_seconds("web-tasks", graph())


@every_graph
def test_what_ends_is_told_however_new_the_alarm_is(name: str) -> None:
    graph, config = GRAPHS[name]
    for label, row, alarm, sent in played(graph(), config):
        if row.missing != "breaching" or sent is None:
            continue
        window = alarm.period * alarm.periods
        last = window + alarm.period
        ended = replace(sent, last=last)
        when = [now for now, state in alarm.states(ended, DAYS) if state == "ALARM"]
        assert when, label
        assert when[0] <= last + window + max(sent.every, alarm.period), label


def alarm_seconds(label: str, graph: Graph) -> int:
    alarm = Alarm.of_inputs(alarms(graph)[label].inputs)
    return alarm.period * alarm.periods


def test_an_idle_stack_breaches_nothing() -> None:
    gone_off: set[tuple[str, str, str]] = set()
    for size, extreme in itertools.product(("dev", "staging", "prod"), EXTREMES):
        settings = load({"size": size, "domain": "langfuse.example.com", **EXTREMES[extreme]})
        for row in alarm_rows(settings, STACK):
            alarm = Alarm.of_row(row)
            until = DAYS if row.period >= HOUR else 2 * row.period * row.periods
            sent = IDLE[row.label](settings)
            late = [state for now, state in alarm.states(sent, until) if _begun(now, row)]
            if "ALARM" in late:
                gone_off.add((size, extreme, row.label))
    assert gone_off == set()


def _begun(now: int, row: AlarmRow) -> bool:
    """Whether the first window is over: how it begins is the business of another test."""
    return now >= row.period * row.periods


def test_the_rows_of_every_setting_are_in_the_model_and_the_models_in_the_rows() -> None:
    labels: set[str] = set()
    for size, extreme in itertools.product(("dev", "staging", "prod"), EXTREMES.values()):
        labels |= {row.label for row in alarm_rows(_settings(size, extreme), STACK)}
    assert labels == set(IDLE)


def _settings(size: str, extreme: dict[str, Any]) -> Settings:
    return load({"size": size, "domain": "langfuse.example.com", **extreme})


def test_fixed_capacity_is_watched_by_its_cpu() -> None:
    rows = {row.label: row for row in alarm_rows(_settings("dev", EXTREMES["4 to 4 ACU"]), STACK)}
    assert "postgres-capacity" not in rows, "it is always at the end of its capacity"
    assert (rows["postgres-cpu"].metric.subject, rows["postgres-cpu"].metric.name) == (
        "aurora",
        "CPUUtilization",
    )


@pytest.mark.parametrize(
    ("missing", "values", "state"),
    [
        ("breaching", [None, None, None], "ALARM"),
        ("notBreaching", [None, None, None], "OK"),
        ("ignore", [None, None, None], "before"),
        ("missing", [None, None, None], "INSUFFICIENT_DATA"),
        ("notBreaching", [9, None, 9], "OK"),
        ("breaching", [9, None, 9], "ALARM"),
        ("breaching", [9, 1, 9], "OK"),
        ("ignore", [9, 9, 9], "ALARM"),
    ],
)
def test_the_evaluation_is_cloudwatchs(missing: str, values: list[Any], state: str) -> None:
    alarm = Alarm("GreaterThanThreshold", 5, 60, 3, 3, missing, growth=False, warm_up=0)
    assert alarm._state(values, "before") == state  # pyright: ignore[reportPrivateUsage]


def test_a_warm_up_ends_with_the_first_window_of_values() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html has this one
    alarm = Alarm("GreaterThanThreshold", 5, 300, 3, 3, "breaching", growth=False, warm_up=3600)
    states = dict(alarm.states(Sent(9, first=240), 3600))
    assert states[600] == "INSUFFICIENT_DATA"
    assert states[1200] == "ALARM", "about a quarter of an hour after the first value"
