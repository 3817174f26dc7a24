"""What a stack without traffic publishes to CloudWatch, and what its alarms make of that.

The values are the worst that a stack which is well has while it idles, and in time the latest.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langfuse_aws.components.observability.alarm_row import OPERATORS, AlarmRow
from langfuse_aws.components.shared.metrics import DAY
from langfuse_aws.contract.node_options import HEAP_SHARE
from langfuse_aws.cost.inputs import section, sections
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stores import AuroraPostgres, ClickHouseOnEc2

MINUTE, HOUR = 60, 3600
"""Seconds."""

CONNECTIONS_A_TASK = 10
"""`connection_limit` of components/environment.py: all that a task may keep open."""
FRESH_CLICKHOUSE_GIB = 2
"""ClickHouse's own tables and log tables, with Langfuse's empty ones."""
FRESH_POSTGRES_GIB = 2
LEAST_STORAGE_GIB = 20
IDLE_ACU = 1
"""Aurora's own work does not always let it sink to the least capacity.
https://repost.aws/questions/QUi4Lno12BRme9Mab-N1wEjg/aurora-serverless-acu-utilisation-is-high-when-no-active-database-connection"""

BREACHES: Mapping[str, Callable[[float, float], bool]] = {
    OPERATORS[">"]: lambda value, threshold: value > threshold,
    OPERATORS[">="]: lambda value, threshold: value >= threshold,
    OPERATORS["<"]: lambda value, threshold: value < threshold,
}


@dataclass(frozen=True)
class Sent:
    """The values of one metric by one statistic."""

    value: float
    every: int = MINUTE
    """Seconds."""
    first: int = 0
    """Seconds after the alarm was made."""
    last: float = float("inf")
    """Seconds after the alarm was made: nothing comes later."""


Idle = Callable[[Settings], Sent | None]


def _always(value: float, every: int = MINUTE) -> Idle:
    return lambda _: Sent(value, every)


def _nothing(_: Settings) -> None:
    """No value while nothing happens."""


def _servers(settings: Settings) -> int:
    own = settings.clickhouse
    return own.replicas if isinstance(own, ClickHouseOnEc2) else 0


def _disk(settings: Settings) -> Sent | None:
    own = settings.clickhouse
    if not isinstance(own, ClickHouseOnEc2):
        return None
    return Sent(100 * FRESH_CLICKHOUSE_GIB / own.volume_gib, 5 * MINUTE)


def _capacity(settings: Settings) -> Sent | None:
    """Aurora's capacity as a percentage of its most."""
    if not isinstance(settings.postgres, AuroraPostgres):
        return None
    least = max(settings.postgres.min_acu, IDLE_ACU)
    return Sent(100 * min(least / settings.postgres.max_acu, 1))


def _connections(settings: Settings) -> Sent:
    return Sent(CONNECTIONS_A_TASK * (settings.web.min_tasks + settings.worker.min_tasks))


def _daily(settings: Settings) -> Sent:
    """Snapshots: hourly, if there are such, and daily."""
    return Sent(1, HOUR if settings.backups.hourly_retention_days else DAY)


HEAP_PERCENT = 100 * HEAP_SHARE
"""Node.js never takes more for its heap, traffic or not."""
AURORA_IDLE_CPU = 10
"""https://github.com/aws/agent-toolkit-for-aws, serverless-advisory-concepts.md."""

IDLE: Mapping[str, Idle] = {
    # Load balancers and HTTP APIs count what there is; 0 is no value.
    "balancer-5xx": _nothing,
    "web-5xx": _nothing,
    "api-5xx": _nothing,
    "app-runner-5xx": _nothing,
    "balancer-latency": _nothing,
    "api-latency": _nothing,
    "app-runner-latency": _nothing,
    "unhealthy-targets": _always(0),
    # ACM has renewed by then.
    "certificate": _always(45, DAY // 2),
    "web-tasks": lambda settings: Sent(settings.web.min_tasks),
    "web-cpu": _always(5),
    "web-memory": _always(HEAP_PERCENT),
    "worker-tasks": lambda settings: Sent(settings.worker.min_tasks),
    "worker-cpu": _always(5),
    "worker-memory": _always(HEAP_PERCENT),
    # Every 20 minutes, and a container's start later at the first time.
    "worker-schedules": lambda _: Sent(1, 20 * MINUTE, first=25 * MINUTE),
    "dropped-rows": _nothing,
    "app-runner-cpu": _always(5),
    "app-runner-memory": _always(HEAP_PERCENT),
    # A probe looks every 10 s.
    "ingestion-lag": _always(0),
    "other-lag": _always(0),
    "dead-letters": _always(0),
    "clickhouse-tasks": lambda settings: Sent(_servers(settings)),
    "clickhouse-disk": _disk,
    "clickhouse-volume-iops": _always(0),
    "clickhouse-volume-throughput": _always(0),
    "clickhouse-io-credits": _always(90, 5 * MINUTE),
    "clickhouse-throughput-credits": _always(90, 5 * MINUTE),
    "clickhouse-cpu-credits": _always(0, 5 * MINUTE),
    "postgres-capacity": _capacity,
    "postgres-cpu": _always(AURORA_IDLE_CPU),
    "postgres-cpu-credits": _always(0, 5 * MINUTE),
    "postgres-storage": _always((LEAST_STORAGE_GIB - FRESH_POSTGRES_GIB) * 2**30),
    "postgres-connections": _connections,
    "redis-memory": _always(5),
    "redis-evictions": _always(0),
    "snapshot-failed": _nothing,
    "snapshot-expired": _nothing,
    "copy-failed": _nothing,
    "volume-snapshot-missing": _daily,
    # PostgreSQL's plan and the copies are daily.
    "database-snapshot-missing": _always(1, DAY),
    "volume-copy-missing": _always(1, DAY),
    "database-copy-missing": _always(1, DAY),
    "clickhouse-backup-missing": _always(1, DAY),
}
"""By the label of the alarm. `Sent.first` is the test's business."""


@dataclass(frozen=True)
class Alarm:
    """An alarm as CloudWatch evaluates it."""

    comparison: str
    threshold: float
    period: int
    periods: int
    breaching: int
    missing: str
    growth: bool
    warm_up: int
    """Seconds; 0: none."""

    @staticmethod
    def of_inputs(inputs: Mapping[str, Any]) -> "Alarm":
        """Read a registration."""
        queries = sections(inputs, "metricQueries")
        periods = [each.get("period") or section(each, "metric").get("period") for each in queries]
        period = next(each for each in (inputs.get("period"), *periods) if each)
        warm_up = section(inputs, "warmUpConfiguration").get("warmUpPeriodDurationInMinutes", 0)
        return Alarm(
            inputs["comparisonOperator"],
            inputs["threshold"],
            int(period),
            int(inputs["evaluationPeriods"]),
            int(inputs["datapointsToAlarm"]),
            inputs["treatMissingData"],
            growth=any("DIFF" in str(query.get("expression")) for query in queries),
            warm_up=MINUTE * int(warm_up),
        )

    @staticmethod
    def of_row(row: AlarmRow) -> "Alarm":
        """Read a row, whose warm-up is not looked at."""
        return Alarm(
            OPERATORS[row.comparison],
            row.threshold,
            row.period,
            row.periods,
            row.breaching_periods,
            row.missing,
            row.growth,
            warm_up=0,
        )

    def states(self, sent: Sent | None, until: int) -> Iterator[tuple[int, str]]:
        """Give the state at the end of each period since the alarm was made, up to `until` seconds.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
        """
        values: list[float | None] = [None] * self.periods
        state, first, before = "INSUFFICIENT_DATA", None, None
        for now in range(self.period, until + 1, self.period):
            value = _value(sent, now - self.period, now)
            if value is not None and first is None:
                first = now - self.period
            values.append(_growth(before, value) if self.growth else value)
            before = value
            full = first is not None and now - first >= self.period * self.periods
            if now >= self.warm_up or full:
                state = self._state(values[-self.periods :], state)
            yield now, state

    def _state(self, values: list[float | None], before: str) -> str:
        present = [value for value in values if value is not None]
        bad = sum(BREACHES[self.comparison](value, self.threshold) for value in present)
        if not present and self.missing == "ignore":
            return before
        if not present and self.missing == "missing":
            return "INSUFFICIENT_DATA"
        if self.missing == "breaching":
            bad += len(values) - len(present)
        return "ALARM" if bad >= self.breaching else "OK"


def _value(sent: Sent | None, begin: int, end: int) -> float | None:
    """What a period has; every statistic of equal values, a minute or more apart, is the value."""
    if sent is None:
        return None
    times = range(sent.first, end, sent.every)
    return sent.value if any(begin <= each <= sent.last for each in times[-1:]) else None


def _growth(before: float | None, value: float | None) -> float | None:
    return None if before is None or value is None else value - before
