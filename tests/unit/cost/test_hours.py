"""The bill of a stack that sleeps: hours by hand, and nothing else changed."""

from collections import defaultdict
from typing import Any

import pytest

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.cost.bill import Line, bill
from langfuse_aws.cost.hours import minutes
from langfuse_aws.graph.model import ResourceGraph

HOURS = {"from": "08:00", "to": "18:00", "timezone": "Europe/Berlin"}
"""Fifty hours a week."""
MONTH = 730 / 168
"""Weeks in the bill's month."""


def graph(**changes: Any) -> ResourceGraph:
    return recorded("dev", {**shipped_config("dev"), **changes})


def lines(found: ResourceGraph) -> dict[tuple[str, str], Line]:
    return {(line.name, line.what): line for line in bill(found, "us-east-1").lines}


def test_times_of_a_week_are_read_in_the_form_of_each_service() -> None:
    tuesday = (2 * 24 + 7) * 60 + 30
    assert minutes("cron(30 7 ? * TUE *)") == [tuesday]
    assert minutes("30 7 * * 2") == [tuesday]
    assert minutes("cron(30 7 ? * SUN,TUE *)") == [7 * 60 + 30, tuesday]
    for other in ("cron(30 2 * * ? *)", "rate(1 hour)", "cron(0/5 8 ? * MON *)"):
        with pytest.raises(ValueError, match="is not a time of day on days of the week"):
            minutes(other)


def test_a_part_is_charged_for_the_hours_between_its_waking_and_its_sleep() -> None:
    before, after = lines(graph()), lines(graph(hours=HOURS))
    shares: dict[str, set[float]] = defaultdict(set)
    for key, line in before.items():
        part = after[key]
        if part.configured != line.configured:
            hours = part.configured / line.configured * 730 / MONTH / 5
            shares[f"{key[0].removeprefix('langfuse-dev-')}: {key[1]}"].add(round(hours, 6))
    ten = 10
    assert {key: sorted(found) for key, found in shares.items()} == {
        "web: Fargate tasks, ARM, Spot": [round(ten + 10 / 60, 6)],
        "web: Public IPv4 addresses": [round(ten + 10 / 60, 6)],
        "worker: Fargate tasks, ARM, Spot": [round(ten + 15 / 60, 6)],
        "worker: Public IPv4 addresses": [round(ten + 15 / 60, 6)],
        "clickhouse: EC2 t4g.medium": [round(ten + 39 / 60, 6)],
        "clickhouse: Public IPv4 addresses": [round(ten + 39 / 60, 6)],
        "clickhouse: Root volumes": [round(ten + 39 / 60, 6)],
        "postgres: RDS db.t4g.micro": [round(ten + 45 / 60, 6)],
    }
    assert set(after) == set(before), "schedules cost nothing"


def test_dev_at_fifty_hours_a_week_costs_at_most_45_usd_a_month() -> None:
    assert bill(graph(hours=HOURS), "us-east-1").sums.configured <= 45


def test_aurora_and_a_nat_instance_sleep_too() -> None:
    more: dict[str, Any] = {
        "network": {"egress": "natInstance"},
        "postgres": {"mode": "auroraServerless", "minAcu": 0.5},
        "grafana": {"enabled": True},
        "domain": "langfuse.example.com",
    }
    before, after = lines(graph(**more)), lines(graph(**more, hours=HOURS))
    changed = {key for key, line in before.items() if after[key].configured != line.configured}
    names = {(name.removeprefix("langfuse-dev-"), what.partition(",")[0]) for name, what in changed}
    assert names >= {
        ("nat", "EC2 t4g.nano"),
        ("nat", "Root volumes"),
        ("postgres-1", "Aurora Serverless v2 at its least"),
        ("grafana", "Fargate tasks"),
    }
    assert not [name for name, _ in names if name.startswith(("redis", "storage"))]
