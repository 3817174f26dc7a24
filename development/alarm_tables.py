"""Writes the table of alarms and what they cost, from the rows that the alarms are made from."""

from __future__ import annotations

from typing import Final

from development.configuration_tables import EXAMPLE_DOMAIN
from development.cost_tables import REGION, settings_as_shipped
from langfuse_aws.components.observability.alarm_row import AlarmRow
from langfuse_aws.components.observability.alarms import alarm_rows
from langfuse_aws.contract.metrics import logs_dropped_rows, logs_schedules
from langfuse_aws.cost.prices import price_list
from langfuse_aws.review.markdown import table
from langfuse_aws.settings.external_stores import ExternalPostgres, ExternalRedis
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.sizing import SIZING
from langfuse_aws.settings.stores import AuroraPostgres, ClickHouseOnEc2, PostgresInstance

STACK: Final = "langfuse-prod"


def alarm_table() -> str:
    """Every alarm that a stack can have."""
    rows: dict[str, AlarmRow] = {}
    for size in SIZING:
        settings = load({"size": size, "domain": EXAMPLE_DOMAIN})
        rows |= {row.label: row for row in alarm_rows(settings, STACK)}
    lines = [
        (f"`{row.label}`", f"`{row.metric.namespace}` `{row.metric.name}`", _when(row), row.why)
        for row in rows.values()
    ]
    return table(("Alarm", "Metric", "Alarms when", "Why"), lines)


def _when(row: AlarmRow) -> str:
    unit = f"{row.period // 60} min" if row.period < 3600 else f"{row.period // 3600} h"
    change = " grows by" if row.growth else ""
    bound = row.bound or f"{row.threshold:g}"
    many = f", {row.breaching_periods} of {row.periods} times" if row.periods > 1 else ""
    missing = "; or no value" if row.missing == "breaching" else ""
    return f"{row.metric.statistic}{change} {row.comparison} {bound} in {unit}{many}{missing}"


def alarm_count(settings: Settings) -> int:
    """How many alarms a stack has that sets `langfuse:alarms`."""
    there = _things(settings)
    return sum(there.get(row.metric.subject, 0) for row in alarm_rows(settings, STACK))


def _things(settings: Settings) -> dict[str, int]:
    """Count what a stack has of each subject."""
    balanced = settings.ingress.kind == "alb"
    own = isinstance(settings.clickhouse, ClickHouseOnEc2)
    servers = (
        settings.clickhouse.replicas if isinstance(settings.clickhouse, ClickHouseOnEc2) else 0
    )
    redis, copied = settings.redis, settings.backups.copy_region is not None
    database = int(copied and not isinstance(settings.postgres, ExternalPostgres))
    return {
        "api": int(not balanced),
        "balancer": int(balanced),
        "targets": int(balanced),
        "certificate": int(settings.domain is not None),
        "web": 1,
        "worker": 1,
        "schedules": int(logs_schedules(settings.worker.environment)),
        "dropped-rows": int(logs_dropped_rows(settings.worker.environment)),
        "queues": int(settings.probes_queues),
        "clickhouse": int(own),
        "hosts": int(own),
        "clickhouse-backup": int(own),
        "volumes": servers,
        "aurora": int(isinstance(settings.postgres, AuroraPostgres)),
        "database": int(isinstance(settings.postgres, PostgresInstance)),
        "caches": 0 if isinstance(redis, ExternalRedis) else 1 + redis.replicas,
        "vault": max(int(own), database),
        "copied-vault": max(int(own and copied), database),
        "volume-snapshots": int(own),
        "volume-copies": int(own and copied),
        "database-snapshots": database,
        "database-copies": database,
    }


def alarm_cost() -> str:
    """What the alarms of each size cost a month."""
    prices = price_list(REGION)
    alarm, key = prices["CloudWatch alarm"], prices["KMS key"]
    metric = prices["CloudWatch custom metric"]
    rows: list[tuple[str, ...]] = []
    for size in SIZING:
        count = alarm_count(settings_as_shipped(size))
        sum_of = f"{count} × {alarm:g} + {key:g} + {metric:g}"  # noqa: RUF001
        rows.append((size, sum_of, f"{count * alarm + key + metric:.2f}"))
    return table(("Size", "Alarms, key and metric", "USD a month"), rows, right=1)
