"""The bill of whole stacks, the file of prices, and the output `monthly_cost_usd`.

It proves that every type of resource is known, that all is counted that the program makes, and that
program and command come to the same sum; tests/engine shows that of the engine's own graphs.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest

from development import cost_tables
from development.recorded_graph import recorded
from langfuse_aws.components.observability.monthly_cost import MonthlyCost
from langfuse_aws.cost.bill import Bill, bill, component_of, region_of
from langfuse_aws.cost.prices import (
    EVERYWHERE,
    MissingPriceError,
    UnknownRegionError,
    price_list,
    regions,
    rows,
)
from langfuse_aws.cost.rounding import about
from langfuse_aws.cost.usage import IDLE, Usage
from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.settings.sizing import SIZING
from tests.unit.stack_graph import unshared

EVERYTHING: Mapping[str, Any] = {
    "size": "prod",
    "domain": "langfuse.example.com",
    "worker": {"spot": True},
    "clickhouse": {"replicas": 3},
    "network": {"egress": "natGateway"},
    "ingress": {"kind": "alb", "waf": {}},
    "storage": {"kms": True},
    "backups": {"copyRegion": "eu-west-1", "vaultLock": True},
    "bootstrap": {"userEmail": "ada@example.com"},
    "alarms": {"email": "ops@example.com", "monthlyBudgetUsd": 300},
    "grafana": {"enabled": True},
}


def approx(value: float) -> Any:
    return pytest.approx(value, abs=0.005)  # pyright: ignore[reportUnknownMemberType]


def whats(found: Bill) -> dict[str, float]:
    """On-demand USD by what it is for."""
    names = dict.fromkeys(line.what for line in found.lines)
    return {
        name: sum(line.on_demand for line in found.lines if line.what == name) for name in names
    }


def test_a_type_that_nobody_knows_is_said_to_be_missing() -> None:
    stranger = Resource("x::queue", "aws:sqs/queue:Queue")
    group = Resource("x::group", "my:index:Group", custom=False)
    user = Resource("x::user", "aws:iam/user:User")
    found = bill(ResourceGraph((stranger, group, user)), "us-east-1")
    assert found.unpriced == (
        "queue: langfuse_aws/graph/resource_types.py does not know aws:sqs/queue:Queue.",
    )


def test_everything_that_settings_can_add_is_in_the_bill_and_the_output_is_its_sum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[float | None] = []
    priced = MonthlyCost._priced  # pyright: ignore[reportPrivateUsage]

    async def listen(self: MonthlyCost) -> float | None:
        said.append(await priced(self))
        return said[-1]

    monkeypatch.setattr(MonthlyCost, "_priced", listen)
    with unshared():
        graph = recorded("everything", EVERYTHING)
    found = bill(graph, "us-east-1")
    assert found.unpriced == ()
    assert said == [round(found.sums.configured, 2)]
    costs = whats(found)
    assert costs["WAF"] == approx(11)
    assert costs["KMS key"] == approx(2), "of the bucket, and of the alarms' topic"
    assert costs["Secret"] == approx(7 * 0.4), "four, the bootstrap's, and Grafana's two"
    alarms = graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert costs["Alarm"] == approx(0.1 * (len(alarms) - 1))
    assert costs["Alarm each 10 s"] == approx(0.3), "that of the worker's lag"
    assert costs["Queue metrics"] == approx(4 * 0.30)
    lines_gb = 730 * 360 * 600 / 1e9
    assert costs["Lines of queue probes"] == approx(2 * lines_gb * 0.5), "of two tasks"
    assert costs["NAT gateway"] == approx(32.85)
    assert costs["Public IPv4 addresses"] == approx(4 * 3.65), "of the gateway and three zones"
    assert costs["EC2 r7g.large"] == approx(3 * 78.183)
    assert costs["Data volume"] == approx(3 * 8)
    assert costs["Fargate tasks, ARM, Spot"] == approx(2 * 57.67)
    assert costs["Fargate tasks, ARM"] == approx(2 * 57.67 + 14.4175), "Grafana's is a quarter"


@pytest.mark.parametrize(("size", "sum_"), [("dev", 81.14), ("staging", 172.46), ("prod", 624.32)])
def test_what_the_sizes_cost(size: str, sum_: float) -> None:
    found = cost_tables.bill_of(size)
    assert found.sums.configured == approx(sum_)
    assert f"| **{about(sum_)}** |" in cost_tables.full_cost()
    assert f"{sum_:.2f}" not in cost_tables.full_cost() + cost_tables.short_cost(), "not known"
    assert found.unpriced == ()
    assert not [line.what for line in found.lines if line.usage_based], "it idles"


def test_dev_costs_no_more_than_80_usd_with_its_own_spot_setting_and_2_for_its_queues() -> None:
    assert cost_tables.bill_of("dev").sums.configured <= 80 + 2


@pytest.mark.parametrize("size", ["dev", "staging", "prod"])
def test_watching_the_queues_costs_less_than_2_usd(size: str) -> None:
    queues = ("Queue metrics", "Lines of queue probes", "Alarm each 10 s")
    lines = cost_tables.bill_of(size).lines
    of_queues = [
        line
        for line in lines
        if line.what in queues or (line.what, line.name[-4:]) == ("Alarms of autoscaling", "-lag")
    ]
    assert len(of_queues) == 4
    assert sum(line.configured for line in of_queues) < 2


def test_prod_costs_no_more_than_625_usd() -> None:
    assert cost_tables.bill_of("prod").sums.configured <= 625


def test_prod_with_three_servers_shows_all_that_it_has() -> None:
    found = cost_tables.bill_of("prod", servers=3)
    assert whats(found) == {
        "EC2 r7g.large": approx(3 * 0.1071 * 730),
        "Root volumes": approx(3 * 30 * 0.08),
        "Data volume": approx(3 * 100 * 0.08),
        "Disk use in CloudWatch": approx(3 * 0.3),
        "Fargate tasks, ARM": approx(4 * (2 * 0.03238 + 4 * 0.00356) * 730),
        "Alarms of autoscaling": approx(3 * 0.2),
        "Alarm each 10 s": approx(0.3),
        "Queue metrics": approx(4 * 0.3),
        "Lines of queue probes": approx(2 * 730 * 360 * 600 / 1e9 * 0.5),
        "Aurora Serverless v2 at its least": approx(2 * 43.80),
        "Valkey cache.t4g.medium": approx(2 * 0.052 * 730),
        "NAT gateway": approx(3 * 32.85),
        "Application Load Balancer": approx(16.425),
        "Public IPv4 addresses": approx(6 * 3.65),
        "Secret": approx(4 * 0.4),
        "Private DNS zone": approx(0.5),
    }
    assert found.sums.configured == approx(802.08)


def test_savings_plans_and_spot_only_ever_make_it_cheaper() -> None:
    for size in SIZING:
        for line in cost_tables.bill_of(size).lines:
            assert 0 < line.savings_plan <= line.configured <= line.on_demand, line


def test_the_components_of_a_bill_add_up_and_the_dearest_comes_first() -> None:
    found = cost_tables.bill_of("prod")
    components = found.by_component()
    usd = [sums.configured for sums in components.values()]
    assert sum(usd) == approx(found.sums.configured)
    assert usd == sorted(usd, reverse=True)
    assert set(components) == {
        "ClickHouse",
        "Cluster",
        "DataPlane",
        "Ingress",
        "LangfuseWeb",
        "LangfuseWorker",
        "Network",
        "Postgres",
        "Redis",
    }
    alone = Resource("x::key", "aws:kms/key:Key")
    assert component_of(alone, ResourceGraph((alone,))) == ""


def test_more_events_never_cost_less_and_leave_the_fixed_lines_alone() -> None:
    for size in SIZING:
        sums = [cost_tables.bill_of(size, events=events).sums for events in cost_tables.EVENTS]
        usd = [each.configured for each in sums]
        assert usd == sorted(set(usd)), size
        busy = cost_tables.bill_of(size, events=1e6)
        fixed = [line for line in busy.lines if not line.usage_based]
        assert fixed == list(cost_tables.bill_of(size).lines)


def test_what_follows_from_the_events() -> None:
    usage = Usage(events_per_month=1_500_000)
    assert usage.requests == 100_000
    assert usage.received_gb == approx(7.5)
    assert usage.stored_gb == approx(22.5)
    assert usage.clickhouse_gb == approx(5.625)
    assert usage.log_gb == approx(0.1)
    assert Usage(events_per_month=15 * 730 * 3600).jobs_per_second == approx(1)
    assert IDLE.with_figures({"event_kb": 20}) == Usage(event_kb=20)
    with pytest.raises(KeyError, match="nonsense"):
        IDLE.with_figures({"nonsense": 1})


@pytest.mark.parametrize("region", regions())
def test_every_region_of_the_file_prices_every_size(region: str) -> None:
    for size in SIZING:
        assert cost_tables.bill_of(size, region).unpriced == ()
    assert cost_tables.bill_of("prod", region, servers=3).unpriced == ()
    assert cost_tables.bill_of("prod", region, 100e6).unpriced == ()


def test_the_regions_that_are_promised_have_prices() -> None:
    promised = {"us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1"}
    assert promised | {"ap-northeast-1"} == set(regions())


def test_a_region_without_prices_is_an_error_that_lists_the_others() -> None:
    with pytest.raises(UnknownRegionError) as error:
        price_list("mars-1")
    assert str(error.value) == (
        "langfuse_aws/cost/prices.csv has no prices of region 'mars-1'. It has those of "
        "us-east-1, us-east-2, "
        "us-west-2, eu-west-1, eu-central-1, ap-northeast-1."
    )
    with pytest.raises(UnknownRegionError):
        price_list(EVERYWHERE)


def test_a_price_that_is_missing_is_named_and_the_rest_is_priced() -> None:
    with pytest.raises(MissingPriceError, match=r"'EC2 x9\.huge' in us-east-1: add a row"):
        price_list("us-east-1")["EC2 x9.huge"]
    nodes = {"engine": "valkey", "nodeType": "x9.huge", "numCacheClusters": 1}
    cache = Resource("x::a", "aws:elasticache/replicationGroup:ReplicationGroup", inputs=nodes)
    key = Resource("x::b", "aws:kms/key:Key")
    found = bill(ResourceGraph((cache, key)), "us-east-1")
    assert [line.name for line in found.lines] == ["b"]
    assert found.unpriced == (
        "a: langfuse_aws/cost/prices.csv has no price of 'Valkey x9.huge' in us-east-1: add a row.",
    )


def output_of(cost: MonthlyCost) -> float | None:
    async def said() -> float | None:
        return await cost.usd().future()

    return asyncio.run(said())


def test_a_stack_whose_prices_are_unknown_has_no_output() -> None:
    assert output_of(MonthlyCost("mars-1")) is None
    assert output_of(MonthlyCost("us-east-1")) == 0


def test_a_stack_that_needs_a_price_that_is_missing_has_no_output_either() -> None:
    cost = MonthlyCost("us-east-1")
    maker = cast(
        "pulumi.Resource", SimpleNamespace(pulumi_resource_type="x", pulumi_resource_name="y")
    )
    for kind, props in {
        "aws:kms/key:Key": {},
        "aws:elasticache/replicationGroup:ReplicationGroup": {
            "engine": "valkey",
            "node_type": "x9.huge",
            "num_cache_clusters": 1,
        },
    }.items():
        options = pulumi.ResourceOptions()
        cost.note(pulumi.ResourceTransformationArgs(maker, kind, "one", props, options))
    assert output_of(cost) is None


def test_what_awsx_made_and_hands_back_is_not_counted_again() -> None:
    cost = MonthlyCost("us-east-1")
    reference = pulumi.ResourceOptions(urn="urn:pulumi:prod::langfuse::x::one")
    gateway = cast("pulumi.Resource", None)
    for kind in ("aws:ec2/natGateway:NatGateway", "aws:ec2/eip:Eip"):
        cost.note(pulumi.ResourceTransformationArgs(gateway, kind, "one", {}, reference))
    assert output_of(cost) == 0


def test_every_price_has_a_unit_a_date_and_a_source_and_is_there_once() -> None:
    keys = [(row.region, row.name) for row in rows()]
    assert len(keys) == len(set(keys))
    for row in rows():
        assert row.usd > 0, row
        assert row.unit, row
        assert row.source == "remembered" or re.match(r"https://\S+\.\S+/", row.source), row
        form = "%Y-%m-%d" if row.date.count("-") == 2 else "%Y-%m"
        assert datetime.strptime(row.date, form) >= datetime(2026, 1, 1), row
    everywhere = {row.name for row in rows() if row.region == EVERYWHERE}
    assert not everywhere & {row.name for row in rows() if row.region != EVERYWHERE}


def test_the_region_of_a_graph_is_that_of_most_of_its_resources() -> None:
    def of(*names: str | None) -> ResourceGraph:
        return ResourceGraph(
            tuple(
                Resource(str(place), "aws:kms/key:Key", inputs={"region": name} if name else {})
                for place, name in enumerate(names)
            )
        )

    assert region_of(of("eu-west-1", "us-east-1", "us-east-1", None)) == "us-east-1"
    assert region_of(of(None)) is None
