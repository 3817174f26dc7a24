"""Writes the tables of what a stack costs a month while it idles at its least size.

Prices come from docs/prices.csv and are nobody's promise: nothing here asks AWS. Traffic, stored
data and requests are not counted, and it writes no file.
"""

# ruff: noqa: RUF001 -- the documents use the multiplication sign.

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from components import grafana
from components.clickhouse_host import ROOT_VOLUME_GIB as CLICKHOUSE_ROOT_GIB
from components.nat_instance import INSTANCE_TYPE as NAT_INSTANCE_TYPE
from components.nat_instance import ROOT_VOLUME_GIB as NAT_ROOT_GIB
from components.postgres import INSTANCE_STORAGE_GIB
from components.web_acl_rules import rules
from contract import metrics
from development.configuration_tables import EXAMPLE_DOMAIN
from development.markdown import ABSENT, table
from settings.external_stores import ExternalClickHouse, ExternalPostgres, ExternalRedis
from settings.loading import load
from settings.model import Settings
from settings.network import CreatedNetwork
from settings.services import ApiGatewayIngress, LoadBalancerIngress, Service
from settings.sizing import SIZING
from settings.stores import (
    AuroraPostgres,
    ClickHouseOnEc2,
    ElastiCacheRedis,
    PostgresInstance,
)

PRICES: Final = Path(__file__).resolve().parent.parent / "docs/prices.csv"

HOURS: Final = 730
SPOT_SHARE: Final = 0.3
"""What Spot costs of the on-demand price; AWS says up to 70 % less, and the rate moves."""
SECRETS: Final = 4
"""PostgreSQL's, Valkey's and ClickHouse's password, and Langfuse's own keys."""
GRAFANA_SECRETS: Final = 2
"""Grafana's own, and the password of its ClickHouse user."""


@dataclass(frozen=True)
class Item:
    """One line of the bill: what it is, how the sum is made, and USD a month."""

    name: str
    arithmetic: str
    usd: float


@cache
def prices() -> dict[str, float]:
    """USD by name, per hour or per month as the file says."""
    with PRICES.open(newline="", encoding="utf-8") as lines:
        return {row["name"]: float(row["USD"]) for row in csv.DictReader(lines)}


def public_addresses(settings: Settings) -> int:
    """Public IPv4 addresses of a stack with minTasks tasks."""
    network, ingress = settings.network, settings.ingress
    balancer = isinstance(ingress, LoadBalancerIngress) and not ingress.internal
    if not isinstance(network, CreatedNetwork):
        return len(network.public_subnet_ids) if balancer else 0
    tasks = settings.web.min_tasks + settings.worker.min_tasks + int(settings.grafana.enabled)
    clickhouse = settings.clickhouse
    hosts = clickhouse.replicas if isinstance(clickhouse, ClickHouseOnEc2) else 0
    way_out = {
        "none": tasks + hosts,
        "natInstance": 1,
        "natGateway": 1,
        "natGatewayPerZone": network.zones,
    }
    return way_out[network.egress] + (network.zones if balancer else 0)


def bill(settings: Settings) -> list[Item]:
    """What a stack costs while it idles, a line for everything that has a price by the hour."""
    price, gateways = prices(), _nat_gateways(settings)
    secrets = SECRETS + (GRAFANA_SECRETS if settings.grafana.enabled else 0)
    return [
        *(_tasks(name, getattr(settings, name)) for name in ("web", "worker")),
        *([_grafana()] if settings.grafana.enabled else []),
        *_clickhouse(settings.clickhouse),
        *_postgres(settings.postgres),
        *_redis(settings.redis),
        *([_nat_instance()] if _egress(settings) == "natInstance" else []),
        *([_by_hour("NAT gateways", "NAT gateway", gateways)] if gateways else []),
        *(
            [_by_hour("Load balancer", "Application Load Balancer")]
            if isinstance(settings.ingress, LoadBalancerIngress)
            else []
        ),
        *_waf(settings.ingress),
        _by_hour("Public IPv4 addresses", "Public IPv4 address", public_addresses(settings)),
        Item(
            "Secrets",
            f"{secrets} × {price['Secrets Manager']}",
            secrets * price["Secrets Manager"],
        ),
        *([_queue_metrics(settings.major)] if settings.publishes_queue_metrics else []),
        Item(
            "Private DNS zone",
            f"1 × {price['Cloud Map private zone']}",
            price["Cloud Map private zone"],
        ),
    ]


def _by_hour(name: str, price: str, count: int = 1) -> Item:
    return Item(name, f"{count} × {prices()[price]} × {HOURS} h", count * prices()[price] * HOURS)


def _tasks(name: str, service: Service) -> Item:
    arithmetic, hourly = _task(service.cpu, service.memory)
    spot = f" × {SPOT_SHARE} (Spot)" if service.spot else ""
    return Item(
        f"{name.capitalize()} tasks",
        f"{service.min_tasks} × ({arithmetic}) × {HOURS} h{spot}",
        service.min_tasks * hourly * HOURS * (SPOT_SHARE if service.spot else 1),
    )


def _grafana() -> Item:
    arithmetic, hourly = _task(grafana.CPU_UNITS, grafana.MEMORY_MIB)
    return Item("Grafana task", f"({arithmetic}) × {HOURS} h", hourly * HOURS)


def _task(cpu_units: int, memory_mib: int) -> tuple[str, float]:
    """What an hour of a Fargate task costs, with the arithmetic."""
    vcpu, memory = prices()["Fargate ARM vCPU"], prices()["Fargate ARM memory"]
    cpus, gigabytes = cpu_units / 1024, memory_mib / 1024
    return f"{cpus:g} × {vcpu} + {gigabytes:g} × {memory}", cpus * vcpu + gigabytes * memory


def _clickhouse(clickhouse: ClickHouseOnEc2 | ExternalClickHouse) -> list[Item]:
    if isinstance(clickhouse, ExternalClickHouse):
        return []
    count, price = clickhouse.replicas, prices()["EBS gp3"]
    gib = clickhouse.volume_gib + CLICKHOUSE_ROOT_GIB
    servers = f"{count} × " if count > 1 else ""
    return [
        _by_hour(
            f"ClickHouse, {clickhouse.instance_type}", f"EC2 {clickhouse.instance_type}", count
        ),
        Item(
            "ClickHouse, volumes",
            f"{servers}({clickhouse.volume_gib} data + {CLICKHOUSE_ROOT_GIB} root) GiB × {price}",
            count * gib * price,
        ),
        Item(
            "ClickHouse, disk use in CloudWatch",
            f"{count} × {prices()['CloudWatch custom metric']}",
            count * prices()["CloudWatch custom metric"],
        ),
    ]


def _redis(redis: ElastiCacheRedis | ExternalRedis) -> list[Item]:
    if isinstance(redis, ExternalRedis):
        return []
    return [_by_hour(f"Valkey, {redis.node_type}", f"Valkey {redis.node_type}", 1 + redis.replicas)]


def _postgres(postgres: AuroraPostgres | PostgresInstance | ExternalPostgres) -> list[Item]:
    price = prices()
    if isinstance(postgres, ExternalPostgres):
        return []
    if isinstance(postgres, AuroraPostgres):
        acu = price["Aurora Serverless v2"]
        return [
            Item(
                "PostgreSQL, Aurora at its least capacity",
                f"{postgres.instances} × {postgres.min_acu:g} ACU × {acu} × {HOURS} h",
                postgres.instances * postgres.min_acu * acu * HOURS,
            )
        ]
    hour, storage = price[f"RDS {postgres.instance_class}"], price["RDS gp3"]
    return [
        Item(
            f"PostgreSQL, {postgres.instance_class}",
            f"{hour} × {HOURS} h + {INSTANCE_STORAGE_GIB} GiB × {storage}",
            hour * HOURS + INSTANCE_STORAGE_GIB * storage,
        )
    ]


def _queue_metrics(major: int) -> Item:
    metric = prices()["CloudWatch custom metric"]
    plain = f"{metrics.PLAIN_QUEUES} × {metrics.NAMES_OF_A_PLAIN_QUEUE[major]}"
    sharded = f"{metrics.SHARDED_QUEUES} × {metrics.NAMES_OF_A_SHARDED_QUEUE}"
    return Item(
        "Queue metrics",
        f"({plain} + {sharded} + {metrics.OTHER_NAMES}) × {metric}",
        metrics.names_published(major) * metric,
    )


def _nat_instance() -> Item:
    hour, storage = prices()[f"EC2 {NAT_INSTANCE_TYPE}"], prices()["EBS gp3"]
    return Item(
        f"NAT instance, {NAT_INSTANCE_TYPE}",
        f"{hour} × {HOURS} h + {NAT_ROOT_GIB} GiB × {storage}",
        hour * HOURS + NAT_ROOT_GIB * storage,
    )


def _waf(ingress: LoadBalancerIngress | ApiGatewayIngress) -> list[Item]:
    if not isinstance(ingress, LoadBalancerIngress) or ingress.waf is None:
        return []
    acl, rule, count = prices()["WAF web ACL"], prices()["WAF rule"], len(rules(ingress.waf))
    return [Item("WAF", f"{acl} + {count} rules × {rule}", acl + count * rule)]


def _egress(settings: Settings) -> str:
    return settings.network.egress if isinstance(settings.network, CreatedNetwork) else ""


def _nat_gateways(settings: Settings) -> int:
    network = settings.network
    if not isinstance(network, CreatedNetwork):
        return 0
    return {"natGateway": 1, "natGatewayPerZone": network.zones}.get(network.egress, 0)


def settings_as_shipped(size: str) -> Settings:
    """A size's settings with the ingress of its row."""
    row = SIZING[size]
    needs_domain = row["ingress"]["kind"] == "alb"
    return load({"size": size, **({"domain": EXAMPLE_DOMAIN} if needs_domain else {})})


def short_cost() -> str:
    """The bill by size, what is alike on one line."""
    bills = {size: bill(settings_as_shipped(size)) for size in SIZING}
    names = dict.fromkeys(item.name.partition(",")[0] for items in bills.values() for item in items)
    rows = [(name, *(_usd(items, name) for items in bills.values())) for name in names]
    total = ("**Sum, USD a month**", *(f"**{_sum(items):.0f}**" for items in bills.values()))
    return table(("", *SIZING), [*rows, total], right=len(SIZING))


def _usd(items: Sequence[Item], name: str) -> str:
    found = [item.usd for item in items if item.name.partition(",")[0] == name]
    return f"{sum(found):.2f}" if found else ABSENT


def _sum(items: Sequence[Item]) -> float:
    return sum(item.usd for item in items)


def full_cost() -> str:
    """Each size's bill with its arithmetic."""
    parts: list[str] = []
    for size in SIZING:
        items = bill(settings_as_shipped(size))
        rows = [(item.name, item.arithmetic, f"{item.usd:.2f}") for item in items]
        rows.append(("**Sum**", "", f"**{_sum(items):.2f}**"))
        parts += [f"### {size}", table(("Item", "Arithmetic", "USD a month"), rows, right=1)]
    return "\n\n".join(parts)


def price_list() -> str:
    """The prices that the sums use."""
    with PRICES.open(newline="", encoding="utf-8") as lines:
        rows = [(row["name"], row["USD"], row["per"]) for row in csv.DictReader(lines)]
    return table(("What", "USD", "per"), rows)
