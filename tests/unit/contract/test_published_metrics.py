"""Everything that reads CloudWatch reads what AWS publishes: alarms, dashboards, scaling policies.

It holds them against `published_metrics.csv`, which was copied from AWS's pages. Whether AWS keeps
to its pages, only an account can tell.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from langfuse_aws.components.grafana.files import FOLDER
from tests.unit.components.test_alarms import copied
from tests.unit.published_metrics import (
    Read,
    fault,
    of_alarm,
    of_line,
    of_policy,
    published,
)
from tests.unit.stack_graph import Graph, build, shipped, varied
from tests.unit.stacks_of_all import graphs

MAILED = {"email": "ops@example.com", "monthlyBudgetUsd": 900}
STAGING: dict[str, Any] = {"size": "staging", "domain": "lf.example.com", "alarms": MAILED}
FIXED: dict[str, Any] = {
    "size": "dev",
    "alarms": MAILED,
    "postgres": {"mode": "auroraServerless", "minAcu": 4, "maxAcu": 4},
    "backups": {"copyRegion": "eu-west-1"},
}
GRAPHS = {
    **{stack: (lambda stack=stack: shipped(stack)) for stack in ("dev", "staging", "prod")},
    "varied": varied,
    "large": copied,
    "staging mailed": lambda: build("staging", STAGING),
    "fixed capacity": lambda: build("dev", FIXED),
    "app runner": lambda: graphs()["App Runner"],
}
"""The sizes, and what makes alarms and lines that no size has by itself."""


def reads(graph: Graph) -> Iterator[Read]:
    """Everything of a stack that reads CloudWatch, but for Grafana."""
    for alarm in graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm"):
        yield from of_alarm(alarm.name, alarm.inputs)
    for policy in graph.of_type("aws:appautoscaling/policy:Policy"):
        yield from of_policy(policy.name, policy.inputs)
    body = json.loads(graph.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])
    for widget in body["widgets"]:
        for line in widget["properties"].get("metrics", ()):
            yield of_line(line)


@pytest.mark.parametrize("name", GRAPHS)
def test_everything_that_is_read_is_published(name: str) -> None:
    found = list(reads(GRAPHS[name]()))
    assert len(found) > 20
    assert {each.who: fault(each) for each in found if fault(each)} == {}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_query_is_within_the_limits_of_metrics_insights(name: str) -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
    for alarm in GRAPHS[name]().of_type("aws:cloudwatch/metricAlarm:MetricAlarm"):
        if any(each.queried for each in of_alarm(alarm.name, alarm.inputs)):
            (query,) = alarm.inputs["metricQueries"]
            assert query["returnData"] is True, "an alarm is on one of its queries"
            looked_at = query["period"] * alarm.inputs["evaluationPeriods"]
            assert looked_at <= 3 * 3600, "older values count as missing"


def test_grafanas_panels_ask_for_what_is_published() -> None:
    panels = json.loads((FOLDER / "dashboards/langfuse.json").read_text(encoding="utf-8"))["panels"]
    asked = [
        Read(
            panel["title"], query["namespace"], query["metricName"], frozenset(values), values, None
        )
        for panel in panels
        for query in panel.get("targets", ())
        if query["datasource"]["uid"] == "cloudwatch"
        for values in [query["dimensions"]]
    ]
    assert len(asked) > 15
    assert {(each.who, each.name): fault(each) for each in asked if fault(each)} == {}


def test_the_table_has_nothing_that_nobody_reads() -> None:
    found = {(each.namespace, each.name) for name in GRAPHS for each in reads(GRAPHS[name]())}
    text = (FOLDER / "dashboards/langfuse.json").read_text(encoding="utf-8")
    assert {key for key in published() if key not in found and f'"{key[1]}"' not in text} == set()


@pytest.mark.parametrize(
    ("name", "dimensions", "period", "said"),
    [
        ("VolumeIOPSExceededCheck", {"VolumeId"}, 300, "AWS does not publish it by VolumeId"),
        ("VolumeIOPSExceededCheck", {"VolumeId", "InstanceId"}, 30, "30 s is no multiple"),
        ("VolumeIOPS", {"VolumeId"}, 300, "AWS/EBS VolumeIOPS is not in published_metrics.csv"),
        ("VolumeIOPSExceededCheck", {"VolumeId", "InstanceId"}, 300, None),
    ],
)
def test_what_is_never_published_is_named(
    name: str, dimensions: set[str], period: int, said: str | None
) -> None:
    found = fault(Read("x", "AWS/EBS", name, frozenset(dimensions), {}, period))
    assert found == said or (said is not None and str(found).startswith(said))
