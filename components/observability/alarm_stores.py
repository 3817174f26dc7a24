"""The alarms on the stores and their backups. Pure. An external store has none."""

from typing import Final

from langfuse_aws.components.observability.alarm_clickhouse import (
    backup_alarms,
    clickhouse_alarms,
    cpu_credits,
)
from langfuse_aws.components.observability.alarm_row import FIVE_MINUTES, AlarmRow
from langfuse_aws.components.shared import metrics
from langfuse_aws.components.shared.metrics import Metric
from langfuse_aws.settings.capacity import (
    aurora_connections,
    instance_memory_gib,
    postgres_connections,
)
from langfuse_aws.settings.external_stores import ExternalPostgres
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stores import AuroraPostgres, PostgresInstance

CAPACITY_PERCENT: Final = 95
CPU_PERCENT: Final = 90
FREE_STORAGE_GIB: Final = 2
CACHE_MEMORY_PERCENT: Final = 75

IDLE_ACU: Final = 1
"""What Aurora's own work may keep it at, however little the least capacity is.
https://repost.aws/questions/QUi4Lno12BRme9Mab-N1wEjg/aurora-serverless-acu-utilisation-is-high-when-no-active-database-connection"""

CONNECTIONS_SHARE: Final = 0.6
"""Of `max_connections` by the formula: for the smallest instance it gives a third too many."""


def store_alarms(settings: Settings, stack: str) -> list[AlarmRow]:
    """Build the alarms of ClickHouse, PostgreSQL, Valkey and the backups. `stack` is the prefix."""
    return [
        *clickhouse_alarms(settings.clickhouse),
        *_postgres(settings.postgres),
        *_CACHE,
        *backup_alarms(stack, settings.hours),
    ]


def _postgres(
    postgres: AuroraPostgres | PostgresInstance | ExternalPostgres,
) -> list[AlarmRow]:
    if isinstance(postgres, ExternalPostgres):
        return []
    if isinstance(postgres, AuroraPostgres):
        most = aurora_connections(postgres.min_acu, postgres.max_acu)
        return [
            _capacity(postgres),
            _connections(metrics.AURORA_CONNECTIONS, most, postgres.connection_limit),
        ]
    kind = postgres.instance_class.removeprefix("db.")
    rows = [
        _busy("postgres-cpu", metrics.DATABASE_CPU, CPU_PERCENT),
        AlarmRow(
            label="postgres-storage",
            metric=metrics.DATABASE_STORAGE,
            comparison="<",
            threshold=FREE_STORAGE_GIB * 2**30,
            bound=f"{FREE_STORAGE_GIB} GiB",
            period=FIVE_MINUTES,
            periods=6,
            summary="PostgreSQL's storage is filling up.",
            why="storage grows by itself at 10 % free, 2 of 20 GiB; half an hour on, it has not",
            runbook="PostgreSQL storage",
        ),
    ]
    if kind.startswith("t"):
        rows.append(cpu_credits("postgres-cpu-credits", metrics.DATABASE_CREDITS_CHARGED))
    memory = instance_memory_gib(kind)
    if memory is not None:
        most = postgres_connections(memory)
        rows.append(_connections(metrics.DATABASE_CONNECTIONS, most, postgres.connection_limit))
    return rows


def _capacity(postgres: AuroraPostgres) -> AlarmRow:
    """Build the alarm of Aurora's capacity; of its CPU, where it never has less than that."""
    if 100 * max(postgres.min_acu, IDLE_ACU) < CAPACITY_PERCENT * postgres.max_acu:
        return _busy("postgres-capacity", metrics.AURORA_CAPACITY, CAPACITY_PERCENT)
    return _busy("postgres-cpu", metrics.AURORA_CPU, CPU_PERCENT)


def _busy(label: str, metric: Metric, percent: float) -> AlarmRow:
    return AlarmRow(
        label=label,
        metric=metric,
        comparison=">=",
        threshold=percent,
        period=FIVE_MINUTES,
        periods=3,
        summary="PostgreSQL is at the end of its capacity.",
        why="a quarter of an hour at the limit is no peak",
        runbook="PostgreSQL capacity",
    )


def _connections(metric: Metric, most: int, each: int) -> AlarmRow:
    return AlarmRow(
        label="postgres-connections",
        metric=metric,
        comparison=">",
        threshold=int(CONNECTIONS_SHARE * most),
        bound=f"{CONNECTIONS_SHARE:.0%} of max_connections".replace("%", " %"),
        period=FIVE_MINUTES,
        periods=3,
        summary="PostgreSQL runs out of connections.",
        why=f"all tasks together open far fewer ({each} each), so somebody keeps them open",
        runbook="PostgreSQL connections",
    )


_CACHE = (
    AlarmRow(
        label="redis-memory",
        metric=metrics.CACHE_MEMORY,
        comparison=">",
        threshold=CACHE_MEMORY_PERCENT,
        period=FIVE_MINUTES,
        periods=3,
        summary="Valkey runs out of memory.",
        why="at 100 % it refuses writes, since it must not evict jobs: ingestion stops",
        runbook="Valkey memory",
    ),
    AlarmRow(
        label="redis-evictions",
        metric=metrics.CACHE_EVICTIONS,
        comparison=">",
        threshold=0,
        period=FIVE_MINUTES,
        periods=1,
        summary="Valkey evicts keys, and jobs with them.",
        why="with noeviction there is none",
        runbook="Valkey evictions",
    ),
)
