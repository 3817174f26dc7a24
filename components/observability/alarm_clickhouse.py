"""The alarms on ClickHouse, and on the backups of it. Pure."""

from dataclasses import replace
from typing import Any, Final

from langfuse_aws.components.observability.alarm_row import (
    FIVE_MINUTES,
    HOUR,
    LONGEST_WARM_UP,
    MINUTE,
    AlarmRow,
)
from langfuse_aws.components.shared import metrics
from langfuse_aws.components.shared.metrics import Metric
from langfuse_aws.settings.external_stores import ExternalClickHouse
from langfuse_aws.settings.hours import Hours
from langfuse_aws.settings.stores import ClickHouseOnEc2

DISK_PERCENT: Final = 80
EXCEEDED_SHARE: Final = 0.5
CREDITS_PERCENT: Final = 20
BACKUP_HOURS: Final = 26
COPY_HOURS: Final = 36
DAY_HOURS: Final = 24

FIRST_BACKUP: Final = 28 * HOUR
"""Seconds. A day at the most until the plan's time, and its windows (`protection.backups`):
an hour to begin, three to be done."""
FIRST_COPY: Final = 40 * HOUR
"""Seconds. Of the first snapshot, whose copy is a whole one."""


def clickhouse_alarms(clickhouse: ClickHouseOnEc2 | ExternalClickHouse) -> list[AlarmRow]:
    """Build the alarms of the servers, their instances and their volumes."""
    if isinstance(clickhouse, ExternalClickHouse):
        return []
    rows = [
        AlarmRow(
            label="clickhouse-tasks",
            metric=metrics.CLICKHOUSE_TASKS,
            comparison="<",
            threshold=clickhouse.replicas,
            bound="clickhouse.replicas",
            period=MINUTE,
            periods=5,
            summary="A ClickHouse server is down.",
            why="an instance needs minutes for another start; rows are dropped meanwhile",
            runbook="ClickHouse is down",
            missing="breaching",
        ),
        AlarmRow(
            label="clickhouse-disk",
            metric=metrics.DISK_USED,
            comparison=">",
            threshold=DISK_PERCENT,
            period=FIVE_MINUTES,
            periods=3,
            summary="A ClickHouse volume is filling up, or nobody says how full it is.",
            why="merges need room, and a volume grows again only once its last growth is complete",
            runbook="ClickHouse disk",
            missing="breaching",
        ),
        _throttled("clickhouse-volume-iops", metrics.VOLUME_IOPS_EXCEEDED),
        _throttled("clickhouse-volume-throughput", metrics.VOLUME_THROUGHPUT_EXCEEDED),
        _used_up("clickhouse-io-credits", metrics.IO_BALANCE),
        _used_up("clickhouse-throughput-credits", metrics.BYTE_BALANCE),
    ]
    if clickhouse.instance_type.startswith("t"):
        rows.append(cpu_credits("clickhouse-cpu-credits", metrics.HOST_CREDITS_CHARGED))
    return rows


def _throttled(label: str, metric: Metric) -> AlarmRow:
    return AlarmRow(
        label=label,
        metric=metric,
        comparison=">",
        threshold=EXCEEDED_SHARE,
        bound="half of the minutes",
        period=FIVE_MINUTES,
        periods=3,
        summary="ClickHouse asks more of its volume than gp3 gives.",
        why="gp3 has no burst credits that could run out; this is EBS's own word that it throttles",
        runbook="ClickHouse disk is slow",
    )


def _used_up(label: str, metric: Metric) -> AlarmRow:
    return AlarmRow(
        label=label,
        metric=metric,
        comparison="<",
        threshold=CREDITS_PERCENT,
        period=FIVE_MINUTES,
        periods=3,
        summary="ClickHouse's instance has used up its burst credits for EBS.",
        why="at 0 the instance falls to its baseline, a fraction of what it bursts to",
        runbook="ClickHouse disk is slow",
    )


def cpu_credits(label: str, metric: Metric) -> AlarmRow:
    """Build the alarm of a burstable instance that runs beyond its credits."""
    return AlarmRow(
        label=label,
        metric=metric,
        comparison=">",
        threshold=0,
        period=FIVE_MINUTES,
        periods=12,
        summary="An instance is busier than its CPU credits allow, and buys more.",
        why="unlimited mode does not slow down, it costs",
        runbook="CPU credits",
    )


def backup_alarms(stack: str, hours: Hours | None) -> list[AlarmRow]:
    """Build the alarms of the snapshots, their copies, and ClickHouse's own backups."""
    # A stack that sleeps backs itself up on the days on which it is awake.
    more = 0 if hours is None else hours.backup_hours - DAY_HOURS
    volumes, database = "the ClickHouse volumes", "PostgreSQL"
    return [
        _lost("snapshot-failed", metrics.SNAPSHOTS_FAILED, "A snapshot has failed."),
        _lost("snapshot-expired", metrics.SNAPSHOTS_EXPIRED, "A snapshot did not begin in time."),
        _lost("copy-failed", metrics.COPIES_FAILED, "A copy for the second region has failed."),
        _no_snapshot("volume-snapshot-missing", metrics.VOLUME_SNAPSHOTS, volumes),
        _no_snapshot("database-snapshot-missing", metrics.DATABASE_SNAPSHOTS, database),
        _no_copy("volume-copy-missing", metrics.VOLUME_COPIES, volumes),
        _no_copy("database-copy-missing", metrics.DATABASE_COPIES, database),
        replace(
            AlarmRow(
                label="clickhouse-backup-missing",
                metric=metrics.backups_created(f"{stack}-clickhouse-backup"),
                summary="ClickHouse has missed its backup.",
                runbook="No ClickHouse backup",
                **_DAILY,
            ),
            periods=BACKUP_HOURS + more,
            first_value=min(FIRST_BACKUP + more * HOUR, LONGEST_WARM_UP),
        ),
    ]


_DAILY: Final[Any] = {
    "comparison": "<",
    "threshold": 1,
    "period": HOUR,
    "periods": BACKUP_HOURS,
    "why": "daily, and two hours of grace; whatever the reason is, success is missing",
    "missing": "breaching",
    "first_value": FIRST_BACKUP,
}


def _lost(label: str, metric: Metric, summary: str) -> AlarmRow:
    return AlarmRow(
        label=label,
        metric=metric,
        comparison=">",
        threshold=0,
        period=HOUR,
        periods=1,
        summary=summary,
        why="each counts: nobody makes it up",
        runbook="Failed snapshot",
    )


def _no_snapshot(label: str, metric: Metric, of: str) -> AlarmRow:
    return AlarmRow(
        label=label,
        metric=metric,
        summary=f"No snapshot of {of} was taken since yesterday.",
        runbook="No snapshot",
        **_DAILY,
    )


def _no_copy(label: str, metric: Metric, of: str) -> AlarmRow:
    return replace(
        _no_snapshot(label, metric, of),
        periods=COPY_HOURS,
        summary=f"No snapshot of {of} has reached the second region.",
        why="daily, and twelve hours of grace: the first one of all takes longest",
        first_value=FIRST_COPY,
    )
