"""Sums over sections: database connections, addresses of the VPC, and the bill above the budget.

What cannot work is refused, and what may not work is a warning. The figures of AWS are worked out
here by hand. It proves nothing of how many connections or addresses AWS leaves in truth.
"""

from typing import Any, Final

import pytest

from langfuse_aws.settings.agreement import doubts
from langfuse_aws.settings.capacity import instance_memory_gib
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.network import CreatedNetwork
from langfuse_aws.settings.sizing import SIZING
from tests.unit.stack_graph import build, shipped_config, unshared

DOMAIN: Final = "langfuse.example.com"


def refused(**keys: Any) -> list[str]:
    try:
        load({"size": "dev", **keys})
    except SettingsError as error:
        return error.problems
    return []


def doubted(**keys: Any) -> list[str]:
    return doubts(load({"size": "dev", **keys}), {})


def tasks(web: int, worker: int) -> dict[str, Any]:
    return {"web": {"maxTasks": web}, "worker": {"maxTasks": worker}}


def test_the_pools_that_the_stack_file_sets_are_those_that_are_summed() -> None:
    small = {"mode": "instance", "instanceClass": "db.t4g.micro", "connectionLimit": 4}
    assert refused(postgres=small, **tasks(14, 14)) == [], "28 times 4 is all of 112"
    (line,) = refused(postgres={**small, "connectionLimit": 5}, **tasks(14, 14))
    assert line == (
        "langfuse:web.maxTasks: 14: web and worker may run 28 tasks, whose pools take 140 "
        "connections, 5 each, and PostgreSQL on db.t4g.micro allows 112. Lower maxTasks or "
        "postgres.connectionLimit, or raise postgres.instanceClass."
    ) or line.startswith("langfuse:worker.maxTasks: 14: ")
    assert doubted(postgres=small, **tasks(7, 7)) == []
    (line,) = doubted(postgres=small, **tasks(7, 8))
    assert "30 tasks, whose pools take 120 connections, 4 each" in line


@pytest.mark.parametrize(
    ("postgres", "most"),
    [
        # LEAST(memory / 9531392, 5000), 1 GiB = 1073741824 bytes
        ({"mode": "instance", "instanceClass": "db.t4g.micro"}, 112),
        ({"mode": "instance", "instanceClass": "db.t3.micro"}, 112),
        ({"mode": "instance", "instanceClass": "db.t4g.small"}, 225),
        ({"mode": "instance", "instanceClass": "db.m6i.large"}, 901),
        ({"mode": "auroraServerless", "minAcu": 1, "maxAcu": 1}, 225),
        ({"mode": "auroraServerless", "minAcu": 0.5, "maxAcu": 2}, 450),
        ({"mode": "auroraServerless", "minAcu": 0, "maxAcu": 16}, 2000),
        ({"mode": "auroraServerless", "minAcu": 1, "maxAcu": 16}, 3604),
    ],
)
def test_tasks_that_open_more_connections_than_the_database_allows_are_refused(
    postgres: dict[str, Any], most: int
) -> None:
    fitting = most // 10
    one, other = fitting // 2, fitting - fitting // 2
    if other < 100:
        assert refused(postgres=postgres, **tasks(one, other)) == []
        (line,) = refused(postgres=postgres, **tasks(one, other + 1))
        key, value = {
            "instance": ("instanceClass", postgres.get("instanceClass")),
            "auroraServerless": ("maxAcu", postgres.get("maxAcu")),
        }[postgres["mode"]]
        assert line.startswith(f"langfuse:worker.maxTasks: {other + 1}: ")
        assert f"{fitting + 1} tasks" in line
        assert f"{10 * (fitting + 1)} connections" in line
        assert f"allows {most}" in line
        assert line.endswith(f"raise postgres.{key}.") or (
            f"raise postgres.{key}" in line and str(value) in line
        )
    else:
        assert refused(postgres=postgres, **tasks(100, 100)) == [], "100 tasks at the most"


def test_the_larger_of_the_two_services_is_named() -> None:
    (line,) = refused(**tasks(60, 3))
    assert line == (
        "langfuse:web.maxTasks: 60: web and worker may run 63 tasks, whose pools take 630 "
        "connections, 10 each, and PostgreSQL on db.t4g.micro allows 112. Lower maxTasks or "
        "postgres.connectionLimit, or raise postgres.instanceClass."
    )


def test_an_update_that_rolls_has_every_task_twice_and_is_a_doubt() -> None:
    assert doubted(**tasks(1, 2)) == []
    (line,) = doubted(**tasks(1, 9))
    assert line == (
        "langfuse:worker.maxTasks: 9: while an update rolls there may be 20 tasks, whose pools "
        "take 200 connections, 10 each, and PostgreSQL on db.t4g.micro allows 112. Lower maxTasks "
        "or postgres.connectionLimit, or raise postgres.instanceClass."
    )


def test_a_database_whose_memory_is_not_known_is_not_judged() -> None:
    own = {"mode": "instance", "instanceClass": "db.x9z.large"}
    assert refused(postgres=own, **tasks(100, 100)) == []
    external = {"mode": "external", "host": "db.example.com"}
    assert refused(postgres=external, postgresPassword="x", **tasks(100, 100)) == []


@pytest.mark.parametrize(
    ("kind", "gib"),
    [
        ("t3.micro", 1),
        ("t4g.medium", 4),
        ("m5.large", 8),
        ("m7g.2xlarge", 32),
        ("r6i.xlarge", 32),
        ("r5d.4xlarge", 128),
        ("c6gd.large", 4),
        ("x2g.large", None),
        ("serverless", None),
    ],
)
def test_the_memory_of_an_instance_follows_from_its_name(kind: str, gib: float | None) -> None:
    assert instance_memory_gib(kind) == gib


@pytest.mark.parametrize(
    ("cidr", "zones", "addresses"),
    [
        # A /24 in eight halves is /27 each: 32 addresses, of which AWS keeps 5.
        ("10.0.0.0/24", 2, 54),
        ("10.0.0.0/24", 4, 108),
        ("10.0.0.0/23", 2, 118),
        ("10.0.0.0/16", 3, 3 * 8187),
    ],
)
def test_a_subnet_lacks_the_five_addresses_that_aws_keeps(
    cidr: str, zones: int, addresses: int
) -> None:
    row = SIZING["dev"]["network"]
    network = CreatedNetwork.model_validate({**row, "cidr": cidr, "zones": zones})
    assert network.addresses == addresses


BIG: Final = {"postgres": {"mode": "auroraServerless", "minAcu": 1, "maxAcu": 64}}


@pytest.mark.parametrize("egress", ["none", "natInstance"])
def test_more_tasks_than_the_subnets_have_addresses_are_refused(egress: str) -> None:
    network = {"cidr": "10.0.0.0/24", "zones": 2, "egress": egress}
    (line,) = refused(network=network, **BIG, **tasks(10, 50))
    assert line == (
        'langfuse:network.cidr: "10.0.0.0/24": web and worker may run 60 tasks, each with an '
        "address, and the subnets of 2 zones have 54 for them. Lower maxTasks, or choose a larger "
        "network: a /16 costs nothing."
    )
    assert refused(network={**network, "cidr": "10.0.0.0/23"}, **BIG, **tasks(10, 50)) == []


def test_twice_the_tasks_of_an_update_are_a_doubt() -> None:
    network = {"cidr": "10.0.0.0/24", "zones": 2}
    (line,) = doubted(network=network, **BIG, **tasks(10, 20))
    assert line.startswith('langfuse:network.cidr: "10.0.0.0/24": while an update rolls there may ')
    assert "60 tasks, each with an address" in line
    assert doubted(network=network, **BIG, **tasks(2, 3)) == []


@pytest.mark.parametrize("size", SIZING)
def test_the_sizes_as_they_are_leave_no_doubt(size: str) -> None:
    needs = {"domain": DOMAIN} if size != "dev" else {}
    assert doubts(load({"size": size, **needs}), {}) == []


# --- the bill above the budget


def warned(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    with unshared():
        build("dev", config)
    return said


def test_a_bill_above_the_budget_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    alarms = {"email": "ops@example.com"}
    low = {**shipped_config("dev"), "alarms": {**alarms, "monthlyBudgetUsd": 31}}
    (line,) = warned(low, monkeypatch)
    assert line.startswith("langfuse:alarms.monthlyBudgetUsd: 31.0: this stack alone costs about ")
    assert line.endswith(
        " a month without traffic, so the mail comes every month. Raise it, or choose less: "
        "python3 -m automation cost shows what costs how much."
    )


def test_a_doubt_is_a_warning_of_the_program_and_a_budget_that_is_enough_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alarms = {"email": "ops@example.com", "monthlyBudgetUsd": 301}
    config = {**shipped_config("dev"), "alarms": alarms, "worker": {"maxTasks": 10}}
    (line,) = warned(config, monkeypatch)
    assert line.startswith("langfuse:worker.maxTasks: 10: while an update rolls ")
